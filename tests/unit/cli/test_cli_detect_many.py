"""`sightline detect` with many pictures: which ones, several at once, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline.cli import exits
from unit.cli.test_cli_detect import PROBLEM, RESULT, Command, good, picky, picture


def paths_of(ended: Any) -> list[str]:
    return list(json.loads(ended.out))


def test_folders_and_patterns_give_their_pictures_once_and_in_order(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    for name in ("b/2.png", "b/deep/3.JPG", "a/1.jpg", "a/1.detected.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        picture(tmp_path / name)
    (tmp_path / "b/notes.txt").write_text("no picture")
    pattern = str(tmp_path / "**/*")
    ended = sightline(
        "detect", str(tmp_path / "b"), pattern, str(tmp_path / "a/1.jpg"), "--json",
        "--url", serve(good).url,
    )  # fmt: skip
    assert paths_of(ended) == [str(tmp_path / x) for x in ("b/2.png", "b/deep/3.JPG", "a/1.jpg")]


def test_a_name_with_the_signs_of_a_pattern_is_a_name(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    path = picture(tmp_path / "a[1].jpg")
    picture(tmp_path / "a1.jpg")
    ended = sightline("detect", str(path), "--json", "--url", serve(good).url)
    assert paths_of(ended) == [str(path)]


@pytest.mark.parametrize("name", ["empty", "*.jpg", "missing.jpg"])
def test_what_names_no_picture_is_2_before_anything_is_sent(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    (tmp_path / "empty").mkdir()
    service = serve(good)
    other = picture(tmp_path / "there.png")
    ended = sightline("detect", str(other), str(tmp_path / name), "--url", service.url)
    assert ended.code == exits.USAGE
    assert name in ended.err
    assert service.asked == []


def test_how_to_look_is_passed_on(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    service = serve(good)
    path = str(picture(tmp_path / "a.jpg"))
    sightline(
        "detect", path, "--model", "boats", "--confidence", "0.4", "--tiles", "640",
        "--url", service.url,
    )  # fmt: skip
    assert service.asked == [("POST", "/v1/detect?model=boats&confidence=0.4&tiles=640")]


@pytest.mark.parametrize(
    "wrong",
    [("--tiles", "some"), ("--tiles", "0"), ("--confidence", "2"), ("--parallel", "0"),
     ("--timeout", "0"), ("--url", "nowhere")],
    ids=" ".join,
)  # fmt: skip
def test_an_option_that_makes_no_sense_is_2_and_named(
    sightline: Command, tmp_path: Path, wrong: tuple[str, str]
) -> None:
    ended = sightline("detect", str(picture(tmp_path / "a.jpg")), *wrong)
    assert ended.code == exits.USAGE
    assert wrong[0] in ended.err
    assert "Traceback" not in ended.err


class Slowest:
    """Answers the first picture only after all the others; counts how many are under way."""

    def __init__(self, first: bytes, *, others: int) -> None:
        self._first = first
        self._left = others
        self._begun, self._done = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._under_way = self.most = 0

    def __call__(self, _method: str, _path: str, body: bytes) -> tuple[int, Any]:
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        if body == self._first:
            self._begun.set()
            assert self._done.wait(30)
        assert self._begun.wait(30)
        with self._lock:
            self._under_way -= 1
            self._left -= 1
            if self._left == 0:
                self._done.set()
        return 200, RESULT


def test_several_are_under_way_and_told_in_the_order_of_their_names(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    paths = [picture(tmp_path / f"{number}.jpg") for number in range(8)]
    paths[0].write_bytes(paths[1].read_bytes() + b"first")
    service = Slowest(paths[0].read_bytes(), others=7)
    ended = sightline(
        "detect", str(tmp_path), "--json", "--parallel", "2", "--url", serve(service).url
    )
    assert paths_of(ended) == [str(path) for path in paths]
    assert service.most == 2


def test_the_last_line_sums_up(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    for number in range(3):
        picture(tmp_path / f"{number}.jpg")
    (tmp_path / "4.jpg").write_text("no picture")
    ended = sightline("detect", str(tmp_path), "--url", serve(picky).url)
    assert ended.code == exits.FAILED
    assert ended.err.splitlines()[-1].startswith("4 images, 6 detections, 1 failed, ")


def test_a_key_that_is_refused_ends_the_run(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    for number in range(50):
        picture(tmp_path / f"{number}.jpg")
    problem = {**PROBLEM, "status": 401, "detail": "a key is needed"}
    service = serve(lambda *_: (401, problem))
    ended = sightline("detect", str(tmp_path), "--url", service.url)
    assert ended.code == exits.FAILED
    assert "a key is needed" in ended.complaint
    assert len(service.asked) < 50


def test_a_picture_that_cannot_be_saved_is_1_and_the_others_are(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "out/a.detected.png").mkdir(parents=True)
    paths = [str(picture(tmp_path / name)) for name in ("a.jpg", "b.jpg")]
    ended = sightline("detect", *paths, "--save", str(tmp_path / "out"), "--url", serve(good).url)
    assert ended.code == exits.FAILED
    assert "--save" in ended.complaint
    assert (tmp_path / "out/b.detected.png").is_file()


def program(*arguments: str, **settings: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sightline.cli.main", "detect", *arguments]
    return subprocess.Popen(command, **settings)


def test_ctrl_c_is_130_without_a_word_too_much(serve: Callable[..., Any], tmp_path: Path) -> None:
    asked, ended = threading.Event(), threading.Event()

    def endless(_method: str, _path: str, _body: bytes) -> tuple[int, Any]:
        asked.set()
        ended.wait(60)
        return 200, RESULT

    path = str(picture(tmp_path / "a.jpg"))
    pipe = subprocess.PIPE
    running = program(path, "--url", serve(endless).url, stdout=pipe, stderr=pipe)
    try:
        assert asked.wait(30)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    finally:
        ended.set()
        running.kill()
    assert running.returncode == exits.INTERRUPTED
    assert out == b""
    assert err.strip() == b""


@pytest.mark.parametrize(("ci", "shown"), [("", True), ("true", False)])
def test_on_a_terminal_a_bar_moves_and_what_is_piped_stays_clean(
    serve: Callable[..., Any], tmp_path: Path, ci: str, shown: bool
) -> None:
    for number in range(3):
        picture(tmp_path / f"{number}.jpg")
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "CI": ci}
    running = program(
        str(tmp_path), "--url", serve(good).url, stdout=subprocess.PIPE, stderr=theirs, env=env
    )
    os.close(theirs)
    seen = b""
    try:
        # Linux says EIO where others say that there is no more.
        while data := os.read(ours, 65_536):
            seen += data
    except OSError:
        pass
    finally:
        out, _ = running.communicate(timeout=30)
        os.close(ours)
    assert running.returncode == exits.OK
    assert (b"images/s, 0 failed" in seen) is shown
    assert b"3 images, 6 detections, 0 failed" in seen
    assert out.count(b"truck") == 3
    assert b"\x1b" not in out
