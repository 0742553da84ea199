"""From what an operator wrote about a sink to the way to it and the policy for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import SplitResult, urlsplit

from cop_gateway.certificates import package_address, source_of
from cop_gateway.delivery import Backoff, SinkAddressError
from cop_gateway.delivery.mesh import MeshTransport
from cop_gateway.delivery.policy import Breaker, Pace, Policy
from cop_gateway.delivery.ports import Transport
from cop_gateway.delivery.presence import presence
from cop_gateway.delivery.selection import Area, Filter
from cop_gateway.delivery.tcp import TcpTransport
from cop_gateway.delivery.tls import TlsTransport
from cop_gateway.delivery.transform import Transform
from cop_gateway.settings import Settings, SinkSettings

_NEVER_SECONDS = float("inf")


def transport_of(sink: SinkSettings, settings: Settings) -> Transport:
    """The way to a sink. Raises SinkAddressError saying what is wrong with its address."""
    parts = _parts(sink)
    way = WAYS.get(parts.scheme)
    if way is None:
        known = ", ".join(f"{scheme}://" for scheme in WAYS)
        raise SinkAddressError(f"sink {sink.name}: {sink.url!r} must begin with one of {known}")
    return way(sink, parts, settings)


def policy_of(sink: SinkSettings, transport: Transport, settings: Settings) -> Policy:
    """What the operator decided about a sink that is reached in that way."""
    identity = settings.identity
    wanted, changed = sink.filter, sink.transform
    return Policy(
        name=sink.name,
        identity=identity,
        # Nobody answers a datagram.
        acknowledge="send" if isinstance(transport, MeshTransport) else sink.acknowledge,
        wanted=Filter(
            classes=_lowered(wanted.classes),
            affiliations=frozenset(wanted.affiliations) if wanted.affiliations else None,
            min_confidence=wanted.min_confidence,
            max_ce90_m=wanted.max_ce90_m,
            area=Area(**dict(zip(("south", "west", "north", "east"), wanted.area, strict=True)))
            if wanted.area
            else None,
            cameras=wanted.cameras,
        ),
        transform=Transform(
            access=changed.access,
            caveat=changed.caveat,
            releasable_to=changed.releasable_to,
            groups=changed.groups,
            callsign_prefix=changed.callsign_prefix,
        ),
        stale_rule=sink.stale,
        backoff=Backoff(most=sink.backoff_max_seconds),
        breaker=Breaker(failures=sink.breaker_failures, seconds=sink.breaker_seconds),
        pace=Pace(
            pong_seconds=sink.pong_seconds,
            presence_seconds=sink.presence_seconds or _NEVER_SECONDS,
            events_per_second=sink.events_per_second,
        ),
        presence=presence(
            uid=identity,
            callsign=settings.callsign,
            cot_type=settings.presence_type,
            version=settings.version,
            seconds=sink.presence_seconds,
            where=settings.presence_position,
        )
        if sink.presence_seconds
        else None,
    )


def _tcp(sink: SinkSettings, parts: SplitResult, settings: Settings) -> Transport:
    host, port = _host_and_port(sink, parts)
    return TcpTransport(
        host, port, upgrade=sink.protocol in ("auto", "protobuf"), identity=settings.identity
    )


def _udp(sink: SinkSettings, parts: SplitResult, settings: Settings) -> Transport:
    host, port = _host_and_port(sink, parts)
    return MeshTransport(
        host,
        port,
        encoding="xml" if sink.protocol == "xml" else "protobuf",
        ttl=sink.ttl,
        interface=sink.interface,
        identity=settings.identity,
    )


def _tls(sink: SinkSettings, parts: SplitResult, settings: Settings) -> Transport:
    host, port = _host_and_port(sink, parts)
    return TlsTransport(
        host=host,
        port=port,
        source=source_of(sink, host, settings.identity),
        verify_hostname=sink.tls.verify_hostname,
        server_name=sink.tls.server_name,
        upgrade=sink.protocol in ("auto", "protobuf"),
        identity=settings.identity,
    )


WAYS: Mapping[str, Callable[[SinkSettings, SplitResult, Settings], Transport]] = {
    "tcp": _tcp,
    "tls": _tls,
    "ssl": _tls,
    "udp": _udp,
}
"""Every kind of sink: the scheme of its address, and what makes the way to it."""


def _parts(sink: SinkSettings) -> SplitResult:
    if not sink.url and sink.tls.package is not None:
        return package_address(sink)
    try:
        parts = urlsplit(sink.url)
        _ = parts.port
    except ValueError as error:
        raise SinkAddressError(f"sink {sink.name}: {sink.url!r}: {error}") from error
    return parts


def _host_and_port(sink: SinkSettings, parts: SplitResult) -> tuple[str, int]:
    if not parts.hostname or not parts.port or parts.path not in ("", "/"):
        raise SinkAddressError(f"sink {sink.name}: {sink.url!r} must be {parts.scheme}://host:port")
    try:
        parts.hostname.encode("idna")
    except UnicodeError as error:
        raise SinkAddressError(f"sink {sink.name}: {sink.url!r}: not a host name") from error
    return parts.hostname, parts.port


def _lowered(names: tuple[str, ...]) -> frozenset[str] | None:
    return frozenset(name.lower() for name in names) if names else None
