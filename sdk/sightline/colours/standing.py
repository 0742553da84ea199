"""How both colours stand, for people and as JSON; and what somebody should look at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sightline.colours.colour import COLOURS, Colour, Component, Fact, other, service, workload
from sightline.colours.finding import Finding, failed, ok, warning
from sightline.colours.observation import Observation
from sightline.colours.preflight import shared
from sightline.colours.record import Intent
from sightline.colours.report import PAUSED, Report, Reports, Silent, undelivered


class Stand(Fact, frozen=True, kw_only=True):
    """A colour of a component."""

    component: Component
    colour: Colour
    active: bool
    versions: tuple[str, ...]
    ready: int
    wanted: int
    draining: int
    """Pods of it that are drained."""
    floor: int | None = None
    most: int | None = None
    undelivered: int | None = None
    sinks: tuple[str, ...] = ()
    """Those that its pods hold."""
    troubles: tuple[str, ...] = ()


class Standing(Fact, frozen=True, kw_only=True):
    """All of it."""

    namespace: str
    active: dict[Component, Colour | None]
    previous: Colour | None
    shared_database: bool
    colours: tuple[Stand, ...]
    intent: Intent | None
    findings: tuple[Finding, ...]


def standing(seen: Observation, reports: Reports, *, now: datetime) -> Standing:
    """From what is seen, and what pods say."""
    return Standing(
        namespace=seen.namespace,
        active={each: seen.active(each) for each in seen.components},
        previous=seen.record.previous,
        shared_database=shared(seen, reports),
        colours=tuple(
            _stand(seen, reports, component, colour)
            for component in seen.components
            for colour in COLOURS
            if seen.rollout(component, colour) is not None
        ),
        intent=seen.record.intent,
        findings=tuple(_findings(seen, reports, now)),
    )


def _stand(seen: Observation, reports: Reports, component: Component, colour: Colour) -> Stand:
    rollout, scaler = seen.rollout(component, colour), seen.autoscaler(component, colour)
    pods = seen.pods_of(component, colour)
    said = [each for pod in pods if isinstance(each := reports.get(pod.name), Report)]
    gateway = component == "cop-gateway"
    return Stand(
        component=component,
        colour=colour,
        active=seen.active(component) == colour,
        versions=seen.versions(component, colour),
        ready=len(seen.ready(component, colour)),
        wanted=0 if rollout is None else rollout.wanted,
        draining=sum(each.draining for each in said),
        floor=None if scaler is None else scaler.minimum,
        most=None if scaler is None else scaler.maximum,
        undelivered=undelivered(reports, (each.name for each in pods))
        if gateway and said
        else None,
        sinks=tuple(
            sorted({sink.name for each in said for sink in each.details.sinks if sink.held})
        ),
        troubles=tuple(f"{each.name}: {each.trouble}" for each in pods if each.trouble is not None),
    )


def _findings(seen: Observation, reports: Reports, now: datetime) -> Iterator[Finding]:
    yield from _selectors(seen)
    yield from _recorded(seen, now)
    yield from _floors(seen)
    for component in seen.components:
        active = seen.active(component)
        if active is None:
            continue
        drained = [
            pod
            for pod in seen.ready(component, active)
            if isinstance(each := reports.get(pod), Report) and each.draining
        ]
        if drained:
            yield failed(
                "drained",
                f"{workload(component, active)} serves users and is drained"
                f" ({', '.join(drained)}): `sightline colours switch --to {active}` ends that",
            )
        for pod in seen.ready(component, active):
            if isinstance(answer := reports.get(pod), Silent):
                yield warning("drain call", f"pod {pod}: {answer.reason}")
    yield from _events(seen, reports)


def _selectors(seen: Observation) -> Iterator[Finding]:
    active = {each: seen.active(each) for each in seen.components}
    for component, colour in active.items():
        if colour is None:
            yield failed("selector", f"Service {service(component, 'active')} selects no colour")
    colours = {each for each in active.values() if each is not None}
    if len(colours) > 1:
        told = ", ".join(
            f"{service(each, 'active')} to {colour}" for each, colour in active.items()
        )
        yield failed("selector", f"users are led to both colours: {told}")
    elif colours:
        yield ok("selector", f"users are led to {', '.join(colours)}")
    for component, colour in active.items():
        preview = seen.pointer(component, "preview")
        if colour is not None and preview is not None and preview.colour == colour:
            yield warning("preview", f"Service {preview.name} leads to {colour}, as active does")


def _recorded(seen: Observation, now: datetime) -> Iterator[Finding]:
    record = seen.record
    if record.broken is not None:
        yield warning("record", record.broken)
    if (intent := record.intent) is not None:
        what = f"{intent.from_} → {intent.to} by {intent.who} since {intent.began:%H:%M:%S} UTC"
        if now < intent.until:
            yield warning("switch", f"under way: {what}")
        else:
            yield failed(
                "switch",
                f"never finished: {what}. `sightline colours switch --to {intent.to}` finishes it,"
                " `sightline colours rollback` goes back",
            )
    elif record.active is not None:
        for component in seen.components:
            live = seen.active(component)
            if live is not None and live != record.active:
                yield warning(
                    "record",
                    f"{service(component, 'active')} leads to {live}, and the last switch was to"
                    f" {record.active}: somebody changed it by hand, or it was made anew",
                )


def _floors(seen: Observation) -> Iterator[Finding]:
    if seen.record.intent is not None:
        return
    for each in seen.autoscalers:
        if each.configured is not None and each.minimum > each.configured:
            yield warning(
                "floor",
                f"{workload(each.component, each.colour)} keeps at least {each.minimum} pods, and"
                f" {each.configured} are configured: the next `helm upgrade` puts it back",
            )


def _events(seen: Observation, reports: Reports) -> Iterator[Finding]:
    active = seen.active("cop-gateway")
    if active is None:
        return
    idle = other(active)
    if shared(seen, reports):
        told = [
            (sink.name, sink.held, colour)
            for colour in COLOURS
            for pod in seen.ready("cop-gateway", colour)
            if isinstance(each := reports.get(pod), Report)
            for sink in each.details.sinks
            if sink.state != PAUSED
        ]
        for name in sorted({name for name, _, _ in told}):
            holders = {colour for sink, held, colour in told if sink == name and held}
            if not holders:
                yield warning("sinks", f"sink {name} is held by no gateway")
            elif idle in holders:
                yield warning("sinks", f"sink {name} is held by {idle}, which serves no users")
        return
    left = undelivered(reports, (each.name for each in seen.pods_of("cop-gateway", idle)))
    if left:
        yield warning(
            "undelivered events",
            f"{workload('cop-gateway', idle)} has {left} undelivered events: release nothing into"
            " it and do not scale it down before there are 0",
        )
