"""Grafana and Prometheus: what they are asked, and what is said when they are away."""

from __future__ import annotations

import http.server
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from running import served
from sightline.releases.errors import RemoteError
from sightline.releases.grafana import Grafana
from sightline.releases.metrics import PrometheusBudget


class Listening(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.answers: list[tuple[int, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        document = json.loads(body) if body else None
        server.asked.append((self.command, self.path, dict(self.headers), document))
        status, said = server.answers.pop(0) if server.answers else (200, {})
        text = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Listening]:
    with served(Listening()) as server:
        yield server


class TestGrafana:
    def test_gets_the_sentence_the_tags_and_the_token(
        self, server: Listening, tmp_path: Path
    ) -> None:
        token = tmp_path / "token"
        token.write_text("glsa_x\n")
        Grafana(server.url + "/", token).annotate("2.0 serves", "sightline", "prod")
        ((method, path, headers, document),) = server.asked
        assert (method, path) == ("POST", "/api/annotations")
        assert headers["Authorization"] == "Bearer glsa_x"
        assert document == {"text": "2.0 serves", "tags": ["sightline", "prod"]}

    def test_that_refuses_is_told_without_the_token(
        self, server: Listening, tmp_path: Path
    ) -> None:
        token = tmp_path / "token"
        token.write_text("glsa_x\n")
        server.answers = [(403, {"message": "no"})]
        with pytest.raises(RemoteError, match="answers 403") as caught:
            Grafana(server.url, token).annotate("x")
        assert "glsa_x" not in str(caught.value)

    def test_that_is_away_and_a_token_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(RemoteError, match="does not answer"):
            Grafana("http://127.0.0.1:9", None).annotate("x")
        with pytest.raises(RemoteError, match="token"):
            Grafana("http://127.0.0.1:9", tmp_path / "token").annotate("x")


def vector(*values: str) -> dict[str, Any]:
    result = [{"metric": {}, "value": [0, each]} for each in values]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


class TestPrometheus:
    def budget(self, server: Listening) -> PrometheusBudget:
        return PrometheusBudget(server.url, "detection-system", clock=lambda: 100.0)

    def test_is_asked_for_this_colours_requests_without_probes(self, server: Listening) -> None:
        server.answers = [(200, vector("120.4")), (200, vector("3.1"))]
        served = self.budget(server).count("green")
        assert (served.requests, served.failures) == (120, 3)
        queries = [parse_qs(urlsplit(path).query)["query"][0] for _, path, _, _ in server.asked]
        for query in queries:
            assert 'colour="green"' in query
            assert 'namespace="detection-system"' in query
            assert "/ready" in query
        assert 'status=~"5.."' not in queries[0]
        assert 'status=~"5.."' in queries[1]

    def test_nothing_found_is_no_requests(self, server: Listening) -> None:
        server.answers = [(200, vector()), (200, vector())]
        assert self.budget(server).count("green").requests == 0

    @pytest.mark.parametrize(
        ("status", "said", "told"),
        [
            (400, {"status": "error", "error": "parse error"}, "parse error"),
            (502, b"<html>", "answers something else"),
            (200, {"status": "success", "data": {"result": [{"value": [0]}]}}, "something else"),
        ],
    )
    def test_what_it_says_otherwise_is_told(
        self, server: Listening, status: int, said: Any, told: str
    ) -> None:
        server.answers = [(status, said)]
        with pytest.raises(RemoteError, match=told):
            self.budget(server).count("green")

    def test_that_is_away(self) -> None:
        with pytest.raises(RemoteError, match="does not answer"):
            PrometheusBudget("http://127.0.0.1:9", "x", clock=lambda: 1.0).count("green")
