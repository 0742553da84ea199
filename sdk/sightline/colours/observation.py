"""What is seen of both colours in the cluster, at one moment."""

from __future__ import annotations

import msgspec

from sightline.colours.colour import (
    COMPONENTS,
    Colour,
    Component,
    Fact,
    Role,
    service,
    workload,
)
from sightline.colours.record import Record


class Rollout(Fact, frozen=True, kw_only=True):
    """A Deployment: what is wanted of it, and how far it is."""

    component: Component
    colour: Colour
    wanted: int
    generation: int
    observed: int
    """The generation that its controller has seen."""
    updated: int
    ready: int
    unavailable: int
    own_volume: bool = False
    """It mounts a claim of its own: each colour has its own database."""


class Pod(Fact, frozen=True, kw_only=True):
    """A pod of a colour."""

    name: str
    component: Component
    colour: Colour
    ready: bool
    ending: bool = False
    version: str = "unknown"
    image: str = ""
    restarts: int = 0
    trouble: str | None = None
    """Why a container of it waits or ended, with the last words of the one before."""


class Autoscaler(Fact, frozen=True, kw_only=True):
    """A HorizontalPodAutoscaler."""

    component: Component
    colour: Colour
    minimum: int
    maximum: int
    current: int
    configured: int | None = None
    """The minimum that the chart's values state; a switch may have raised the one that holds."""


class Pointer(Fact, frozen=True, kw_only=True):
    """A Service whose selector names a colour."""

    name: str
    colour: Colour | None
    resource_version: str


class Observation(Fact, frozen=True, kw_only=True):
    """All of it."""

    namespace: str
    rollouts: tuple[Rollout, ...] = ()
    pods: tuple[Pod, ...] = ()
    autoscalers: tuple[Autoscaler, ...] = ()
    pointers: tuple[Pointer, ...] = ()
    endpoints: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """By Service: the names of the pods that get its traffic."""
    record: Record = Record()

    def rollout(self, component: Component, colour: Colour) -> Rollout | None:
        """The Deployment, if there is one."""
        for each in self.rollouts:
            if (each.component, each.colour) == (component, colour):
                return each
        return None

    def autoscaler(self, component: Component, colour: Colour) -> Autoscaler | None:
        """The autoscaler, if there is one."""
        for each in self.autoscalers:
            if (each.component, each.colour) == (component, colour):
                return each
        return None

    def pointer(self, component: Component, role: Role) -> Pointer | None:
        """The Service, if there is one."""
        for each in self.pointers:
            if each.name == service(component, role):
                return each
        return None

    def with_pointer(self, changed: Pointer) -> Observation:
        """The same, with a Service that was changed."""
        return msgspec.structs.replace(
            self,
            pointers=tuple(
                changed if each.name == changed.name else each for each in self.pointers
            ),
        )

    def active(self, component: Component) -> Colour | None:
        """The colour that users are served by."""
        found = self.pointer(component, "active")
        return None if found is None else found.colour

    def pods_of(self, component: Component, colour: Colour) -> tuple[Pod, ...]:
        """Those that are not on their way out."""
        return tuple(
            each
            for each in self.pods
            if (each.component, each.colour) == (component, colour) and not each.ending
        )

    def ready(self, component: Component, colour: Colour) -> tuple[str, ...]:
        """The names of the pods that are ready."""
        return tuple(each.name for each in self.pods_of(component, colour) if each.ready)

    def published(self, component: Component, colour: Colour) -> tuple[str, ...]:
        """The pods that the colour's own Service sends traffic to."""
        return self.endpoints.get(service(component, colour), ())

    @property
    def components(self) -> tuple[Component, ...]:
        """Those that are here, in the order in which they are switched."""
        here = {each.component for each in self.rollouts}
        return tuple(each for each in COMPONENTS if each in here)

    def versions(self, component: Component, colour: Colour) -> tuple[str, ...]:
        """The versions that its pods run."""
        return tuple(sorted({each.version for each in self.pods_of(component, colour)}))

    def volumes_of_their_own(self) -> bool:
        """Each colour's gateway has its own database, as far as its Deployment tells."""
        return any(each.own_volume for each in self.rollouts if each.component == "cop-gateway")

    def floor(self, component: Component, colour: Colour) -> int:
        """How many pods the colour keeps with nothing to do."""
        found = self.autoscaler(component, colour)
        if found is None:
            return 1
        # A minimum that a switch has raised, and not put back, is not what was configured.
        original = self.record.floors.get(workload(component, colour))
        return found.configured or original or found.minimum
