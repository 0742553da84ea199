"""CoT over TLS: a TCP stream with the server's certificate checked and ours presented."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import SupportsIndex

from cop_gateway.delivery.credentials import Credentials, CredentialSource
from cop_gateway.delivery.errors import SinkLostError
from cop_gateway.delivery.handshake import failure
from cop_gateway.delivery.stream import StreamConnection, Upgrade
from cop_gateway.delivery.tcp import CONNECT_SECONDS, authority

# In TLS 1.3 our handshake is over before the server has looked at our certificate (RFC 8446,
# section 2). A session ticket or data says that it took it; some servers send neither.
_VERDICT_SECONDS = 0.5
_POLL_SECONDS = 0.005
# Some servers never answer our end of TLS; nothing of ours depends on it.
_GOODBYE_SECONDS = 0.5


class TlsError(SinkLostError):
    """TLS with this server does not work; the message says why in a sentence."""


class TlsTransport:
    """Opens TLS connections to one server, each time with the credentials that are valid then."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        source: CredentialSource,
        verify_hostname: bool = True,
        server_name: str | None = None,
        upgrade: bool = False,
        identity: str = "sightline",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`server_name` is what the server's certificate must name, where that is not `host`.

        `verify_hostname` off takes any certificate from the CA, whatever it names. With `upgrade`,
        protocol buffers are spoken where they are offered, to one who is called `identity`.
        """
        self._host, self._port, self._source = host, port, source
        self._verify_hostname = verify_hostname
        self._server_name = server_name or host
        self._upgrade = Upgrade(wanted=upgrade, identity=identity)
        self._clock = clock
        self._credentials: Credentials | None = None

    @property
    def target(self) -> str:
        """The address, for people."""
        return f"tls://{authority(self._host, self._port)}"

    @property
    def expires_at(self) -> datetime | None:
        """When the client certificate of the newest connection ends; None before the first."""
        return self._credentials.expires_at if self._credentials else None

    @property
    def subject(self) -> str | None:
        """Whom the client certificate of the newest connection names."""
        return self._credentials.subject if self._credentials else None

    async def open(self) -> StreamConnection:
        """Connect within ten seconds; raises OSError, TlsError or CredentialsError."""
        reader, writer = await self.streams()
        return StreamConnection(reader, writer, upgrade=self._upgrade)

    async def refresh(self) -> None:
        """Look at the credentials between connections: those that run out are renewed in time."""
        self._credentials = await asyncio.to_thread(self._source.current)

    async def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The two ends of a new connection, for whoever speaks something else than CoT XML."""
        credentials, context = await asyncio.to_thread(self._prepare)
        self._credentials = credentials

        def explained(error: BaseException) -> Exception | None:
            why = failure(error, server_name=self._server_name, ours=credentials, now=self._clock())
            return TlsError(why) if why else None

        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await self._connect(context, explained)
        except TimeoutError as error:
            raise TlsError(f"no TLS connection within {CONNECT_SECONDS:g} s") from error
        except (OSError, EOFError) as error:
            if (clear := explained(error)) is not None:
                raise clear from error
            raise

    def _prepare(self) -> tuple[Credentials, ssl.SSLContext]:
        credentials = self._source.current()
        context = credentials.context(verify_hostname=self._verify_hostname)
        try:
            # asyncio would find out only after connecting, and then leave the socket open.
            self._host.encode("idna")
            context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=self._server_name)
        except ValueError as error:
            names = " or ".join(
                repr(each) for each in dict.fromkeys((self._host, self._server_name))
            )
            raise TlsError(f"{names} cannot be the name of a server") from error
        return credentials, context

    async def _connect(
        self, context: ssl.SSLContext, explained: Callable[[BaseException], Exception | None]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        reader = _Reader(explained)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.create_connection(
            lambda: protocol,
            self._host,
            self._port,
            ssl=context,
            server_hostname=self._server_name,
            ssl_handshake_timeout=CONNECT_SECONDS,
            ssl_shutdown_timeout=_GOODBYE_SECONDS,
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await _verdict(reader, writer)
        except BaseException:
            writer.transport.abort()
            raise
        return reader, writer


class _Reader(asyncio.StreamReader):
    """Knows whether anything has come yet, and tells why the stream broke in a clear sentence."""

    def __init__(self, explained: Callable[[BaseException], Exception | None]) -> None:
        super().__init__(limit=1 << 16)
        self._explained = explained
        self.heard = asyncio.Event()

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        self.heard.set()
        super().feed_data(data)

    def feed_eof(self) -> None:
        self.heard.set()
        super().feed_eof()

    def set_exception(self, exc: Exception) -> None:
        self.heard.set()
        super().set_exception(self._explained(exc) or exc)


def _has_ticket(tls: ssl.SSLObject) -> bool:
    return tls.session is not None and tls.session.has_ticket


async def _verdict(reader: _Reader, writer: asyncio.StreamWriter) -> None:
    """Wait until the server has taken our certificate, as far as that can be seen.

    Else it would look as if we were connected, and what we send would be lost with the reason.
    """
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    if tls.version() != "TLSv1.3":
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_VERDICT_SECONDS):
            # A ticket makes no sound: OpenSSL keeps it to itself.
            while not (reader.heard.is_set() or _has_ticket(tls)):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)
    if (error := reader.exception()) is not None:
        raise error
    if reader.at_eof():
        raise EOFError
