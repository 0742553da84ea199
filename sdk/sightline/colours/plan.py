"""Which steps a switch takes, from what was observed. Taking them is `switching`'s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from sightline.colours.colour import (
    COLOURS,
    Colour,
    Component,
    Fact,
    Role,
    other,
    workload,
)
from sightline.colours.observation import Observation
from sightline.colours.preflight import enough, shared, wanted
from sightline.colours.report import Report, Reports
from sightline.colours.steps import (
    Announce,
    AwaitReady,
    AwaitSinks,
    Conclude,
    CountUndelivered,
    Drain,
    Lower,
    Point,
    Raise,
    Settle,
    Step,
    Undrain,
    Wake,
)

SETTLE_SECONDS = 1.0
"""kube-proxy programs its rules at most once a second."""
SINK_SECONDS = 5.0

Haste: TypeAlias = Literal["orderly", "rollback"]


class Plan(Fact, frozen=True, kw_only=True):
    """All steps, in their order; none where everything is as it should be."""

    from_: Colour
    to: Colour
    components: tuple[Component, ...]
    haste: Haste
    cold: tuple[str, ...] = ()
    """Deployments that must be scaled up before users can be sent there."""
    steps: tuple[Step, ...] = ()


def plan(
    seen: Observation,
    reports: Reports,
    to: Colour,
    components: Sequence[Component],
    *,
    haste: Haste = "orderly",
) -> Plan:
    """What leads from what is seen to `to`.

    An orderly switch waits for as many pods as serve now. A rollback waits for the colour's own
    floor alone, since what serves now may be broken; it brings up the rest once traffic has moved.
    """
    old, chosen = other(to), tuple(components)
    full = {each: wanted(seen, each, to) for each in chosen}
    least = full if haste == "orderly" else _least(seen, to, full)
    raised, lowered = _floors(seen, to, full)
    cold = tuple(workload(each, to) for each in chosen if not enough(seen, each, to, least[each]))
    short = any(not enough(seen, each, to, full[each]) for each in chosen)
    points = _points(seen, to, chosen, "active")
    previews = _points(seen, old, chosen, "preview")
    steps: list[Step] = [
        Announce(
            from_=old, to=to, floors={workload(each.component, to): each.was for each in raised}
        )
    ]
    steps += raised
    steps += _woken(seen, to, full)
    steps.append(AwaitReady(colour=to, least=least))
    steps.append(Undrain(colour=to, components=chosen))
    steps += points
    steps += previews
    if points:
        steps.append(Settle(seconds=SETTLE_SECONDS))
    steps.append(Drain(colour=old, components=chosen))
    if "cop-gateway" in chosen:
        if shared(seen, reports):
            steps.append(AwaitSinks(colour=to, limit=SINK_SECONDS))
        else:
            steps.append(CountUndelivered(colour=old))
    if haste == "rollback" and short:
        steps.append(AwaitReady(colour=to, least=full))
    steps += lowered
    steps.append(Conclude())
    return Plan(
        from_=old, to=to, components=chosen, haste=haste, cold=cold, steps=tuple(steps)
    )  # fmt: skip


def settled(
    seen: Observation, reports: Reports, to: Colour, components: Sequence[Component]
) -> bool:
    """Users are led to `to`, nothing was left half done, and no pod says that it is otherwise."""
    if seen.record.intent is not None or any(seen.active(each) != to for each in components):
        return False
    previews = (seen.pointer(each, "preview") for each in components)
    if any(each is not None and each.colour == to for each in previews):
        return False
    return not any(
        isinstance(report := reports.get(pod), Report) and report.draining != (colour != to)
        for component in components
        for colour in COLOURS
        for pod in seen.ready(component, colour)
    )


def _least(seen: Observation, to: Colour, full: dict[Component, int]) -> dict[Component, int]:
    return {each: max(1, min(least, seen.floor(each, to))) for each, least in full.items()}


def _floors(
    seen: Observation, to: Colour, full: dict[Component, int]
) -> tuple[list[Raise], list[Lower]]:
    raised = [
        Raise(component=each, colour=to, minimum=least, was=seen.floor(each, to))
        for each, least in full.items()
        if (scaler := seen.autoscaler(each, to)) is not None
        # Also where there are enough now: its autoscaler would take them away meanwhile.
        and scaler.minimum < least
    ]
    lowered = [
        Lower(component=each.component, colour=each.colour, minimum=each.was) for each in raised
    ]
    # What an earlier switch raised, and did not live to put back.
    for scaler in seen.autoscalers:
        left = seen.record.floors.get(workload(scaler.component, scaler.colour))
        if left is not None and not any(
            (each.component, each.colour) == (scaler.component, scaler.colour) for each in lowered
        ):
            lowered.append(Lower(component=scaler.component, colour=scaler.colour, minimum=left))
    return raised, lowered


def _woken(seen: Observation, to: Colour, full: dict[Component, int]) -> list[Wake]:
    return [
        Wake(component=each, colour=to, replicas=least)
        for each, least in full.items()
        if (found := seen.rollout(each, to)) is not None and found.wanted == 0
    ]


def _points(
    seen: Observation, to: Colour, components: Sequence[Component], role: Role
) -> list[Point]:
    return [
        Point(component=each, role=role, from_=found.colour, to=to)
        for each in components
        if (found := seen.pointer(each, role)) is not None and found.colour != to
    ]
