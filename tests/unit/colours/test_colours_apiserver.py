"""Requests to an API server that is overloaded, restarted, or slow."""

from __future__ import annotations

import http.server
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.kubernetes_api import kubeconfig
from running import served
from sightline.colours import apiserver
from sightline.colours.apiserver import ApiServer
from sightline.colours.errors import ConflictError, UnreachableError


class Faults(http.server.ThreadingHTTPServer):
    """Answers with the given statuses, one after the other, and then with 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.statuses: list[int] = []
        self.asked: list[str] = []


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self) -> None:
        server: Any = self.server
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        server.asked.append(self.command)
        status = server.statuses.pop(0) if server.statuses else 200
        if status == 0:
            self.close_connection = True
            return
        body = b'{"message": "told so"}'
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_PATCH = answer

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def faults() -> Iterator[Faults]:
    with served(Faults()) as server:
        yield server


@pytest.fixture
def api(faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    monkeypatch.setattr(apiserver, "PAUSES", (0.01, 0.01, 0.01))
    file = kubeconfig(f"http://127.0.0.1:{faults.server_port}", tmp_path, token="t")
    api = ApiServer(kubeconfig=str(file))
    yield api
    api.close()


@pytest.mark.parametrize("statuses", [[429], [500], [502, 503], [504, 429, 500], [0]])
def test_a_look_is_asked_again(api: ApiServer, faults: Faults, statuses: list[int]) -> None:
    faults.statuses = list(statuses)
    assert api.call("GET", "/api") == {"message": "told so"}
    assert len(faults.asked) == len(statuses) + 1


def test_a_look_is_not_asked_for_ever(api: ApiServer, faults: Faults) -> None:
    faults.statuses = [503] * 9
    with pytest.raises(UnreachableError, match="answers 503"):
        api.call("GET", "/api")
    assert len(faults.asked) == 4


def test_a_change_that_was_surely_not_made_is_asked_again(api: ApiServer, faults: Faults) -> None:
    faults.statuses = [429, 429]
    api.change("PATCH", "/api", []).result()
    assert faults.asked == ["PATCH"] * 3


@pytest.mark.parametrize("status", [500, 502, 503, 504, 0])
def test_a_change_that_may_have_been_made_is_not(
    api: ApiServer, faults: Faults, status: int
) -> None:
    faults.statuses = [status]
    with pytest.raises(UnreachableError):
        api.change("PATCH", "/api", []).result()
    assert faults.asked == ["PATCH"]


@pytest.mark.parametrize("status", [409, 412, 422])
def test_somebody_else_was_faster(api: ApiServer, faults: Faults, status: int) -> None:
    faults.statuses = [status]
    with pytest.raises(ConflictError, match="told so"):
        api.change("PUT", "/api", {}).result()


def test_nobody_there(api: ApiServer, faults: Faults, tmp_path: Path) -> None:
    file = kubeconfig("http://127.0.0.1:9", tmp_path, token="t")
    with pytest.raises(UnreachableError, match="does not answer"):
        ApiServer(kubeconfig=str(file)).call("GET", "/api")
