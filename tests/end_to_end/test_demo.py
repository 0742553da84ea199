"""The demo itself: every process of it real, headless, held against its own report."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from running import TakClient, Taky, free_port, started, wait_for
from sightline.cli import exits
from sightline.demo.model import demo_model

SECONDS = 120.0
COMMAND = (sys.executable, "-m", "sightline.cli.main", "demo", "--headless")

# Of a two-dimensional normal error, half lies within 0.41 CE90 when it is all along one line, and
# within 0.55 CE90 when it is the same in every direction. A frame's fixes share one error of the
# pose, so that the medians of some hundred frames still scatter.
MEDIAN_SHARES = (0.35, 0.65)


class Demo:
    """`sightline demo` under way; its temporary files are in a folder of their own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.temporary = folder / "temporary"
        self.temporary.mkdir(exist_ok=True)
        self.report_file = folder / "report.json"
        self.log = folder / "demo.log"
        with self.log.open("wb") as output:
            self.popen = subprocess.Popen(
                [*COMMAND, "--report", str(self.report_file), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "TMPDIR": str(self.temporary)},
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.report_file.read_text())
        return report

    def children(self) -> dict[str, int]:
        """The processes that it has started, by name. A command line names the demo's folder."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if (folder / "cwd").readlink().is_relative_to(self.temporary):
                    command = (folder / "cmdline").read_bytes().decode().split("\0")
                    names = [name for name in ("cop_gateway", "detection") if name in command]
                    found[names[0] if names else "taky"] = int(folder.name)
            except OSError:
                continue  # it has just ended
        return found

    def wait(self, seconds: float = SECONDS) -> int:
        return self.popen.wait(seconds)

    def wait_for(self, text: str) -> None:
        wait_for(lambda: re.search(text, self.output), seconds=60, what=f"{text} in {self.output}")

    def streams(self) -> None:
        """Return once frames have been placed and have arrived."""
        self.wait_for(r"[1-9]\d* in TAK")

    def is_clean(self) -> bool:
        return not self.children() and not list(self.temporary.glob("sightline-demo-*"))


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[Demo]:
    running = Demo(folder, *arguments)
    try:
        yield running
    finally:
        if running.popen.poll() is None:
            running.popen.kill()
            running.popen.wait()


@pytest.fixture
def taky(tmp_path: Path) -> Iterator[Taky]:
    folder = tmp_path / "tak-server"
    folder.mkdir()
    with started(Taky(folder)) as server:
        yield server


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """One run that is long enough to judge positions by: about fifteen hundred fixes."""
    with demo(tmp_path_factory.mktemp("demo"), "--frames", "300", "--rate", "12") as running:
        code = running.wait()
        assert code == exits.OK, running.output
        return running


@pytest.mark.slow
class TestWhole:
    def test_every_frame_was_answered(self, whole: Demo) -> None:
        assert (whole.report["frames"], whole.report["failed"]) == (300, 0)

    def test_nothing_was_lost_on_the_way_to_tak(self, whole: Demo) -> None:
        report = whole.report
        assert report["lost"] == 0
        assert report["placed"] >= 500
        for stage in ("committed", "delivered", "acknowledged", "received"):
            assert report[stage] == report["placed"], stage

    def test_every_detection_is_accounted_for(self, whole: Demo) -> None:
        report = whole.report
        assert report["placed"] + sum(report["unplaced"].values()) == report["detections"]

    def test_the_stated_accuracy_is_honest(self, whole: Demo) -> None:
        assert whole.report["scored_fixes"] >= 500
        assert 0.85 <= whole.report["inside_ce90"] <= 0.95

    def test_the_error_is_what_the_noise_predicts(self, whole: Demo) -> None:
        report = whole.report
        # expected_error_m is the circular share of the median CE90; undo it to have the CE90.
        ce90 = report["expected_error_m"] * 2.1460 / 1.1774
        low, high = (share * ce90 for share in MEDIAN_SHARES)
        assert low <= report["ground_error_m"]["p50"] <= high

    def test_the_detector_finds_what_is_there(self, whole: Demo) -> None:
        assert whole.report["recall"] >= 0.9
        assert whole.report["precision"] >= 0.9

    def test_latencies_are_of_the_same_frames(self, whole: Demo) -> None:
        for name in ("frame_to_commit", "frame_to_tak"):
            latency = whole.report["latency_ms"][name]
            assert 0 < latency["p50"] <= latency["p95"] <= latency["p99"] < 10_000
        assert 0 < whole.report["first_cot_s"] < 60

    def test_the_report_says_what_was_measured(self, whole: Demo) -> None:
        versions = whole.report["versions"]
        assert versions["model_sha256"] == hashlib.sha256(demo_model().read_bytes()).hexdigest()
        assert {"sightline", "python", "taky", "onnxruntime"} <= versions.keys()
        assert datetime.fromisoformat(whole.report["started_at"]).tzinfo is not None

    def test_nothing_is_left_behind(self, whole: Demo) -> None:
        assert whole.is_clean()


def test_for_a_time_ends_by_itself(tmp_path: Path) -> None:
    with demo(tmp_path, "--for", "3s") as running:
        assert running.wait() == exits.OK, running.output
        assert 3.0 <= running.report["duration_s"] < 30.0
        assert running.report["lost"] == 0


def test_an_existing_tak_server_gets_the_events(tmp_path: Path, taky: Taky) -> None:
    client = TakClient(taky.port)
    try:
        with demo(tmp_path, "--frames", "12", "--tak", taky.url) as running:
            assert running.wait() == exits.OK, running.output
            assert "taky" not in running.children()
            report = running.report
        assert report["received"] == report["placed"] > 0
        wait_for(lambda: len(set(client.sightings())) == report["placed"], what="the events")
    finally:
        client.close()


def test_events_that_an_earlier_demo_left_on_the_server_do_not_count(
    tmp_path: Path, taky: Taky
) -> None:
    """The same seed makes the same frames: only their names tell one run from another."""
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        with demo(folder, "--frames", "9", "--tak", taky.url) as running:
            assert running.wait() == exits.OK, running.output
            report = running.report
    assert report["repeated"] == 0
    assert report["latency_ms"]["frame_to_tak"]["p50"] > 0
    assert report["received"] == report["placed"] > 0


def test_no_tak_server_there_is_one_sentence(tmp_path: Path) -> None:
    url = f"tcp://127.0.0.1:{free_port()}"
    with demo(tmp_path, "--frames", "3", "--tak", url) as running:
        assert running.wait() == exits.FAILED
        assert "Traceback" not in running.output
        assert url.removeprefix("tcp://") in running.output.splitlines()[-1]
        assert not running.children()


@pytest.mark.parametrize("victim", ["taky", "cop_gateway", "detection"])
def test_a_dead_child_is_3_and_named(tmp_path: Path, victim: str) -> None:
    with demo(tmp_path) as running:
        running.streams()
        os.kill(running.children()[victim], signal.SIGKILL)
        assert running.wait(60) == exits.CHILD_DIED, running.output
        assert "Traceback" not in running.output
        complaint = running.output[running.output.rindex("sightline: ") :]
        assert victim in complaint
        (kept,) = running.temporary.glob("sightline-demo-*")
        assert str(kept) in "".join(complaint.split())
        assert (kept / f"{victim}.log").exists()
        assert not running.children()


def test_ctrl_c_ends_an_endless_demo_with_its_report(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        running.streams()
        running.popen.send_signal(signal.SIGINT)
        assert running.wait(40) == exits.OK, running.output
        assert running.report["lost"] == 0
        assert running.report["received"] == running.report["placed"] > 0
        assert running.is_clean()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_says_so_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    with demo(tmp_path, "--for", "10m") as running:
        running.streams()
        running.popen.send_signal(number)
        assert running.wait(40) == exits.INTERRUPTED, running.output
        assert "Traceback" not in running.output
        assert running.is_clean()


def test_ctrl_c_while_it_starts_ends_it_at_once(tmp_path: Path) -> None:
    with demo(tmp_path, "--for", "10m") as running:
        wait_for(running.children, what="a first child")
        before = time.monotonic()
        running.popen.send_signal(signal.SIGINT)
        assert running.wait(40) == exits.INTERRUPTED, running.output
        assert time.monotonic() - before < 15
        assert "Traceback" not in running.output
        assert running.is_clean()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_a_killed_demo_takes_its_children_along(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        running.streams()
        assert running.children().keys() == {"taky", "cop_gateway", "detection"}
        running.popen.kill()
        running.popen.wait()
        wait_for(lambda: not running.children(), seconds=20, what="the children's end")
