"""CoT over TLS: real handshakes on the loopback, every refusal in a sentence, and a real taky."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvloop

from cop_gateway.cot import ping
from cop_gateway.delivery.credential_files import CredentialFiles
from cop_gateway.delivery.credentials import CredentialsError
from cop_gateway.delivery.data_package import PackageFile
from cop_gateway.delivery.enrolment import Enrolment
from cop_gateway.delivery.errors import DeliveryError, SinkLostError
from cop_gateway.delivery.stream import StreamConnection
from cop_gateway.delivery.tls import TlsError, TlsTransport
from fakes.authority import DAY, Authority, Issued, server_context
from fakes.enrolment import EnrolmentServer
from running import Gateway, Process, free_port, http, report, started, wait_for

CA = Authority("TAK CA")
SERVER = CA.issue("takserver", hosts=("127.0.0.1",))
LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]
PONG = b'<event version="2.0" uid="takPong" type="t-x-c-t-r"></event>'


class TakServer:
    """Takes TLS connections, remembers what it reads and whom it saw; pongs each ping.

    With plain sockets: asyncio's own servers drop the alert that says why they refuse.
    """

    def __init__(self, context: ssl.SSLContext, *, greeting: bytes = b"") -> None:
        self.context = context
        self.greeting = greeting
        self.received = b""
        self.clients: list[str] = []
        self.connections: list[ssl.SSLSocket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> TakServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self.connections:
            connection.close()

    def has_seen(self, *names: str) -> None:
        """These and no others have come; the server may be a moment later than the client."""
        wait_for(lambda: len(self.clients) >= len(names), seconds=5, what=f"{names} at the server")
        assert self.clients == list(names)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(10)
        with (
            contextlib.suppress(OSError),
            plain,
            self.context.wrap_socket(plain, server_side=True) as tls,
        ):
            shown = tls.getpeercert() or {}
            self.connections.append(tls)
            self.clients.extend(value for ((_, value),) in shown.get("subject", ()))
            tls.sendall(self.greeting)
            while data := tls.recv(65_536):
                self.received += data
                if b"t-x-c-t" in data:
                    tls.sendall(PONG)


class Folder:
    """Credentials as an operator lays them down."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put(self, client: Issued | None, *, ca: Authority = CA) -> None:
        (self.path / "ca.pem").write_bytes(ca.pem)
        if client:
            (self.path / "client.pem").write_bytes(client.pem + client.key_pem())

    def transport(self, port: int, *, anonymous: bool = False, **options) -> TlsTransport:
        source = CredentialFiles(
            certificate=None if anonymous else self.path / "client.pem", ca=self.path / "ca.pem"
        )
        return TlsTransport(**{"host": "127.0.0.1", "port": port, "source": source, **options})


@pytest.fixture
def folder(tmp_path):
    folder = Folder(tmp_path)
    folder.put(CA.issue("drone"))
    return folder


@pytest.fixture
def context(tmp_path):
    """A server's, that requires client certificates of the CA."""

    def make(issued: Issued = SERVER, **options) -> ssl.SSLContext:
        return server_context(tmp_path, issued, **{"clients": CA, **options})

    return make


async def events(connection: StreamConnection, count: int) -> list[bytes]:
    found = []
    async with asyncio.timeout(10):
        async for event in connection.received():
            found.append(event)
            if len(found) == count:
                break
    return found


async def refused(transport: TlsTransport) -> str:
    """The sentence with which opening fails; it is what /v1/sinks shows."""
    with pytest.raises(DeliveryError) as caught:
        await transport.open()
    assert isinstance(caught.value, TlsError)
    return str(caught.value)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_with_a_certificate_talks_to_a_server_of_the_ca(folder, context, version):
    with TakServer(context(maximum_version=version, minimum_version=version)) as server:
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
        with TakServer(context()) as server:
            connection = await folder.transport(server.port).open()
            server.has_seen("drone")
            await connection.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(run())


async def test_so_does_its_first_event(folder, context, monkeypatch):
    monkeypatch.setattr("cop_gateway.delivery.tls._VERDICT_SECONDS", 60.0)
    with TakServer(context(num_tickets=0), greeting=PONG) as server:
        connection = await folder.transport(server.port).open()
        assert await events(connection, 1) == [PONG]
        await connection.close()


