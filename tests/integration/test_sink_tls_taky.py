"""CoT over TLS with a real taky and a real gateway."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime

import pytest

from cop_gateway.cot import ping
from cop_gateway.delivery.credential_files import CredentialFiles
from cop_gateway.delivery.data_package import PackageFile
from cop_gateway.delivery.stream import StreamConnection
from cop_gateway.delivery.tls import TlsTransport
from fakes.authority import DAY
from fakes.tls_server import events, refused
from running import Gateway, Process, http, report, started, wait_for
from taky_tls import TlsTaky


def event(uid: str) -> bytes:
    now = datetime.now(UTC)
    return (
        f'<event version="2.0" uid="{uid}" type="a-u-G" how="m-i" time="{now:%Y-%m-%dT%H:%M:%SZ}"'
        f' start="{now:%Y-%m-%dT%H:%M:%SZ}" stale="{now + DAY:%Y-%m-%dT%H:%M:%SZ}">'
        '<point lat="47.1" lon="8.5" hae="400.0" ce="5.0" le="5.0"/><detail/></event>'
    ).encode()


@pytest.fixture
def taky(tmp_path):
    with started(TlsTaky(tmp_path)) as server:
        yield server


async def test_packages_that_taky_builds_connect_to_it(taky):
    """Both layouts; the certificate names localhost, and the package the address."""
    sender, reader = (
        PackageFile(taky.package("drone")),
        PackageFile(taky.package("eye", "--is_itak")),
    )
    found = sender.package()
    assert (found.host, found.port, found.protocol) == ("127.0.0.1", taky.port, "ssl")
    assert found.description == "localhost"
    assert found.credentials.subject == "CN=drone"
    assert reader.package().credentials.subject == "CN=eye"

    def transport(file: PackageFile, **options) -> TlsTransport:
        told = file.package()
        return TlsTransport(host=told.host, port=told.port, source=file, **options)

    assert "does not name 127.0.0.1" in await refused(transport(sender))
    eye = await transport(reader, server_name="localhost").open()
    streams = await transport(sender, verify_hostname=False).streams()
    drone = StreamConnection(*streams)
    streams[1].write(event("track-1") + ping("drone", datetime.now(UTC)))
    (pong,) = await events(drone, 1)
    assert b"t-x-c-t-r" in pong
    (seen,) = await events(eye, 1)
    assert re.search(rb'uid="track-1"', seen)
    await drone.close()
    await eye.close()


async def test_taky_refuses_strangers_and_we_say_so(taky, folder):
    taky_ca = taky.site / "ssl/ca.crt"

    def transport(source: CredentialFiles) -> TlsTransport:
        return TlsTransport(host="localhost", port=taky.port, source=source)

    message = await refused(transport(CredentialFiles(ca=taky_ca)))
    assert "refused our client certificate: it asks for one" in message
    stranger = CredentialFiles(certificate=folder.path / "client.pem", ca=taky_ca)
    assert "does not know the CA that signed it" in await refused(transport(stranger))
    doubting = CredentialFiles(ca=folder.path / "ca.pem")
    assert "not signed by the configured CA" in await refused(transport(doubting))
    # What taky keeps for itself is PEM, and good for us as well.
    own = CredentialFiles(
        certificate=taky.site / "ssl/server.crt", key=taky.site / "ssl/server.key", ca=taky_ca
    )
    connection = await transport(own).open()
    await connection.close()


async def test_the_gateway_delivers_with_a_data_package_alone(taky, tmp_path):
    """What an operator does: one file from the TAK server's administrator, nothing else."""
    reader = PackageFile(taky.package("eye"))
    eye = await TlsTransport(
        host="localhost", port=taky.port, source=reader, server_name="localhost"
    ).open()
    package = taky.package("gateway")
    sink = {"name": "tak", "tls": {"package": str(package), "server_name": "localhost"}}
    gateway = Gateway(tmp_path / "gateway", sinks=json.dumps([sink]))
    with started(gateway):
        receipt = (await asyncio.to_thread(gateway.post, report("f-1", cars=1))).json
        uid = receipt["results"][0]["uid"].encode()
        async with asyncio.timeout(20):
            async for seen in eye.received():
                if b'uid="' + uid + b'"' in seen:
                    break
        state = await asyncio.to_thread(
            wait_for, lambda: (s := gateway.get("/v1/sinks/tak"))["lag_events"] == 0 and s
        )
        assert state["target"] == f"tls://127.0.0.1:{taky.port}"
        assert state["acknowledged"] == 3
        ends = datetime.fromisoformat(state["certificate_expires_at"])
        assert ends == PackageFile(package).package().credentials.expires_at
        metrics = http(f"{gateway.url}/metrics").body.decode()
        (line,) = [
            line for line in metrics.splitlines()
            if line.startswith("sightline_gateway_sink_certificate_expiry_timestamp_seconds{")
        ]  # fmt: skip
        assert float(line.rsplit(" ", 1)[1]) == pytest.approx(ends.timestamp())
    await eye.close()


@pytest.mark.parametrize(
    ("sink", "sentence"),
    [
        ({"url": "tls://tak.example:8089"}, "tls.ca is missing"),
        ({"url": "tls://tak.example:8089", "tls": {"ca": "/no/such/ca.pem"}}, None),
        ({"url": "", "tls": {"package": "/no/such.zip"}}, "/no/such.zip"),
        (
            {"url": "tls://tak.example:8089", "tls": {"ca": "x", "enrol_user": "me"}},
            "enrol_password_file is missing",
        ),
    ],
)
def test_certificates_that_cannot_be_used_are_told(tmp_path, sink, sentence):
    """At the start where it can be known then, else as the sink's last error."""
    gateway = Gateway(tmp_path, sinks=json.dumps([{"name": "tak", **sink}]))
    if sentence is None:
        with started(gateway):
            wait_for(lambda: gateway.get("/v1/sinks/tak")["last_error"], what="the complaint")
            assert "/no/such/ca.pem" in gateway.get("/v1/sinks/tak")["last_error"]
        return
    Process.start(gateway)
    assert gateway.popen.wait(30) == 2
    assert sentence in gateway.output
    assert "Traceback" not in gateway.output
