"""`sightline releases` on a live cluster, under load: made, undone, killed, by two people."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster_images import FIRST, SECOND, UNREADY
from deployment import Sightline
from faulty_api import FaultyApi
from figures import record_figure
from releasing import SiteCheckout
from running import wait_for
from sightline.releases import audit

pytestmark = pytest.mark.e2e

LOCK_SECONDS = 60


@pytest.fixture(scope="module")
def site(sightline: Sightline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteCheckout]:
    yield SiteCheckout(sightline, tmp_path_factory.mktemp("site"))
    sightline.helm("upgrade", "--wait", "--timeout", "240s")


def other(version: str) -> str:
    return SECOND if version == FIRST else FIRST


def versions(site: SiteCheckout) -> dict[str, str]:
    """By colour: the one version that all its pods run."""
    said = site.sightline.colours("status").said
    found: dict[str, set[str]] = {"blue": set(), "green": set()}
    for each in said["colours"]:
        found[each["colour"]] |= set(each["versions"])
    return {colour: ", ".join(sorted(each)) for colour, each in found.items()}


def serving(site: SiteCheckout) -> tuple[str, str]:
    """The colour that users are led to, and its version."""
    colour = site.sightline.active()
    assert site.sightline.active("cop-gateway") == colour
    return colour, versions(site)[colour]


def audit_holds(site: SiteCheckout, tmp_path: Path) -> list[str]:
    """The chain, as exported."""
    file = tmp_path / "audit.jsonl"
    said = site.releases("audit", "--export", str(file)).said
    assert said["flaws"] == []
    entries = audit.read(file.read_bytes())
    assert audit.flaws(entries, head=None) == ()
    return [each.what for each in entries]


def test_a_plan_says_what_would_change_and_changes_nothing(site: SiteCheckout) -> None:
    colour, version = serving(site)
    before = site.sightline.get("deployment", f"cop-gateway-{colour}")["metadata"]["generation"]
    said = site.releases("plan", "--version", other(version)).said
    assert said["colour"] != colour
    assert not said["refused"], said["findings"]
    replaced = {each["name"] for each in said["changes"] if each["restarts"]}
    assert all(name.endswith(said["colour"]) for name in replaced)
    after = site.sightline.get("deployment", f"cop-gateway-{colour}")["metadata"]["generation"]
    assert after == before
    assert serving(site) == (colour, version)


def test_an_image_that_is_not_signed_is_refused_and_then_signed(site: SiteCheckout) -> None:
    colour, version = serving(site)
    site.keys.mkdir(exist_ok=True)
    site.sightline_images("keys", "--output", str(site.keys))
    public = (site.keys / "cosign.pub").read_bytes()
    (site.root / "images.pub").write_bytes(public)
    site.write({}, signed=True)
    site.git("add", "images.pub", "environments")
    site.git("commit", "--quiet", "-m", "images must be signed")
    done = site.releases("apply", "--version", other(version), "--yes", check=False)
    assert done.code == 1
    assert "is not signed" in done.told
    kept = site.releases("status").said["current"]
    assert kept["phase"] == "begun"
    assert serving(site) == (colour, version)
    site.releases("abort", "--yes")
    for name in ("sightline-detection", "sightline-cop-gateway"):
        for tag in (FIRST, SECOND):
            image = f"{site.sightline.cluster.registry_here}/{name}:{tag}"
            site.sightline_images("sign", image, "--key", str(site.keys / "cosign.key"))


def test_a_whole_release_under_load(site: SiteCheckout, tmp_path: Path) -> None:
    colour, version = serving(site)
    new = other(version)
    with site.sightline.tak() as client:
        with site.sightline.traffic("release") as traffic:
            done = site.releases("apply", "--version", new, "--yes", "--reason", "a new version")
            time.sleep(2)
        assert traffic.failures == []
        traffic.arrived(client)
    assert done.said["release"]["phase"] == "done"
    assert done.said["watched"]["served"]["requests"] > 0
    now, running = serving(site)
    assert (now, running) == (done.said["release"]["colour"], new)
    assert now != colour
    assert versions(site)[colour] == version
    told = site.told()
    assert told["activeColour"] == now
    assert told["colours"][now]["gateway"]["image"]["tag"] == new
    steps = {each["step"]: each["seconds"] for each in done.said["release"]["steps"]}
    record_figure("release: whole command, of which 12 s watched", done.seconds)
    record_figure("release: helm and rollout", steps["deploy"])
    record_figure("release: plan until traffic", done.seconds - steps["watch"])
    assert audit_holds(site, tmp_path)[-1] == "release done"


def test_a_rollback_needs_no_arguments_and_three_seconds(site: SiteCheckout) -> None:
    colour, version = serving(site)
    with site.sightline.traffic("rolled-back", clients=1) as traffic:
        time.sleep(2)
        done = site.releases("rollback")
        time.sleep(2)
    assert traffic.failures == []
    assert serving(site)[0] != colour
    assert site.told()["activeColour"] != colour
    assert site.releases("status").said["current"]["phase"] == "rolled-back"
    record_figure("release: rollback, whole command", done.seconds)
    assert done.said["receipt"]["moved_after"] < 1.0
    assert versions(site)[colour] == version


def test_images_that_are_not_there_are_missed_before_anything_is_done(site: SiteCheckout) -> None:
    before, current = serving(site), site.releases("status").said["current"]
    done = site.releases("apply", "--version", "9.9.9", "--yes", check=False)
    assert done.code == 1
    assert "9.9.9 is not there" in done.told
    assert site.releases("status").said["current"] == current
    assert serving(site) == before


def test_a_broken_release_stops_and_is_aborted(site: SiteCheckout) -> None:
    before = serving(site)
    had = versions(site)
    patience = {"path": "chart", "values": ["values.yaml"], "timeout_seconds": 40}
    site.write({"chart": patience})
    site.git("commit", "--quiet", "-am", "less patience, and nothing is signed")
    with site.sightline.traffic("stopped", clients=1) as traffic:
        done = site.releases("apply", "--version", UNREADY, "--yes", check=False)
    assert traffic.failures == []
    assert done.code == 1
    assert "did not come up within 40 s" in done.told
    assert "503" in done.told
    assert serving(site) == before
    kept = site.releases("status").said["current"]
    assert kept["phase"] == "verified"
    site.write({})
    site.git("commit", "--quiet", "-am", "as it was")
    aborted = site.releases("abort", "--yes")
    assert aborted.said["phase"] == "aborted"
    assert versions(site) == had
    assert serving(site) == before


STEPS = {
    "helm": "… helm upgrade",
    "the switch": "… lead users to",
    "the watch": "… watch ",
}


@pytest.mark.parametrize("step", STEPS)
def test_whoever_released_is_killed_and_somebody_else_goes_on(
    site: SiteCheckout, step: str, tmp_path: Path
) -> None:
    colour, version = serving(site)
    new = other(version)

    def refused() -> None:
        at_once = site.releases("resume", "--yes", check=False)
        assert at_once.code == 6, at_once.told
        assert "if its maker died" in at_once.told

    with site.sightline.traffic(f"killed-{len(step)}", clients=1) as traffic:
        site.killed("apply", "--version", new, "--yes", at=STEPS[step], meanwhile=refused)
        # Of the same machine, where its process is no more: nobody has to wait.
        done = site.releases("resume", "--yes")
    assert traffic.failures == []
    assert done.said["release"]["phase"] == "done"
    now, running = serving(site)
    assert (now != colour, running) == (True, new)
    assert "release resumed" in audit_holds(site, tmp_path)


def test_of_two_people_at_once_one_releases(site: SiteCheckout) -> None:
    colour, version = serving(site)
    new = other(version)
    with ThreadPoolExecutor(2) as people:
        both = list(
            people.map(
                lambda _: site.releases("apply", "--version", new, "--yes", check=False), range(2)
            )
        )
    codes = sorted(each.code for each in both)
    assert codes[0] == 0, [each.told for each in both]
    assert codes[1] in (1, 6), [each.told for each in both]
    (loser,) = [each for each in both if each.code]
    assert "lock" in loser.told or "releases since" in loser.told, loser.told
    assert serving(site)[1] == new
    assert serving(site)[0] != colour


def test_an_api_server_that_is_restarted_meanwhile(site: SiteCheckout) -> None:
    """Its users get through all the same: nothing that serves them asks it."""
    _, version = serving(site)
    new = other(version)
    cluster = site.sightline.cluster
    with site.sightline.traffic("restarted", clients=1) as traffic:
        process = subprocess.Popen(
            [*site.command("apply", "--version", new, "--yes")],
            cwd=site.root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "… lead users to" in line:
                cluster.restart_api_server()
                break
        said += process.stderr.read()
        code = process.wait(300)
        process.stderr.close()
    assert traffic.failures == []
    if code != 0:
        # It was told, and what is left is finished by a resume.
        done = wait_for(
            lambda: site.releases("resume", "--yes", check=False).code == 0,
            seconds=LOCK_SECONDS + 120, what="the release to be resumed",
        )  # fmt: skip
        assert done, said
    assert serving(site)[1] == new


def test_an_api_server_on_a_bad_day(site: SiteCheckout, tmp_path: Path) -> None:
    """One request of sixty is refused, fails, is cut or slow: a release is made, or told."""
    _, version = serving(site)
    new = other(version)
    faulty = FaultyApi(site.sightline.cluster.kubeconfig, tmp_path, share=1 / 60)
    with faulty.running(), site.sightline.traffic("bad-day", clients=1) as traffic:
        arguments: tuple[str, ...] = ("apply", "--version", new, "--yes")
        for _ in range(8):
            done = site.releases(*arguments, kubeconfig=faulty.kubeconfig, check=False)
            if done.code == 0:
                break
            assert done.told.strip(), "it ended without a word"
            assert "Traceback" not in done.told, done.told
            begun = site.releases("status").said["current"]
            if begun["version"] == new and begun["phase"] not in ("done", "aborted", "rolled-back"):
                arguments = ("resume", "--yes")
            time.sleep(5)
    assert done.code == 0, done.told
    assert traffic.failures == []
    assert serving(site)[1] == new
    assert sum(faulty.faults.values()) > 2
    record_figure("a bad day: requests to the API server", faulty.requests, "")
    record_figure("a bad day: of which went wrong", sum(faulty.faults.values()), "")
