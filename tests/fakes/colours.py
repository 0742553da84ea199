"""A cluster with both colours, and the services in its pods, that do as they are told.

Selectors and the record are compared and swapped as the API server does; autoscalers bring pods
after a while; pods of one database hand their sinks over when they are drained.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from sightline.colours.colour import (
    COLOURS,
    COMPONENTS,
    Colour,
    Component,
    other,
    service,
    workload,
)
from sightline.colours.errors import ConflictError, UnreachableError
from sightline.colours.observation import Autoscaler, Observation, Pod, Pointer, Rollout
from sightline.colours.ports import Verb
from sightline.colours.record import Record
from sightline.colours.report import Details, Report, Reports, Schema, Served, Silent, SinkState

START = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)


class Died(BaseException):
    """The process that made the switch was killed."""


class Time:
    """Passes when somebody waits."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed)

    def seconds(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.passed += seconds


class FakeCluster:
    """Both ports, `Cluster` and `Pods`; `acts` is every change, in order."""

    def __init__(
        self,
        time: Time,
        *,
        active: Colour = "blue",
        ready: dict[Colour, int] | None = None,
        shared: bool = True,
        minimum: int = 3,
        maximum: int = 10,
        start_seconds: float = 20.0,
        undelivered: dict[Colour, int] | None = None,
    ) -> None:
        self.time = time
        self.shared = shared
        self.ready = {(component, colour): (ready or {}).get(colour, minimum)
                      for component in COMPONENTS for colour in COLOURS}  # fmt: skip
        self.wanted = dict(self.ready)
        self.came: dict[tuple[Component, Colour], float] = {}
        self.minimum = dict.fromkeys(self.ready, minimum)
        self.configured = minimum
        self.maximum = maximum
        self.start_seconds = start_seconds
        self.undelivered = undelivered or {}
        self.drained: set[str] = {
            name for component in COMPONENTS for name in self._names(component, other(active))
        }
        self.leads: dict[str, tuple[Colour, int]] = {}
        for component in COMPONENTS:
            self.leads[service(component, "active")] = active, 1
            self.leads[service(component, "preview")] = other(active), 1
        self.version = 1
        self.record = Record()
        self.acts: list[str] = []
        self.dies_after: int | None = None
        """The number of changes after which the switcher is killed."""
        self.conflicts: set[str] = set()
        """Services that somebody else changes just before we do."""
        self.silent: set[str] = set()
        self.codes: dict[Colour, int] = {}
        self.models: dict[Colour, tuple[Served, ...]] = {}
        self.troubles: dict[str, str] = {}
        self.versions: dict[Colour, str] = {colour: f"1.0-{colour}" for colour in COLOURS}
        self.gone = False
        self.keeps_sinks = False
        self.paused = False
        """An operator has paused the sink."""
        self.unready_moves: list[str] = []
        """Changes of an -active to a colour that had too little: there must never be one."""
        self.lock = threading.RLock()

    def _names(self, component: Component, colour: Colour) -> tuple[str, ...]:
        return tuple(f"{component}-{colour}-{n}" for n in range(self.ready[component, colour]))

    def _act(self, what: str) -> None:
        self.acts.append(what)
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                self.dies_after = None
                raise Died

    def _grow(self) -> None:
        for place, wanted in self.wanted.items():
            if self.ready[place] < wanted:
                came = self.came.setdefault(place, self.time.passed)
                if self.time.passed - came >= self.start_seconds:
                    self.ready[place] = wanted

    def observe(self) -> Observation:
        with self.lock:
            if self.gone:
                raise UnreachableError("the API server at fake does not answer")
            self._grow()
            places = list(self.ready)
            return Observation(
                namespace="detection-system",
                rollouts=tuple(self._rollout(*each) for each in places),
                pods=tuple(
                    Pod(
                        name=name, component=component, colour=colour,
                        ready=name not in self.troubles, version=self.versions[colour],
                        image=f"sightline:{colour}", trouble=self.troubles.get(name),
                    )
                    for component, colour in places for name in self._names(component, colour)
                ),
                autoscalers=tuple(
                    Autoscaler(
                        component=component, colour=colour, minimum=self.minimum[component, colour],
                        maximum=self.maximum, current=self.ready[component, colour],
                        configured=self.configured,
                    )
                    for component, colour in places
                ) if self.shared else (),
                pointers=tuple(
                    Pointer(name=name, colour=colour, resource_version=str(version))
                    for name, (colour, version) in self.leads.items()
                ),
                endpoints=self._endpoints(),
                record=self.record,
            )  # fmt: skip

    def _rollout(self, component: Component, colour: Colour) -> Rollout:
        ready, wanted = self.ready[component, colour], self.wanted[component, colour]
        bad = sum(each in self.troubles for each in self._names(component, colour))
        return Rollout(
            component=component, colour=colour, wanted=wanted, generation=1, observed=1,
            updated=wanted, ready=ready - bad, unavailable=wanted - ready + bad,
            own_volume=component == "cop-gateway" and not self.shared,
        )  # fmt: skip

    def _endpoints(self) -> dict[str, tuple[str, ...]]:
        well = {
            (component, colour): tuple(
                each for each in self._names(component, colour) if each not in self.troubles
            )
            for component, colour in self.ready
        }
        found = {service(*place): names for place, names in well.items()}
        for component in COMPONENTS:
            for role in ("active", "preview"):
                colour, _ = self.leads[service(component, role)]
                found[service(component, role)] = well[component, colour]
        return found

    def point(self, pointer: Pointer, to: Colour) -> Pointer:
        with self.lock:
            colour, version = self.leads[pointer.name]
            if pointer.name in self.conflicts:
                self.conflicts.discard(pointer.name)
                version += 1
                self.leads[pointer.name] = colour, version
            if (pointer.colour, pointer.resource_version) != (colour, str(version)):
                raise ConflictError(f"Service {pointer.name} was changed meanwhile")
            component: Component = "detection" if "detection" in pointer.name else "cop-gateway"
            if pointer.name.endswith("-active") and not self._endpoints()[service(component, to)]:
                self.unready_moves.append(pointer.name)
            self.leads[pointer.name] = to, version + 1
            self._act(f"point {pointer.name} {to}")
            return Pointer(name=pointer.name, colour=to, resource_version=str(version + 1))

    def scale(
        self, component: Component, colour: Colour, *, floor: int | None, pods: int | None
    ) -> None:
        with self.lock:
            place = component, colour
            if floor is not None:
                self.minimum[place] = floor
                if self.wanted[place]:
                    self.wanted[place] = max(floor, self.wanted[place])
            if pods is not None:
                self.wanted[place] = pods
            self._act(f"scale {workload(*place)} {floor} {pods}")

    def keep(self, record: Record) -> Record:
        with self.lock:
            if record.resource_version != self.record.resource_version:
                raise ConflictError("another switch began at the same moment")
            self.version += 1
            self.record = msgspec.structs.replace(record, resource_version=str(self.version))
            self._act("keep")
            return self.record

    def ask(self, verb: Verb, component: Component, names: Iterable[str]) -> Reports:
        found: dict[str, Report | Silent] = {}
        with self.lock:
            for name in names:
                if name in self.silent:
                    found[name] = Silent(reason="no port forward")
                    continue
                if verb == "drain":
                    self.drained.add(name)
                elif verb == "undrain":
                    self.drained.discard(name)
                found[name] = self._report(component, name)
            if verb != "look":
                self._act(f"{verb} {component} {' '.join(names)}")
        return found

    def _report(self, component: Component, name: str) -> Report:
        colour: Colour = "blue" if "blue" in name else "green"
        draining = name in self.drained
        if component == "detection":
            models = self.models.get(colour, (Served(name="demo", sha256="a" * 64),))
            details = Details(models=models)
        else:
            held = name == self._holder() or (not self.shared and name.endswith("-0"))
            code = self.codes.get(colour, 6)
            newest = max(self.codes.values(), default=6)
            details = Details(
                shared_database=self.shared,
                schema=Schema(
                    code=code, database=newest if self.shared else code,
                    oldest_code=newest - 1 if self.shared else code,
                ),
                undelivered=self.undelivered.get(colour, 0),
                sinks=(
                    SinkState(name="tak", state="paused", held=False) if self.paused
                    else SinkState(name="tak", state="connected", held=held),
                ),
            )  # fmt: skip
        return Report(draining=draining, service=component, colour=colour, details=details)

    def _holder(self) -> str | None:
        """Of one database: the first gateway that is not drained, of the colour that served."""
        if self.keeps_sinks:
            return "cop-gateway-blue-0"
        gateways = [
            name
            for colour in COLOURS
            for name in self._names("cop-gateway", colour)
            if name not in self.drained
        ]
        return gateways[0] if gateways else None

    def active(self, component: Component) -> Colour:
        return self.leads[service(component, "active")][0]

    def draining(self, colour: Colour) -> set[bool]:
        """Whether its pods are: one value, if all agree."""
        return {
            name in self.drained
            for component in COMPONENTS
            for name in self._names(component, colour)
        }
