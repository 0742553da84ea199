"""`sightline watch`: events as they come, from a gateway that may go away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from running import free_port, wait_for
from sightline.cli import exits

Command = Callable[..., Any]

PAGE = Path(__file__).parents[2] / "vectors/messages/good/event-list.page.json"


def event(sequence: int) -> dict[str, Any]:
    template: dict[str, Any] = json.loads(PAGE.read_text())["events"][0]
    return {**template, "sequence": sequence, "uid": f"track-{sequence:04d}"}


class History:
    """A gateway's history as GET /v1/events tells it."""

    def __init__(self, *sequences: int) -> None:
        self.sequences = list(sequences)

    def __call__(self, _method: str, path: str, _body: bytes) -> tuple[int, Any]:
        query = {name: int(value[0]) for name, value in parse_qs(urlsplit(path).query).items()}
        if "since" in query:
            found = [each for each in self.sequences if each > query["since"]]
        else:
            found = self.sequences[::-1]
        return 200, {"events": [event(each) for each in found[: query["limit"]]], "next": None}


def sequences(out: str) -> list[int]:
    return [json.loads(line)["sequence"] for line in out.splitlines()]


def test_events_after_a_sequence_come_in_order(
    sightline: Command, serve: Callable[..., Any]
) -> None:
    url = serve(History(3, 4, 7, 9)).url
    ended = sightline("watch", "--url", url, "--json", "--since", "3", "--count", "3")
    assert ended.code == exits.OK
    assert sequences(ended.out) == [4, 7, 9]


def test_a_line_for_people_tells_what_and_where(
    sightline: Command, serve: Callable[..., Any]
) -> None:
    ended = sightline("watch", "--url", serve(History(5)).url, "--since", "0", "--count", "1")
    told = event(5)
    (row,) = ended.out.splitlines()
    assert "0005" in row
    assert told["class"] in row
    assert f"{told['position']['latitude']:.6f}" in row
    assert told["camera_id"] in row


def test_without_a_sequence_it_begins_with_what_is_new(serve: Callable[..., Any]) -> None:
    history = History(1, 2, 3)
    service = serve(history)
    with watching(service.url, "--count", "2") as watch:
        wait_for(lambda: any("since=3" in path for _, path in service.asked), what="a look")
        history.sequences += [4, 5]
        out, _ = watch.communicate(timeout=20)
    assert watch.returncode == exits.OK
    assert sequences(out) == [4, 5]


def test_a_gateway_that_refuses_now_is_asked_again_and_told_of_once(
    serve: Callable[..., Any],
) -> None:
    history, refusals = History(6), [503, 503]

    def moody(method: str, path: str, body: bytes) -> tuple[int, Any]:
        if refusals:
            status = refusals.pop()
            return status, {"type": "/problems/busy", "title": "Busy", "status": status,
                            "detail": "not now"}  # fmt: skip
        return history(method, path, body)

    with watching(serve(moody).url, "--since", "0", "--count", "1") as watch:
        out, err = watch.communicate(timeout=30)
    assert sequences(out) == [6]
    assert err.count("trying again") == 1


def test_nobody_there_is_told_and_waited_for_until_ctrl_c() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with watching(url) as watch:
        assert watch.stderr is not None
        said = watch.stderr.readline()
        watch.send_signal(signal.SIGINT)
        _, rest = watch.communicate(timeout=20)
    assert url in said
    assert watch.returncode == exits.INTERRUPTED
    assert "Traceback" not in rest


def watching(url: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sightline.cli.main", "watch", "--json", "--url", url]
    return subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
