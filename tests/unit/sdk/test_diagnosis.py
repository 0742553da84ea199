"""`doctor --env`: programs, names, clocks, permissions, certificates, told with what to type."""

from __future__ import annotations

import http.server
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from running import served
from sightline.colours.errors import UnreachableError
from sightline.diagnosis import place, programs
from sightline.diagnosis.finding import Finding
from sightline.environments import Environment, Guards, Images, Place

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
SITE = Environment(
    name="site", cluster=Place(context="site", namespace="ns"), guards=Guards(signed_images=False)
)


class FakeApi:
    """Allows everything but what it is told not to."""

    def __init__(self, *forbidden: tuple[str, str], skew: float = 0.0) -> None:
        self.forbidden = forbidden
        self.skew = skew
        self.asked: list[dict[str, Any]] = []

    def call(self, method: str, path: str, query: Any = None, body: Any = None) -> Any:
        if path == "/version":
            return {"gitVersion": "v1.34.4"}
        attributes = body["spec"]["resourceAttributes"]
        self.asked.append(attributes)
        refused = (attributes["verb"], attributes["resource"]) in self.forbidden
        return {"status": {"allowed": not refused}}

    def date(self) -> str:
        moment = NOW - timedelta(seconds=self.skew)
        return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")


def examined(api: Any, environment: Environment = SITE, root: Path = Path()) -> dict[str, Finding]:
    found = place.examine(environment, root, lambda: api, lambda: NOW)
    return {each.name: each for each in found}


def test_all_is_well_where_all_is_allowed() -> None:
    api = FakeApi()
    found = examined(api)
    assert all(each.ok for each in found.values())
    assert all(each["namespace"] == "ns" for each in api.asked)
    assert {"colours switch", "releases apply"} <= {
        name.removeprefix("may ") for name in found if name.startswith("may ")
    }


def test_what_is_not_allowed_is_named_with_what_needs_it() -> None:
    found = examined(FakeApi(("patch", "services"), ("create", "leases")))
    assert "patch services cop-gateway-active" in found["may colours switch"].detail
    assert "sightline-deployer" in found["may colours switch"].remedy
    assert "create leases" in found["may releases apply"].detail
    assert found["may colours preflight"].ok


@pytest.mark.parametrize(
    ("skew", "well"), [(0.0, True), (9.0, True), (-30.0, False), (60.0, False)]
)
def test_clocks_that_differ_too_much(skew: float, well: bool) -> None:
    assert examined(FakeApi(skew=skew))["clock"].ok is well


def test_a_cluster_that_is_not_reached_ends_it_with_what_to_type() -> None:
    def nobody() -> Any:
        raise UnreachableError("the API server at x does not answer")

    found = list(place.examine(SITE, Path(), nobody, lambda: NOW))
    assert [each.name for each in found] == ["API server"]
    assert not found[0].ok
    assert "kubectl --context site" in found[0].remedy


def test_files_and_names_that_are_not_there(tmp_path: Path) -> None:
    images = Images(registry="no-such-host.invalid/sightline", public_key="images.pub")
    found = examined(FakeApi(), msgspec.structs.replace(SITE, images=images), tmp_path)
    assert not found["images.public_key"].ok
    assert "sightline images keys" in found["images.public_key"].remedy
    assert not found["images.registry"].ok
    assert not found["registry"].ok
    (tmp_path / "images.pub").write_text("x")
    found = examined(FakeApi(), msgspec.structs.replace(SITE, images=images), tmp_path)
    assert found["images.public_key"].ok


class Silent(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(401 if self.path == "/v2/" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    with served(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)) as server:
        yield server


def test_a_registry_that_wants_to_know_who_asks_is_there(
    server: http.server.ThreadingHTTPServer,
) -> None:
    images = Images(registry=f"127.0.0.1:{server.server_port}/x", insecure=True)
    found = examined(FakeApi(), msgspec.structs.replace(SITE, images=images))
    assert found["registry"].ok
    assert "401" in found["registry"].detail


def test_certificates_that_end_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30, hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = tmp_path / "server.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ) + made.public_bytes(serialization.Encoding.PEM)
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    url = f"https://localhost:{server.server_port}"
    with served(server):
        well = place.certificate(url, now)
        soon = place.certificate(url, now + timedelta(days=10))
    assert well.ok
    assert "30 days more" in well.detail
    assert not soon.ok
    assert not place.certificate(url, now).ok
    assert place.certificate("http://localhost", now).ok


def program(folder: Path, said: str, code: int = 0) -> programs.Program:
    file = folder / "toolbox"
    file.write_text(f"#!/bin/sh\necho '{said}'\nexit {code}\n")
    file.chmod(0o755)
    return programs.Program(
        name="toolbox", purpose="tests", asked=("version",), oldest=(3, 14), remedy="get 3.14"
    )


@pytest.mark.parametrize(
    ("said", "well"),
    [("v3.14.0+g1", True), ("toolbox 4.2.3 of today", True), ("v3.9.1", False), ("unknown", False)],
)
def test_programs_must_be_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, well: bool
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = programs.look(program(tmp_path, said))
    assert found.ok is well
    assert found.remedy == ("" if well else "get 3.14")


def test_a_program_that_fails_or_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    broken = program(tmp_path, "no luck", code=3)
    assert "ended with 3: no luck" in programs.look(broken).detail
    (tmp_path / "toolbox").unlink()
    assert "needed for tests only" in programs.look(broken).detail
