"""Wait until a colour runs what helm was asked for; what its pods do is told meanwhile."""

from __future__ import annotations

from sightline.colours.colour import Colour, Component
from sightline.colours.observation import Observation, Pod
from sightline.colours.preflight import enough, unready
from sightline.journal import Journal
from sightline.releases.errors import StoppedError
from sightline.releases.lock import Lock
from sightline.releases.world import World

LOOK_SECONDS = 1.0


def await_rollout(
    world: World, colour: Colour, *, seconds: float, journal: Journal, lock: Lock | None = None
) -> None:
    """Until every component of a colour runs what was asked for; what pods do is told meanwhile."""
    clock, told = world.clock, set[str]()
    until = clock.seconds() + seconds
    while True:
        seen = world.namespace.seen()
        for component in seen.components:
            for pod in seen.pods_of(component, colour):
                if (line := _line(pod)) not in told:
                    told.add(line)
                    journal.watch.note(line)
        waiting = [each for each in seen.components if not rolled_out(seen, each, colour)]
        if not waiting:
            return
        if clock.seconds() >= until:
            why = "; ".join(_why(seen, each, colour) for each in waiting)
            raise StoppedError(
                f"{colour} did not come up within {seconds:g} s: {why}. Users are served as before;"
                " `sightline releases abort` puts back what it ran"
            )
        clock.sleep(LOOK_SECONDS)
        if lock is not None:
            lock.check()


def rolled_out(seen: Observation, component: Component, colour: Colour) -> bool:
    """Its Deployment's controller has seen the newest, and all of its pods are that, and ready."""
    found = seen.rollout(component, colour)
    return (
        found is not None
        and found.observed >= found.generation
        and found.updated >= found.wanted
        and found.unavailable == 0
        and enough(seen, component, colour, max(1, found.wanted))
    )


def _why(seen: Observation, component: Component, colour: Colour) -> str:
    troubles = [each for each in seen.pods_of(component, colour) if each.trouble is not None]
    if troubles:
        return f"pod {troubles[0].name}: {troubles[0].trouble}"
    found = seen.rollout(component, colour)
    return unready(seen, component, colour, 1 if found is None else max(1, found.wanted))


def _line(pod: Pod) -> str:
    state = pod.trouble or ("ready" if pod.ready else "starts")
    return f"pod {pod.name} ({pod.version}): {state}"
