"""CoT over TLS: every refusal, theirs or ours, in a sentence."""

from __future__ import annotations

import asyncio
import socket
import ssl

import pytest
import uvloop

from cop_gateway.delivery.errors import SinkLostError
from fakes.authority import DAY, Authority
from fakes.tls_server import CA, TlsServer, events, refused
from running import free_port

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.mark.parametrize(
    ("issued", "sentence"),
    [
        (Authority("Other CA").issue(hosts=("127.0.0.1",)), "not signed by the configured CA"),
        (Authority("TAK CA").issue(hosts=("127.0.0.1",)), "not signed by the configured CA"),
        (
            CA.issue(hosts=("127.0.0.1",), begins=-2 * DAY, ends=-DAY),
            "server's certificate, or its CA's, has expired",
        ),
        (
            CA.issue(hosts=("127.0.0.1",), begins=DAY, ends=2 * DAY),
            "server's certificate, or its CA's, is not valid yet",
        ),
        (CA.issue(hosts=("tak.example",)), "certificate does not name 127.0.0.1"),
        (CA.issue(), "certificate does not name 127.0.0.1"),
    ],
)
async def test_servers_that_we_do_not_believe(folder, context, issued, sentence):
    with TlsServer(context(issued)) as server:
        assert sentence in await refused(folder.transport(server.port))
        assert server.received == b""


async def test_a_certificate_that_does_not_name_the_host_is_allowed_when_told(folder, context):
    with TlsServer(context(CA.issue("takserver", hosts=("tak.example",)))) as server:
        for options in ({"verify_hostname": False}, {"server_name": "tak.example"}):
            connection = await folder.transport(server.port, **options).open()
            await connection.close()
        message = await refused(folder.transport(server.port, server_name="other.example"))
        assert "does not name other.example" in message
        message = await refused(folder.transport(server.port, server_name=".x"))
        assert message == "'127.0.0.1' or '.x' cannot be the name of a server"
        message = await refused(folder.transport(server.port, host="a" * 64))
        assert message.endswith("aaa' cannot be the name of a server")
    # The CA is checked all the same.
    other = Authority("Other CA").issue(hosts=("tak.example",))
    with TlsServer(context(other)) as server:
        message = await refused(folder.transport(server.port, verify_hostname=False))
        assert "not signed by the configured CA" in message


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("loop_factory", LOOPS)
def test_servers_that_do_not_take_our_certificate(folder, context, version, loop_factory):
    """In TLS 1.3 the refusal comes after our handshake: `open` waits for it, on either loop."""
    expired = CA.issue("late", begins=-2 * DAY, ends=-DAY)

    async def run() -> list[str]:
        sentences = []
        with TlsServer(context(maximum_version=version)) as server:
            sentences.append(await refused(folder.transport(server.port, anonymous=True)))
            folder.put(Authority("Other CA").issue("stranger"))
            sentences.append(await refused(folder.transport(server.port)))
            folder.put(expired)
            sentences.append(await refused(folder.transport(server.port)))
            folder.put(CA.issue("drone"))
            connection = await folder.transport(server.port).open()
            await connection.close()
            server.has_seen("drone")
        return sentences

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        none, unknown, late = runner.run(run())
    if version is ssl.TLSVersion.TLSv1_3:
        assert none == "the server refused our client certificate: it asks for one, and none is" \
            " configured"  # fmt: skip
    else:
        assert "or it asks for a client certificate" in none
    assert "the server refused our client certificate" in unknown
    assert "does not know the CA" in unknown
    assert "it has expired" in late
    assert f"CN=late expired on {expired.certificate.not_valid_after_utc:%Y-%m-%d %H:%M}" in late


async def test_a_server_that_hangs_up_without_a_word_may_not_like_our_certificate(folder, context):

    async def hang_up(reader, writer):
        writer.close()

    options = context(clients=None, num_tickets=0)
    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=options)
    transport = folder.transport(server.sockets[0].getsockname()[1])
    assert (await refused(transport)).endswith("it may not accept our client certificate")
    folder.put(CA.issue("late", begins=-2 * DAY, ends=-DAY))
    assert "our client certificate CN=late expired on" in await refused(transport)
    server.close()


async def test_a_connection_that_breaks_says_why(folder, context):
    with TlsServer(context()) as server:
        connection = await folder.transport(server.port).open()
        server.has_seen("drone")
        # Bytes that are no TLS, from below the server's TLS.
        with socket.socket(fileno=socket.dup(server.connections[0].fileno())) as below:
            below.send(b"<event>not TLS</event>" * 10)
        with pytest.raises(SinkLostError, match=r"^the server does not speak TLS on this port$"):
            await events(connection, 1)
        await connection.close()


async def test_ports_where_nobody_speaks_tls(folder, monkeypatch):
    async def plain(reader, writer):
        writer.write(b"<event/>" * 10)
        await reader.read(65_536)
        writer.close()

    async def silent(reader, writer):
        while await reader.read(65_536):
            pass
        writer.close()

    async def rude(reader, writer):
        writer.transport.abort()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    message = await refused(folder.transport(server.sockets[0].getsockname()[1]))
    assert message == "the server does not speak TLS on this port"
    server.close()
    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    message = await refused(folder.transport(server.sockets[0].getsockname()[1]))
    assert "broke off" in message
    server.close()
    monkeypatch.setattr("cop_gateway.delivery.tls.CONNECT_SECONDS", 0.2)
    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    message = await refused(folder.transport(server.sockets[0].getsockname()[1]))
    assert message == "no TLS connection within 0.2 s"
    server.close()
    with pytest.raises(ConnectionRefusedError):
        await folder.transport(free_port()).open()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_a_server_with_old_tls_only_is_refused(folder, context):
    old = context()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with TlsServer(old) as server:
        assert "TLS 1.2" in await refused(folder.transport(server.port))
