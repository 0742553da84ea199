"""Who may release at this moment: the Lease `sightline-release`, read and judged.

A lease has a holder, a reason and an end. Whoever comes while it runs is told who has it; once its
end is past, its holder is taken for dead and the next one may take it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sightline.colours.colour import Fact
from sightline.releases.errors import LockedError

NAME = "sightline-release"
SECONDS = 60
"""How long a holder that says nothing more keeps it."""
REASON = "sightline.io/reason"


class Lease(Fact, frozen=True, kw_only=True):
    """As the cluster has it; without a holder it is free."""

    holder: str | None = None
    reason: str | None = None
    acquired: datetime | None = None
    renewed: datetime | None = None
    seconds: int = SECONDS
    transitions: int = 0
    resource_version: str | None = None
    """None where there is no such Lease yet."""

    @property
    def until(self) -> datetime | None:
        """When it ends, if nobody renews it."""
        if self.holder is None or self.renewed is None:
            return None
        return self.renewed + timedelta(seconds=self.seconds)


def taken(found: Lease, *, holder: str, reason: str, now: datetime, force: bool = False) -> Lease:
    """The lease as it is to be written. Raises LockedError where somebody else has it."""
    until = found.until
    running = until is not None and now < until and found.holder != holder
    if running and not force:
        assert until is not None
        since = "" if found.acquired is None else f" since {found.acquired:%H:%M:%S} UTC"
        why = "" if found.reason is None else f" ({found.reason})"
        raise LockedError(
            f"{found.holder} releases{since}{why}; if its maker died, the lock ends at"
            f" {until:%H:%M:%S} UTC"
        )
    again = found.holder == holder
    return Lease(
        holder=holder,
        reason=reason,
        acquired=found.acquired if again else now,
        renewed=now,
        seconds=SECONDS,
        transitions=found.transitions + (0 if again else 1),
        resource_version=found.resource_version,
    )


def freed(found: Lease) -> Lease:
    """Nobody has it."""
    return Lease(transitions=found.transitions, resource_version=found.resource_version)
