"""The steps that a switch is made of, as values: each says in a sentence what is done."""

from __future__ import annotations

from typing import TypeAlias

from sightline.colours.colour import Colour, Component, Fact, Role, service, workload


class Announce(Fact, frozen=True, kw_only=True, tag="announce"):
    """Write down what is about to happen."""

    from_: Colour
    to: Colour
    floors: dict[str, int]

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"write down that {self.from_} → {self.to} is under way"


class Raise(Fact, frozen=True, kw_only=True, tag="raise"):
    """Have a colour keep at least so many pods."""

    component: Component
    colour: Colour
    minimum: int
    was: int

    @property
    def sentence(self) -> str:
        """What is done."""
        name = workload(self.component, self.colour)
        return f"raise the floor of {name} from {self.was} to {self.minimum} pods"


class Wake(Fact, frozen=True, kw_only=True, tag="wake"):
    """Give pods to a Deployment that has none: its autoscaler rests as long as it is at 0."""

    component: Component
    colour: Colour
    replicas: int

    @property
    def sentence(self) -> str:
        """What is done."""
        name = workload(self.component, self.colour)
        return f"scale {name} from 0 to {self.replicas} pods"


class AwaitReady(Fact, frozen=True, kw_only=True, tag="await-ready"):
    """Wait until so many pods are ready, of each component."""

    colour: Colour
    least: dict[Component, int]

    @property
    def sentence(self) -> str:
        """What is done."""
        counts = ", ".join(
            f"{least} of {workload(component, self.colour)}"
            for component, least in self.least.items()
        )
        return f"see that these pods are ready: {counts}"


class Undrain(Fact, frozen=True, kw_only=True, tag="undrain"):
    """Have a colour's pods keep connections, and take sinks."""

    colour: Colour
    components: tuple[Component, ...]

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"end the drain of {self.colour}"


class Point(Fact, frozen=True, kw_only=True, tag="point"):
    """Change the colour that a Service leads to, if it still is as it was."""

    component: Component
    role: Role
    from_: Colour | None
    to: Colour

    @property
    def name(self) -> str:
        """The Service."""
        return service(self.component, self.role)

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"lead {self.name} to {self.to}"


class Settle(Fact, frozen=True, kw_only=True, tag="settle"):
    """Leave the nodes time to follow."""

    seconds: float

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"wait {self.seconds:g} s, until every node leads there"


class Drain(Fact, frozen=True, kw_only=True, tag="drain"):
    """Have a colour's pods close their connections, and give their sinks away."""

    colour: Colour
    components: tuple[Component, ...]

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"drain {self.colour}: its connections close, its sinks are given away"


class AwaitSinks(Fact, frozen=True, kw_only=True, tag="await-sinks"):
    """Wait until a colour holds every sink."""

    colour: Colour
    limit: float

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"see that {self.colour} holds every sink (at most {self.limit:g} s)"


class CountUndelivered(Fact, frozen=True, kw_only=True, tag="count-undelivered"):
    """Ask what a colour with a database of its own has yet to deliver."""

    colour: Colour

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"count what {self.colour} has yet to deliver"


class Lower(Fact, frozen=True, kw_only=True, tag="lower"):
    """Put an autoscaler's minimum back."""

    component: Component
    colour: Colour
    minimum: int

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"put the floor of {workload(self.component, self.colour)} back to {self.minimum}"


class Conclude(Fact, frozen=True, kw_only=True, tag="conclude"):
    """Write down that it is over."""

    @property
    def sentence(self) -> str:
        """What is done."""
        return "write the receipt"


Step: TypeAlias = (
    Announce
    | Raise
    | Wake
    | AwaitReady
    | Undrain
    | Point
    | Settle
    | Drain
    | AwaitSinks
    | CountUndelivered
    | Lower
    | Conclude
)
