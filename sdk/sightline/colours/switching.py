"""Takes the steps of a plan, one after the other.

Until the last `-active` Service is changed, whatever fails undoes what was done. From then on
traffic has moved: what fails is noted, and the other steps are still taken.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from datetime import timedelta

import msgspec

from sightline.colours import steps
from sightline.colours.account import Account
from sightline.colours.colour import Colour, Component, workload
from sightline.colours.errors import (
    ColoursError,
    ConflictError,
    OvertakenError,
    RefusedError,
    UnreachableError,
)
from sightline.colours.finding import Finding
from sightline.colours.observation import Observation
from sightline.colours.plan import Plan
from sightline.colours.ports import Clock, Cluster, Pods, Prober, Tell, Verb
from sightline.colours.preflight import enough, unready
from sightline.colours.receipt import End, Receipt, SinkHandover
from sightline.colours.record import Intent
from sightline.colours.report import Report, Reports, Silent, holding, undelivered
from sightline.colours.steps import Step

LOOK_SECONDS = 0.5
"""Between two looks at pods that are to become ready."""
SINK_LOOK_SECONDS = 0.1
SPARE_SECONDS = 60.0
"""How long a switch may take beyond the wait for its pods."""


class Switch:
    """One switch; `run` gives its receipt, also where it failed."""

    def __init__(
        self,
        cluster: Cluster,
        pods: Pods,
        account: Account,
        *,
        wait: float,
        clock: Clock,
        tell: Tell,
        prober: Prober | None = None,
    ) -> None:
        self._cluster = cluster
        self._pods = pods
        self._account = account
        self._wait = wait
        self._clock = clock
        self._tell = tell
        self._prober = prober
        self._seen = Observation(namespace="")
        self._drained: set[str] = set()
        self._undo: list[Step] = []
        self._stuck = False

    def run(
        self, plan: Plan, seen: Observation, reports: Reports, findings: Sequence[Finding] = ()
    ) -> Receipt:
        """Take every step. Raises nothing that a receipt can tell."""
        self._seen = seen
        self._drained = {
            pod for pod, each in reports.items() if isinstance(each, Report) and each.draining
        }
        outcome: End = "done"
        for number, step in enumerate(plan.steps[:-1]):
            try:
                self._take(step, plan)
            except ColoursError as error:
                self._account.problems.append(str(error))
                if isinstance(step, steps.Announce) or any(map(_moves_users, plan.steps[number:])):
                    conflict = isinstance(error, ConflictError)
                    outcome = self._withdraw(plan, "conflict" if conflict else "failed")
                    break
                if isinstance(error, OvertakenError):
                    outcome = "overtaken"
                    break
        if outcome == "done" and self._account.problems:
            outcome = "unfinished"
        return self._conclude(plan, outcome, findings)

    def _take(self, step: Step, plan: Plan) -> None:
        self._tell(step.sentence)
        with self._account.journal.step(step):
            try:
                self._do(step, plan)
            except KeyboardInterrupt:
                raise ColoursError(f"interrupted: {step.sentence}") from None

    def _do(self, step: Step, plan: Plan) -> None:  # noqa: C901 - one branch a step
        match step:
            case steps.Announce():
                self._announce(step, plan)
            case steps.Raise() | steps.Lower():
                self._floor(step)
            case steps.Wake():
                self._cluster.scale(step.component, step.colour, floor=None, pods=step.replicas)
            case steps.AwaitReady():
                self._await_ready(step)
            case steps.Undrain():
                self._undrain(step, plan)
            case steps.Point():
                self._point(step)
            case steps.Settle():
                self._clock.sleep(step.seconds)
            case steps.Drain():
                self._drain(step)
            case steps.AwaitSinks():
                self._await_sinks(step)
            case steps.CountUndelivered():
                self._count(step)

    def _announce(self, step: steps.Announce, plan: Plan) -> None:
        began = self._account.began
        record = self._seen.record
        intent = Intent(
            id=self._account.id,
            from_=step.from_,
            to=step.to,
            components=plan.components,
            who=self._account.who,
            began=began,
            until=began + timedelta(seconds=self._wait + SPARE_SECONDS),
            # What a switch that died has raised is put back by this one, or by the next.
            floors={**step.floors, **record.floors},
        )
        record = self._cluster.keep(msgspec.structs.replace(record, intent=intent))
        self._seen = msgspec.structs.replace(self._seen, record=record)

    def _floor(self, step: steps.Raise | steps.Lower) -> None:
        self._cluster.scale(step.component, step.colour, floor=step.minimum, pods=None)
        if isinstance(step, steps.Raise):
            self._undo.append(
                steps.Lower(component=step.component, colour=step.colour, minimum=step.was)
            )

    def _await_ready(self, step: steps.AwaitReady) -> None:
        until = self._clock.seconds() + self._wait
        while True:
            missing = [
                each
                for each, least in step.least.items()
                if not enough(self._seen, each, step.colour, least)
            ]
            if not missing:
                return
            if self._clock.seconds() >= until:
                told = "; ".join(
                    unready(self._seen, each, step.colour, step.least[each]) for each in missing
                )
                raise RefusedError(f"{told}, after {self._wait:g} s")
            self._clock.sleep(LOOK_SECONDS)
            self._look()

    def _look(self) -> None:
        """See how things are, and that the switch is still ours to make."""
        self._seen = self._cluster.observe()
        if self._ours():
            return
        record = self._seen.record
        other = record.intent or (record.receipts[-1] if record.receipts else None)
        who = "somebody" if other is None else f"the switch {other.id} by {other.who}"
        raise OvertakenError(f"{who} took the place of this one")

    def _ours(self) -> bool:
        intent = self._seen.record.intent
        return intent is not None and intent.id == self._account.id

    def _undrain(self, step: steps.Undrain, plan: Plan) -> None:
        for pod, why in self._ask("undrain", step.colour, step.components).items():
            sentence = f"pod {pod} did not end its drain: {why}"
            if plan.haste == "orderly":
                raise RefusedError(sentence)
            # A rollback does not wait for the last pod: it answers, drained or not.
            self._account.problems.append(sentence)

    def _ask(self, verb: Verb, colour: Colour, components: Iterable[Component]) -> dict[str, str]:
        """Those of the ready pods that did not do it, and why."""
        refusals: dict[str, str] = {}
        for component in components:
            names = self._seen.ready(component, colour)
            for pod, answer in self._pods.ask(verb, component, names).items():
                if isinstance(answer, Silent):
                    refusals[pod] = answer.reason
                elif answer.draining != (verb == "drain"):
                    refusals[pod] = f"it answers draining={str(answer.draining).lower()}"
        return refusals

    def _point(self, step: steps.Point) -> None:
        found = self._seen.pointer(step.component, step.role)
        if found is None or found.colour != step.from_:
            raise ConflictError(f"Service {step.name} no longer leads to {step.from_}")
        after = self._cluster.point(found, step.to)
        if _moves_users(step) and self._prober is not None:
            self._prober.moved()
        self._account.moved(step, before=found.resource_version, after=after.resource_version)
        self._seen = self._seen.with_pointer(after)

    def _drain(self, step: steps.Drain) -> None:
        # Pods may have come or gone since; and who was switched back to must not be drained.
        self._look()
        serving = [each for each in step.components if self._seen.active(each) == step.colour]
        if serving:
            raise ConflictError(f"{step.colour} serves {' and '.join(serving)} again: not drained")
        refusals = self._ask("drain", step.colour, step.components)
        if refusals:
            told = "; ".join(f"{pod}: {why}" for pod, why in refusals.items())
            raise RefusedError(f"not all of {step.colour} is drained: {told}")

    def _await_sinks(self, step: steps.AwaitSinks) -> None:
        began = self._clock.seconds()
        pods = self._seen.ready("cop-gateway", step.colour)
        # Said once more, it has them try now, and not when a second is over.
        verb: Verb = "undrain"
        while True:
            known, held = holding(self._pods.ask(verb, "cop-gateway", pods))
            verb = "look"
            passed = self._clock.seconds() - began
            done = known is not None and known <= held
            if done or passed >= step.limit:
                self._account.sinks = SinkHandover(
                    sinks=tuple(sorted(known or ())),
                    seconds=round(passed, 3) if done else None,
                    limit=step.limit,
                )
                break
            self._clock.sleep(SINK_LOOK_SECONDS)
        if not done:
            free = "no gateway tells of its sinks" if known is None else ", ".join(sorted(known))
            raise RefusedError(f"sinks: not held by {step.colour} after {step.limit:g} s: {free}")

    def _count(self, step: steps.CountUndelivered) -> None:
        pods = self._seen.ready("cop-gateway", step.colour)
        name = workload("cop-gateway", step.colour)
        reports = self._pods.ask("look", "cop-gateway", pods)
        left = self._account.undelivered = undelivered(reports, pods)
        silent = [pod for pod, each in reports.items() if isinstance(each, Silent)]
        if silent:
            raise RefusedError(
                f"how much {', '.join(silent)} has yet to deliver is not known: do not scale"
                f" {name} down"
            )
        if left:
            self._tell(
                f"{name} has {left} undelivered events, goes on delivering them, and must not be"
                " scaled down before `sightline colours status` says 0"
            )

    def _withdraw(self, plan: Plan, outcome: End) -> End:
        """Undo what was done so far, so that traffic stays where it was.

        Where another switch was announced, it is the one to say what is drained and how many pods
        there are: what it has set up must not be undone.
        """
        for move in reversed(self._account.moves):
            pointer = next(each for each in self._seen.pointers if each.name == move.service)
            try:
                after = self._cluster.point(pointer, move.from_ or plan.from_)
            except ColoursError as error:
                self._account.problems.append(f"{move.service} stays with {move.to}: {error}")
                self._stuck = True
            else:
                self._tell(f"{move.service} leads to {after.colour} again")
                self._seen = self._seen.with_pointer(after)
        if not self._stuck:
            self._account.moved_after = None
        if self._ours():
            # A service that is no longer as we saw it may be another switch's doing.
            with contextlib.suppress(UnreachableError):
                record = self._cluster.observe().record
                self._seen = msgspec.structs.replace(self._seen, record=record)
        if not self._ours():
            return "unfinished" if self._stuck else outcome
        if not self._stuck:
            self._drain_again(plan)
        for step in self._undo:
            try:
                self._take(step, plan)
            except ColoursError as error:
                self._account.problems.append(str(error))
        return "unfinished" if self._stuck else outcome

    def _drain_again(self, plan: Plan) -> None:
        """What was drained before us, in the colour that nobody went to, shall be so again."""
        for component in plan.components:
            if self._seen.active(component) == plan.to:
                continue
            names = [each for each in self._seen.ready(component, plan.to) if each in self._drained]
            for pod, answer in self._pods.ask("drain", component, names).items():
                if isinstance(answer, Silent):
                    self._account.problems.append(
                        f"pod {pod} is no longer drained: {answer.reason}"
                    )

    def _conclude(self, plan: Plan, outcome: End, findings: Sequence[Finding]) -> Receipt:
        probe = None if self._prober is None else self._prober.finish()
        receipt = self._account.receipt(plan, outcome, self._seen, findings, probe)
        record = self._seen.record
        if not self._ours():
            return receipt  # it was never announced, or is somebody else's by now
        kept = record.with_receipt(receipt)
        if self._stuck:
            # Half of it is there: whoever comes next must know.
            kept = msgspec.structs.replace(kept, intent=record.intent)
        elif outcome in ("done", "unfinished"):
            kept = msgspec.structs.replace(kept, active=plan.to, previous=plan.from_)
        try:
            self._cluster.keep(kept)
        except ColoursError as error:
            self._account.problems.append(f"the receipt is not in the record: {error}")
            outcome = "unfinished" if outcome == "done" else outcome
            receipt = self._account.receipt(plan, outcome, self._seen, findings, probe)
        return receipt


def _moves_users(step: Step) -> bool:
    return isinstance(step, steps.Point) and step.role == "active"
