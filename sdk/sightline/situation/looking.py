"""Learn how an environment is: what cannot be learnt is told, and the rest is shown."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from sightline.colours.colour import COLOURS, Colour
from sightline.colours.errors import ColoursError
from sightline.messages.sink import SinkList, SinkState
from sightline.releases.errors import ReleasesError
from sightline.releases.metrics import Calls
from sightline.releases.world import World
from sightline.situation.situation import Backup, Situation

T = TypeVar("T")
_BACKUP = re.compile(
    r"^sightline_backup_last_(?P<what>success_timestamp_seconds|verified_timestamp_seconds|size_bytes)"
    r"(?:{[^}]*})? (?P<value>\S+)",
    re.MULTILINE,
)
_SINKS = msgspec.json.Decoder(SinkList)


def look(world: World, pods: Calls) -> Situation:
    """All of it. Raises UnreachableError where the API server itself does not answer."""
    unknown: dict[str, str] = {}

    def part(name: str, learn: Callable[[], T]) -> T | None:
        try:
            return learn()
        except (ColoursError, ReleasesError, msgspec.DecodeError) as error:
            unknown[name] = str(error)
            return None

    environment = world.environment
    record, lease = world.store.record(), world.store.lease()
    standing = part("colours", world.namespace.status)
    serving = _one(standing.active.values()) if standing is not None else None
    gateway = None if serving is None else part("gateway", lambda: _gateway(world, serving))
    return Situation(
        environment=environment.name,
        namespace=environment.cluster.namespace,
        at=world.clock.now(),
        standing=standing,
        served=None if serving is None else part("errors", lambda: world.budget.count(serving)),
        objective=environment.watch.objective,
        sinks=(part("sinks", lambda: _sinks(pods, gateway)) or ()) if gateway else (),
        backup=part("backup", lambda: _backup(pods, gateway)) if gateway else None,
        record=record,
        lease=lease,
        git_active=_found(part("Git", lambda: _git(world))),
        unknown=unknown,
    )


def _one(colours: Any) -> Colour | None:
    found = set(colours)
    return found.pop() if len(found) == 1 else None


def _gateway(world: World, colour: Colour) -> str:
    ready = world.namespace.seen().ready("cop-gateway", colour)
    if not ready:
        raise ReleasesError(f"no pod of cop-gateway-{colour} is ready")
    return ready[0]


def _sinks(pods: Calls, gateway: str) -> tuple[SinkState, ...]:
    status, body = pods.call("cop-gateway", gateway, "GET", "/v1/sinks")
    if status != 200:
        raise ReleasesError(f"pod {gateway} answers {status} to GET /v1/sinks")
    return _SINKS.decode(body).sinks


def _backup(pods: Calls, gateway: str) -> Backup:
    status, body = pods.call("cop-gateway", gateway, "GET", "/metrics")
    if status != 200:
        raise ReleasesError(f"pod {gateway} answers {status} to GET /metrics")
    return backup(body.decode(errors="replace"))


def backup(page: str) -> Backup:
    """From a page of metrics, where NaN is none."""
    found = {each["what"]: float(each["value"]) for each in _BACKUP.finditer(page)}

    def moment(name: str) -> datetime | None:
        value = found.get(name, math.nan)
        return None if math.isnan(value) else datetime.fromtimestamp(value, UTC)

    size = found.get("size_bytes", math.nan)
    return Backup(
        finished=moment("success_timestamp_seconds"),
        verified=moment("verified_timestamp_seconds"),
        size_bytes=None if math.isnan(size) else round(size),
    )


def _git(world: World) -> str:
    if world.repository is None or world.environment.git is None:
        return ""
    return str((world.repository.read() or {}).get("activeColour", ""))


def _found(said: str | None) -> Colour | None:
    return next((each for each in COLOURS if each == said), None)
