"""How the picture is spoken of in CoT: the operator's rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# 90 % of a circular normal distribution lies within 2.146 sigmas; of a linear one within 1.645.
_CE90_PER_SIGMA = 2.145966026289347
_LE90_PER_SIGMA = 1.6448536269514722


@dataclass(frozen=True, kw_only=True, slots=True)
class Doctrine:
    """What every event says in the same way."""

    version: str = "0"
    stale_seconds: float = 60.0
    """How long after it was captured a sighting is still shown."""
    simulated: bool = False
    """how = m-s instead of m-i: nothing of this is real."""
    ce_meaning: Literal["ce90", "sigma"] = "ce90"
    """What point/@ce and @le state: 90 % (as ATAK shows them) or one sigma (the MITRE text)."""
    platform_interval_seconds: float | None = 1.0
    """How often a camera tells of itself; None for never."""

    @property
    def how(self) -> str:
        """One fix from one image, by machine."""
        return "m-s" if self.simulated else "m-i"

    def ce(self, ce90_m: float) -> float:
        """point/@ce of a circular error."""
        return ce90_m if self.ce_meaning == "ce90" else ce90_m / _CE90_PER_SIGMA

    def le(self, le90_m: float) -> float:
        """point/@le of a linear error."""
        return le90_m if self.ce_meaning == "ce90" else le90_m / _LE90_PER_SIGMA
