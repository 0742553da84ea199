"""CoT over TLS: real handshakes on the loopback that lead to a connection."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime

import pytest
import uvloop

from cop_gateway.cot import ping
from cop_gateway.delivery.credential_files import CredentialFiles
from cop_gateway.delivery.credentials import CredentialsError
from cop_gateway.delivery.enrolment import Enrolment
from cop_gateway.delivery.stream import StreamConnection
from cop_gateway.delivery.tls import TlsTransport
from fakes.authority import DAY, Authority
from fakes.enrolment import EnrolmentServer
from fakes.tls_server import CA, PONG, SERVER, TlsServer, events

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_with_a_certificate_talks_to_a_server_of_the_ca(folder, context, version):
    with TlsServer(context(maximum_version=version, minimum_version=version)) as server:
        transport = folder.transport(server.port)
        assert transport.target == f"tls://127.0.0.1:{server.port}"
        assert transport.expires_at is None
        reader, writer = await transport.streams()
        connection = StreamConnection(reader, writer)
        writer.write(b"<event/>" + ping("drone", datetime.now(UTC)))
        assert await events(connection, 1) == [PONG]
        server.has_seen("drone")
        assert server.received.startswith(b"<event/>")
        assert transport.subject == "CN=drone"
        assert 364 * DAY < transport.expires_at - datetime.now(UTC) < 366 * DAY
        await connection.close()


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_a_servers_ticket_says_that_it_has_taken_us(folder, context, loop_factory, monkeypatch):
    """Nobody waits for the limit, which is beyond that for connecting here."""
    monkeypatch.setattr("cop_gateway.delivery.tls._VERDICT_SECONDS", 60.0)

    async def run() -> None:
        with TlsServer(context()) as server:
            connection = await folder.transport(server.port).open()
            server.has_seen("drone")
            await connection.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(run())


async def test_so_does_its_first_event(folder, context, monkeypatch):
    monkeypatch.setattr("cop_gateway.delivery.tls._VERDICT_SECONDS", 60.0)
    with TlsServer(context(num_tickets=0), greeting=PONG) as server:
        connection = await folder.transport(server.port).open()
        assert await events(connection, 1) == [PONG]
        await connection.close()


async def test_a_server_that_says_nothing_is_connected_to_as_well(folder, context):
    with TlsServer(context(num_tickets=0)) as server:
        connection = await folder.transport(server.port).open()
        server.has_seen("drone")
        await connection.close()


async def test_an_intermediate_ca_is_enough_to_trust_and_our_own_chain_is_sent(folder, context):
    """As truststore-intermediate.p12 of TAK Server: without the root."""
    middle = Authority("Middle", parent=CA)
    issued = middle.issue("takserver", hosts=("127.0.0.1",))
    folder.put(middle.issue("drone"), ca=middle)
    with TlsServer(context(issued)) as server:
        connection = await folder.transport(server.port).open()
        server.has_seen("drone")
        await connection.close()


async def test_replaced_files_are_used_at_the_next_open_and_broken_ones_are_not(folder, context):
    with TlsServer(context()) as server:
        transport = folder.transport(server.port)

        async def once() -> None:
            connection = await transport.open()
            await connection.close()

        await once()
        server.has_seen("drone")
        first = transport.expires_at
        folder.put(CA.issue("replaced", ends=30 * DAY))
        await once()
        server.has_seen("drone", "replaced")
        assert transport.expires_at < first
        (folder.path / "client.pem").write_bytes(b"half of a certifi")
        await once()
        server.has_seen("drone", "replaced", "replaced")
        folder.put(CA.issue("mended"))
        await once()
        server.has_seen("drone", "replaced", "replaced", "mended")


async def test_files_that_were_never_good_are_named(folder, context):
    (folder.path / "client.pem").write_bytes(SERVER.pem + CA.issue("other").key_pem())
    with (
        TlsServer(context()) as server,
        pytest.raises(CredentialsError, match=r"client\.pem does not belong to"),
    ):
        await folder.transport(server.port).open()


async def test_an_enrolled_certificate_opens_the_stream(tmp_path, folder, context):
    """8446 and then 8089, as a client of TAK Server does."""
    enroller = EnrolmentServer(tmp_path, CA)
    source = Enrolment(
        host="127.0.0.1",
        port=enroller.port,
        user="drone",
        password="swordfish",
        client_uid="SIGHTLINE-1",
        folder=tmp_path / "state",
        ca=CredentialFiles(ca=folder.path / "ca.pem"),
    )
    with TlsServer(context()) as server:
        transport = TlsTransport(host="127.0.0.1", port=server.port, source=source)
        for _ in range(2):
            connection = await transport.open()
            await connection.close()
        server.has_seen(*["drone", "TAK", "Übung"] * 2)
        assert transport.subject == "OU=Übung,O=TAK,CN=drone"
    assert enroller.signings == 1
    enroller.close()