async def test_a_server_that_says_nothing_is_connected_to_as_well(folder, context):
    with TakServer(context(num_tickets=0)) as server:
        connection = await folder.transport(server.port).open()
        server.has_seen("drone")
        await connection.close()


async def test_an_intermediate_ca_is_enough_to_trust_and_our_own_chain_is_sent(folder, context):
    """As truststore-intermediate.p12 of TAK Server: without the root."""
    middle = Authority("Middle", parent=CA)
    issued = middle.issue("takserver", hosts=("127.0.0.1",))
    folder.put(middle.issue("drone"), ca=middle)
    with TakServer(context(issued)) as server:
        connection = await folder.transport(server.port).open()
        server.has_seen("drone")
        await connection.close()


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
    with TakServer(context(issued)) as server:
        assert sentence in await refused(folder.transport(server.port))
        assert server.received == b""


async def test_a_certificate_that_does_not_name_the_host_is_allowed_when_told(folder, context):
    with TakServer(context(CA.issue("takserver", hosts=("tak.example",)))) as server:
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
    with TakServer(context(other)) as server:
        message = await refused(folder.transport(server.port, verify_hostname=False))
        assert "not signed by the configured CA" in message


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("loop_factory", LOOPS)
def test_servers_that_do_not_take_our_certificate(folder, context, version, loop_factory):
    """In TLS 1.3 the refusal comes after our handshake: `open` waits for it, on either loop."""
    expired = CA.issue("late", begins=-2 * DAY, ends=-DAY)

    async def run() -> list[str]:
        sentences = []
        with TakServer(context(maximum_version=version)) as server:
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
    with TakServer(context()) as server:
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
    with TakServer(old) as server:
        assert "TLS 1.2" in await refused(folder.transport(server.port))


async def test_replaced_files_are_used_at_the_next_open_and_broken_ones_are_not(folder, context):
    with TakServer(context()) as server:
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
        TakServer(context()) as server,
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
    with TakServer(context()) as server:
        transport = TlsTransport(host="127.0.0.1", port=server.port, source=source)
        for _ in range(2):
            connection = await transport.open()
            await connection.close()
        server.has_seen(*["drone", "TAK", "Übung"] * 2)
        assert transport.subject == "OU=Übung,O=TAK,CN=drone"
    assert enroller.signings == 1
    enroller.close()


class TlsTaky(Process):
    """A real TAK server with TLS: its own CA, its own data packages, client certificates asked."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.site = folder / "taky"
        self._ctl("setup", "--host", "localhost", "--bind-ip", "127.0.0.1",
                  "--public-ip", "127.0.0.1", "--p12_pw", "server-secret", str(self.site),
                  cwd=folder)  # fmt: skip
        config = self.site / "taky.conf"
        config.write_text(config.read_text().replace("port = 8089", f"port = {self.port}"))
        super().__init__(
            command=[str(Path(sys.executable).with_name("taky")), "-c", str(config)],
            log=folder / "taky.log",
            cwd=self.site,
        )

    def package(self, name: str, *options: str) -> Path:
        """The .zip that its administrator hands to a user."""
        self._ctl(
            "-c", "taky.conf", "build_client", "--p12_pw", "client-secret", *options, name,
            cwd=self.site,
        )  # fmt: skip
        return self.site / f"{name}.zip"

    def start(self) -> None:
        super().start()
        wait_for(self._listens, what=f"taky listening; its log:\n{self.output}")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def _ctl(self, *arguments: str, cwd: Path) -> None:
        program = str(Path(sys.executable).with_name("takyctl"))
        subprocess.run([program, *arguments], cwd=cwd, check=True, capture_output=True)


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
    sink = {
        "name": "tak",
        "tls": {"package": str(taky.package("gateway")), "server_name": "localhost"},
    }
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
        assert ends == reader.package().credentials.expires_at.replace(
            **{name: getattr(ends, name) for name in ("minute", "second", "microsecond")}
        )
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
