"""What happens while a switch is made, until it is a receipt."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from sightline.colours.colour import workload
from sightline.colours.errors import ColoursError
from sightline.colours.finding import Finding
from sightline.colours.observation import Observation
from sightline.colours.plan import Plan
from sightline.colours.ports import Clock
from sightline.colours.receipt import End, Move, ProbeCount, Receipt, SinkHandover
from sightline.colours.steps import Point, Step
from sightline.steps import StepTime


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
        self.times: list[StepTime] = []
        self.moves: list[Move] = []
        self.problems: list[str] = []
        self.moved_after: float | None = None
        self.sinks: SinkHandover | None = None
        self.undelivered: int | None = None

    @contextlib.contextmanager
    def timing(self, step: Step) -> Iterator[None]:
        """Write down a step, and what it failed with."""
        began, problem = self._clock.seconds(), None
        try:
            yield
        except ColoursError as error:
            problem = str(error)
            raise
        finally:
            self.times.append(
                StepTime(
                    step=str(step.__struct_config__.tag),
                    sentence=step.sentence,
                    at=round(began - self._start, 3),
                    seconds=round(self._clock.seconds() - began, 3),
                    problem=problem,
                )
            )

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
            steps=tuple(self.times),
            moves=tuple(self.moves),
            sinks=self.sinks,
            undelivered=self.undelivered,
            probe=probe,
            problems=tuple(self.problems),
        )
