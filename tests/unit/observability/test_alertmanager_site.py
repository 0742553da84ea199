"""A site's part of Alertmanager's configuration: what is taken, and how the rest is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from alertmanager.configuration import BASE, ConfigurationError, compose, main, read, written
from notifying import program

SITES = Path(__file__).parents[2] / "vectors/alertmanager/sites"
EXAMPLE = BASE.parent / "site.example.yaml"


def by(outcome: str) -> list[Path]:
    found = sorted(SITES.glob(f"{outcome}-*.yaml"))
    assert found
    return found


def checked(config: Path) -> None:
    """Or amtool says why not."""
    done = subprocess.run(
        [program("amtool"), "check-config", config], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_shared_part_is_whole_as_it_is() -> None:
    checked(BASE)


@pytest.mark.parametrize("path", [*by("accepted"), EXAMPLE], ids=lambda path: path.stem)
def test_a_sites_part_makes_a_valid_whole(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "alertmanager.yaml"
    assert main(["--site", str(path), "--out", str(out)]) == 0
    checked(out)


@pytest.mark.parametrize("path", by("refused"), ids=lambda path: path.stem)
def test_what_cannot_be_is_refused_and_named(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says = path.read_text().splitlines()[0].removeprefix("# says: ")
    out = tmp_path / "alertmanager.yaml"
    assert main(["--site", str(path), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "correct" not in said, "a secret is not repeated"
    assert not out.exists()


def test_without_a_site_nothing_changes(tmp_path: Path) -> None:
    assert compose(read(BASE), {}) == read(BASE)
    out = tmp_path / "alertmanager.yaml"
    out.write_text(written(read(BASE)))
    assert read(out) == read(BASE)


def test_routes_and_inhibition_are_not_a_sites_to_change() -> None:
    for name in ("route", "inhibit_rules", "templates"):
        with pytest.raises(ConfigurationError, match=name):
            compose(read(BASE), {name: []})


def test_a_site_keeps_the_receivers_that_it_does_not_name() -> None:
    whole = compose(read(BASE), {"receivers": [{"name": "chat", "webhook_configs": []}]})
    assert [each["name"] for each in whole["receivers"]] == [
        "page", "ticket", "chat", "watchdog", "nobody",
    ]  # fmt: skip
