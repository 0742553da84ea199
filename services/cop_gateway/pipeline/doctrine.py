"""How the picture is spoken of in CoT: the operator's rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from cop_gateway.cot import Marks
from cop_gateway.geolocation.accuracy import CE90_PER_SIGMA, LE90_PER_SIGMA


@dataclass(frozen=True, kw_only=True, slots=True)
class Doctrine:
    """What every event says in the same way."""

    version: str = "0"
    stale_seconds: float = 60.0
    """How long after it was captured a sighting is still shown."""
    simulated: bool = False
    """how = m-s instead of m-i: nothing of this is real."""
    marks: Marks = field(default_factory=Marks)
    """access, qos and opex of every event."""
    image_url: str | None = None
    """Where a frame's picture can be seen: {camera_id} and {frame_id} are filled in."""
    ce_meaning: Literal["ce90", "sigma"] = "ce90"
    """What point/@ce and @le state: 90 % (as ATAK shows them) or one sigma (the MITRE text)."""
    platform_interval_seconds: float | None = 1.0
    """How often a camera tells of itself; None for never."""

    @property
    def how(self) -> str:
        """One fix from one image, by machine."""
        return "m-s" if self.simulated else "m-i"

    @property
    def ce_divisor(self) -> float:
        """CE90 divided by it is point/@ce."""
        return 1.0 if self.ce_meaning == "ce90" else CE90_PER_SIGMA

    @property
    def le_divisor(self) -> float:
        """LE90 divided by it is point/@le."""
        return 1.0 if self.ce_meaning == "ce90" else LE90_PER_SIGMA

    def image_of(self, camera_id: str, frame_id: str) -> str | None:
        """The address of a frame's picture, if the operator keeps pictures."""
        if self.image_url is None:
            return None
        return self.image_url.replace("{camera_id}", quote(camera_id, safe="")).replace(
            "{frame_id}", quote(frame_id, safe="")
        )
