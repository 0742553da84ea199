"""The steps that a release is made of, as values: each says in a sentence what is done."""

from __future__ import annotations

from typing import TypeAlias, cast

from sightline.colours.colour import Colour
from sightline.releases.phase import Happening
from sightline.releases.release import Image
from sightline.steps import Step


class TakeLock(Step, frozen=True, kw_only=True, tag="lock"):
    """Keep others from releasing meanwhile."""

    reason: str
    seconds: int

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"take the lock ({self.reason})"


class Verify(Step, frozen=True, kw_only=True, tag="verify"):
    """See that each image is there, and signed where that is asked for."""

    images: tuple[Image, ...]
    signed: bool

    @property
    def sentence(self) -> str:
        """What is done."""
        names = ", ".join(each.reference for each in self.images)
        return f"see that {names} {'are there and signed' if self.signed else 'are there'}"


class Deploy(Step, frozen=True, kw_only=True, tag="deploy"):
    """Have helm put it into the idle colour."""

    release: str
    namespace: str
    colour: Colour
    version: str
    install: bool

    @property
    def sentence(self) -> str:
        """What is done."""
        verb = "install" if self.install else "upgrade"
        return (
            f"helm {verb} {self.release} in {self.namespace}: {self.version} into {self.colour},"
            " and wait until its pods are ready"
        )


class Check(Step, frozen=True, kw_only=True, tag="check"):
    """Preflight, with a simulated frame that must reach every sink."""

    colour: Colour
    smoke: bool

    @property
    def sentence(self) -> str:
        """What is done."""
        frame = ", and send a simulated frame through it to every sink" if self.smoke else ""
        return f"look at all that {self.colour} must be before users are led there{frame}"


class Lead(Step, frozen=True, kw_only=True, tag="switch"):
    """Lead users there."""

    to: Colour

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"lead users to {self.to}"


class Watch(Step, frozen=True, kw_only=True, tag="watch"):
    """See whether users meet errors; if so, lead them back."""

    colour: Colour
    minutes: float
    objective: float
    burn: float

    @property
    def sentence(self) -> str:
        """What is done."""
        return (
            f"watch {self.colour} for {self.minutes:g} min, and lead users back if errors come more"
            f" than {self.burn:g} times faster than {self.objective:.3%} allows"
        )


class Conclude(Step, frozen=True, kw_only=True, tag="conclude"):
    """Write down that it is done, and free the lock."""

    annotate: bool
    write_back: str | None

    @property
    def sentence(self) -> str:
        """What is done."""
        more = "" if self.write_back is None else f", commit {self.write_back}"
        drawn = ", draw it into Grafana" if self.annotate else ""
        return f"write down that it is done{more}{drawn}, and free the lock"


class LeadBack(Step, frozen=True, kw_only=True, tag="roll-back"):
    """Users go back to where they were."""

    to: Colour | None = None

    @property
    def sentence(self) -> str:
        """What is done."""
        return "lead users back" + ("" if self.to is None else f" to {self.to}")


class PutBack(Step, frozen=True, kw_only=True, tag="put-back"):
    """Have helm put into the idle colour what it ran before."""

    colour: Colour
    versions: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What is done."""
        return f"put {', '.join(self.versions) or 'what it had'} back into {self.colour}"


ReleaseStep: TypeAlias = (
    TakeLock | Verify | Deploy | Check | Lead | Watch | Conclude | LeadBack | PutBack
)


def happening(step: ReleaseStep) -> Happening:
    """What has happened once it is taken: its tag says it."""
    return cast(Happening, step.__struct_config__.tag)
