"""What goes on beside intake and delivery for as long as the gateway runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from cop_gateway.delivery import Bulletin, Courier, DeliveryError
from cop_gateway.delivery.tls import TlsTransport
from cop_gateway.outbox.errors import StoreFailedError
from cop_gateway.outbox.store import Outbox
from telemetry import logs

_FOLLOW_SECONDS = 0.1
_RENEW_SECONDS = 3_600.0
_LOOK_BEHIND_SECONDS = 5.0

_log = logs.get("cop_gateway.chores")


async def renew(transport: TlsTransport) -> None:
    """A connection may stand for months; its certificate must be renewed before it ends."""
    while True:
        try:
            await transport.refresh()
        except (DeliveryError, OSError) as error:
            _log.warning("certificate_not_read", target=transport.target, error=str(error))
        await asyncio.sleep(_RENEW_SECONDS)


async def follow(store: Outbox, bulletin: Bulletin) -> None:
    """Announce what other gateways commit."""
    while True:
        with contextlib.suppress(StoreFailedError):
            bulletin.announce(await asyncio.to_thread(store.head))
        await asyncio.sleep(_FOLLOW_SECONDS)


async def look_behind(couriers: Sequence[Courier]) -> None:
    """How old is what waits: for the metrics, which must not ask storage themselves."""
    while True:
        for courier in couriers:
            with contextlib.suppress(StoreFailedError):
                await courier.look()
        await asyncio.sleep(_LOOK_BEHIND_SECONDS)


def told(task: asyncio.Task[None]) -> None:
    """A task that should run for ever has ended: say why."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("task_ended", task=task.get_name(), exc_info=error)


def alive(task: asyncio.Task[None]) -> Callable[[], str | None]:
    """A courier runs for ever: one that ended has met a defect."""

    def check() -> str | None:
        return "its courier has ended" if task.done() else None

    return check
