"""What people are told: messages written by hand, compared with what the templates make."""

from __future__ import annotations

import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from alertmanager.configuration import BASE
from notifying import program

MESSAGES = Path(__file__).parents[2] / "vectors/alertmanager/messages"
PARTS = {
    "subject": "sightline.subject",
    "email": "sightline.email.text",
    "chat": "sightline.chat.text",
}
LONGEST_SUBJECT = 78


def rendered(template: str, data: Path, *, kind: str = "text") -> str:
    done = subprocess.run(
        [
            *(program("amtool"), "template", "render"),
            f"--template.glob={BASE.parent}/templates/*.tmpl",
            f"--template.text={{{{ template {template!r} . }}}}".replace("'", '"'),
            f"--template.type={kind}",
            f"--template.data={data}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def vectors(pattern: str) -> list[Path]:
    found = sorted(MESSAGES.glob(pattern))
    assert found
    return found


@pytest.mark.parametrize("written", vectors("*.txt"), ids=lambda path: path.name)
def test_a_message_reads_as_it_was_meant(written: Path) -> None:
    stem, part, _ = written.name.rsplit(".", 2)
    made = rendered(PARTS[part], MESSAGES / f"{stem}.json")
    assert made.rstrip("\n") == written.read_text(encoding="utf-8").rstrip("\n")


class Page(HTMLParser):
    """The text and the links of an e-mail."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a":
            self.links.append(named["href"] or "")
        if tag in ("img", "link", "script", "iframe") or "src" in named:
            self.loads.append(tag)

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append(data.strip())


def page(name: str) -> Page:
    read = Page()
    read.feed(rendered("sightline.email.html", MESSAGES / f"{name}.json", kind="html"))
    return read


def test_the_html_says_the_same_and_loads_nothing() -> None:
    read = page("page-one-sink")
    text = " ".join(read.text)
    for each in (
        "TAK server tak-hq takes nothing",
        "Disconnected for 5m, 1200 events wait & grow <now>.",
        "production, cop-gateway, blue, sink tak-hq, gateway:8001",
        "Since 2026-11-02 02:04 UTC",
        "SightlineSinkDisconnected",
    ):
        assert each in text
    assert read.links == [
        "http://grafana.example.org/d/runbook-sink-disconnected",
        "http://grafana.example.org/d/sightline-sink?var-sink=tak-hq&from=now-1h",
        "http://alertmanager.example.org/#/alerts?receiver=page",
    ]
    assert not read.loads


def test_the_html_of_a_storm_has_every_alert_and_what_is_over() -> None:
    text = page("storm").text
    for each in ("The disk fills", "Foreign", "Resolved: Frames wait too long"):
        assert each in text


@pytest.mark.parametrize("data", vectors("*.json"), ids=lambda path: path.stem)
def test_a_subject_fits_a_phones_screen(data: Path) -> None:
    subject = rendered("sightline.subject", data).strip("\n")
    assert "\n" not in subject
    assert subject == subject.strip()
    assert len(subject) <= LONGEST_SUBJECT
