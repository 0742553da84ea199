"""What happens while a switch is made, until it is a receipt."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.colours.colour import workload
from sightline.colours.finding import Finding
from sightline.colours.observation import Observation
from sightline.colours.plan import Plan
from sightline.colours.ports import Clock
from sightline.colours.receipt import End, Move, ProbeCount, Receipt, SinkHandover
from sightline.colours.steps import Point
from sightline.journal import Journal


class Account:
    """Of one switch."""

    def __init__(
        self,
        clock: Clock,
        *,
        id: str,  # noqa: A002 - as the receipt calls it
        who: str,
        kubernetes_user: str | None = None,
        reason: str | None = None,
    ) -> None:
        self.id = id
        self.who = who
        self._kubernetes_user = kubernetes_user
        self._reason = reason
        self._clock = clock
        self._start = clock.seconds()
        self.began = clock.now()
        self.journal = Journal(seconds=clock.seconds)
        self.moves: list[Move] = []
        self.problems: list[str] = []
        self.moved_after: float | None = None
        self.sinks: SinkHandover | None = None
        self.undelivered: int | None = None

    def moved(self, step: Point, *, before: str, after: str) -> None:
        """A Service leads elsewhere now."""
        if step.role == "active":
            self.moved_after = round(self._clock.seconds() - self._start, 3)
        self.moves.append(
            Move(
                service=step.name,
                from_=step.from_,
                to=step.to,
                resource_version_before=before,
                resource_version_after=after,
            )
        )

    def receipt(
        self,
        plan: Plan,
        outcome: End,
        seen: Observation,
        findings: Sequence[Finding],
        probe: ProbeCount | None,
    ) -> Receipt:
        """All of it."""
        return Receipt(
            id=self.id,
            kind="rollback" if plan.haste == "rollback" else "switch",
            outcome=outcome,
            from_=plan.from_,
            to=plan.to,
            components=plan.components,
            who=self.who,
            kubernetes_user=self._kubernetes_user,
            reason=self._reason,
            began=self.began,
            ended=self._clock.now(),
            seconds=round(self._clock.seconds() - self._start, 3),
            moved_after=self.moved_after,
            versions={
                workload(each, plan.to): seen.versions(each, plan.to) for each in plan.components
            },
            findings=tuple(findings),
            steps=tuple(self.journal.times),
            moves=tuple(self.moves),
            sinks=self.sinks,
            undelivered=self.undelivered,
            probe=probe,
            problems=tuple(self.problems),
        )
