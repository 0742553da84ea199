"""One simulated frame through the colour that is to serve: seen, committed, delivered, taken back.

It goes to a pod of the colour, not through a Service, so that no user's request is in its way. Its
tracks are taken back at the end, so that no operator keeps them on the map.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import quote, urlencode

import msgspec

from sightline.colours.colour import Colour, Component
from sightline.colours.errors import ColoursError
from sightline.colours.finding import Finding, failed, ok, warning
from sightline.colours.observation import Observation
from sightline.colours.ports import Clock
from sightline.messages import AuditTrail, DetectResult
from sightline.messages.receipt import Placement

CHECK = "smoke"
DELIVERY_SECONDS = 15.0
DETECT_SECONDS = 30.0
LOOK_SECONDS = 0.3
_SETTLED = ("acknowledged", "skipped", "dead")


class Calls(Protocol):
    """Requests to a pod."""

    def call(
        self,
        component: Component,
        name: str,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        seconds: float = ...,
    ) -> tuple[int, bytes]:
        """Status and body."""


def smoke(calls: Calls, seen: Observation, to: Colour, clock: Clock) -> tuple[Finding, ...]:
    """Make it. Raises ImportError without the simulator."""
    detection, gateway = seen.ready("detection", to), seen.ready("cop-gateway", to)
    if not detection or not gateway:
        return (failed(CHECK, f"{to} has no ready pod to send a frame to"),)
    try:
        return tuple(_smoke(calls, detection[0], gateway[0], clock))
    except ColoursError as error:
        return (failed(CHECK, f"a simulated frame did not get through {to}: {error}"),)


def _smoke(calls: Calls, detection: str, gateway: str, clock: Clock) -> Iterator[Finding]:
    camera, frame, kind, form = _frame()
    status, body = calls.call(
        "detection", detection, "POST", "/v1/detect", body=form,
        headers={"Content-Type": kind}, seconds=DETECT_SECONDS,
    )  # fmt: skip
    if status != 200:
        yield failed(CHECK, f"pod {detection} answers {status} to a simulated frame: {_told(body)}")
        return
    result = msgspec.json.decode(body, type=DetectResult)
    if not result.committed:
        yield failed(CHECK, f"pod {detection} did not commit the frame: has it no gateway?")
        return
    yield ok(CHECK, f"pod {detection} saw {len(result.detections)} objects, and they are committed")
    trail = _delivered(calls, gateway, camera, frame, clock)
    yield _judged(gateway, trail)
    uids = {each.result.uid for each in trail.entries if isinstance(each.result, Placement)}
    for uid in sorted(uids):
        query = urlencode({"reason": "smoke test of a colour"})
        status, body = calls.call(
            "cop-gateway", gateway, "DELETE", f"/v1/events/{quote(uid, safe='')}?{query}"
        )
        if status != 200:
            yield warning(CHECK, f"track {uid} is on the map still: {status} {_told(body)}")


def _judged(gateway: str, trail: AuditTrail) -> Finding:
    placed = [each for each in trail.entries if isinstance(each.result, Placement)]
    if not placed:
        return warning(CHECK, "nothing of the frame was placed: that delivery works is not proven")
    sinks = [sink for each in placed for sink in each.sinks]
    bad = [each for each in sinks if each.outcome not in ("acknowledged", "skipped")]
    if bad:
        told = ", ".join(sorted({f"{each.sink}: {each.outcome}" for each in bad}))
        return failed(CHECK, f"not delivered after {DELIVERY_SECONDS:g} s, says {gateway}: {told}")
    names = ", ".join(sorted({each.sink for each in sinks})) or "no sink is configured"
    return ok(CHECK, f"{len(placed)} events are delivered: {names}")


def _delivered(calls: Calls, gateway: str, camera: str, frame: str, clock: Clock) -> AuditTrail:
    query = urlencode({"camera_id": camera, "frame_id": frame})
    until = clock.seconds() + DELIVERY_SECONDS
    while True:
        status, body = calls.call("cop-gateway", gateway, "GET", f"/v1/audit?{query}")
        if status != 200:
            raise ColoursError(f"pod {gateway} answers {status} about it: {_told(body)}")
        trail = msgspec.json.decode(body, type=AuditTrail)
        sinks = [sink for each in trail.entries for sink in each.sinks]
        if all(each.outcome in _SETTLED for each in sinks) or clock.seconds() >= until:
            return trail
        clock.sleep(LOOK_SECONDS)


def _frame() -> tuple[str, str, str, bytes]:
    """A frame's camera and id, and its request's media type and body."""
    import httpx  # noqa: PLC0415 - only for this

    from sightline.client import call  # noqa: PLC0415
    from sightline.simulator import Scenario, Simulator  # noqa: PLC0415 - an extra

    scenario = Scenario.default(cameras=1)
    shot = Simulator(scenario).frame(scenario.cameras[0].camera_id, 0.0, start=datetime.now(UTC))
    frame = msgspec.structs.replace(
        shot.frame, camera_id="smoke", frame_id=f"smoke-{uuid.uuid4().hex[:12]}"
    )
    with httpx.Client(base_url="http://pod") as http:
        made = call.detect(shot.jpeg, frame=frame).request(http, seconds=DETECT_SECONDS)
        return frame.camera_id, frame.frame_id, made.headers["content-type"], made.read()


def _told(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body)["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return body[:200].decode(errors="replace")
