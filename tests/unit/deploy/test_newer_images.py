"""What newer.py says of a registry that speaks as real ones do: tokens, pages, digests."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from deploy_scripts import ROOT, script
from running import required

newer = script("deploy/images/newer.py")

TAGS = ["latest", "v1.2.0", "v1.10.0", "v1.9.3", "v2", "v1.10.0-rc.1", "1.11.0", "v1.10"]
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": "sha256:" + "a" * 64,
                "size": 2,
                "platform": {"architecture": machine, "os": "linux"},
            }
            for machine in ("amd64", "arm64")
        ],
    }
)
DIGEST = f"sha256:{hashlib.sha256(MANIFEST.encode()).hexdigest()}"
PLAIN = "--tls-verify=false"


class Handler(BaseHTTPRequestHandler):
    """One repository, behind a bearer token, with two tags a page."""

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        port = self.server.server_address[1]
        if url.path == "/token":
            asked = dict(urllib.parse.parse_qsl(url.query))
            assert asked["service"] == "registry"
            self._send(200, json.dumps({"token": "good"}))
        elif self.headers.get("Authorization") != "Bearer good":
            realm = f"http://127.0.0.1:{port}/token"
            self._send(
                401,
                "",
                ("WWW-Authenticate", f'Bearer realm="{realm}",service="registry",'
                                     'scope="repository:a/b:pull"'),
            )  # fmt: skip
        elif url.path == "/v2/a/b/tags/list":
            begin = int(dict(urllib.parse.parse_qsl(url.query)).get("last", 0))
            more = begin + 2 < len(TAGS)
            link = f'</v2/a/b/tags/list?last={begin + 2}&n=2>; rel="next"'
            page = json.dumps({"name": "a/b", "tags": TAGS[begin : begin + 2]})
            self._send(200, page, *([("Link", link)] if more else []))
        elif url.path.startswith("/v2/a/b/manifests/v1.10.0"):
            kind = json.loads(MANIFEST)["mediaType"]
            self._send(200, MANIFEST, ("Content-Type", kind), ("Docker-Content-Digest", DIGEST))
        else:
            self._send(404, "")

    def _send(self, status: int, text: str, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())


@pytest.fixture(name="host")
def registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def image(host: str, *, tag: str, digest: str = DIGEST, repository: str = "a/b"):
    if shutil.which("skopeo") is None:
        required("skopeo is not installed: apt-get install skopeo")
    return newer.Image(name="thing", repository=f"{host}/{repository}", tag=tag, digest=digest)


def test_a_newer_version_is_named_with_the_digest_to_pin(host):
    line, current = newer.compare(image(host, tag="v1.9.3"), PLAIN)
    assert not current
    assert line.split() == ["thing", "v1.9.3", f"v1.10.0@{DIGEST}"]


def test_the_newest_with_its_digest_is_left_alone(host):
    line, current = newer.compare(image(host, tag="v1.10.0"), PLAIN)
    assert current
    assert line.split() == ["thing", "v1.10.0", "newest"]


def test_a_tag_that_means_other_bytes_now_is_named(host):
    old = image(host, tag="v1.10.0", digest="sha256:" + "e" * 64)
    assert newer.compare(old, PLAIN)[1] is False


def test_a_registry_that_does_not_know_it_is_an_error(host):
    with pytest.raises(newer.RegistryError, match=r"404|not found|unknown"):
        newer.compare(image(host, tag="v1", repository="c/d"), PLAIN)


def test_every_image_of_compose_is_read():
    pinned = newer.pinned((ROOT / "compose.yaml").read_text())
    assert {each.name for each in pinned} == {
        "python", "postgres", "prometheus", "alertmanager", "loki", "collector", "grafana",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tag", "newest"),
    [
        ("v1.2.0", "v1.10.0"),  # by number, and no candidate for a release
        ("v1.2", "v1.10"),  # as exact as it is pinned
        ("3.13-slim-bookworm", "3.13-slim-bookworm"),
        ("latest", "latest"),
    ],
)
def test_a_tag_is_compared_with_those_of_its_form(tag, newest):
    assert newer.newest(tag, TAGS) == newest
