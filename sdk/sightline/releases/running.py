"""Takes the steps of a release, one after the other, and writes down how far it has come.

Each phase is in the cluster before the next step begins: whoever comes after a dead maker goes on
from there (`resume`), or goes back (`abort`, `rollback`). Every step can be taken twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import msgspec

from sightline.colours.colour import Colour
from sightline.colours.errors import ColoursError, ConflictError
from sightline.colours.finding import failures
from sightline.colours.receipt import Receipt
from sightline.journal import Journal
from sightline.releases import leading, steps
from sightline.releases.budget import Served, Verdict, judge
from sightline.releases.errors import (
    BurningError,
    LostError,
    RefusedError,
    ReleasesError,
    RemoteError,
    StoppedError,
)
from sightline.releases.lock import lock_of
from sightline.releases.record import Record
from sightline.releases.release import Release
from sightline.releases.rollout import await_rollout
from sightline.releases.steps import ReleaseStep
from sightline.releases.telling import annotate, audited, write_back
from sightline.releases.world import World

WATCH_SECONDS = 5.0
MOST_MISSES = 3
"""So many looks at the error budget in a row may fail."""


class Releasing:
    """One release, from any phase on."""

    def __init__(self, world: World, journal: Journal, release: Release, record: Record) -> None:
        self._world = world
        self._journal = journal
        self.release = release
        self._record = record
        self._lock = lock_of(world)
        self.verdict: Verdict | None = None
        self.receipt: Receipt | None = None
        self.problems: list[str] = []
        """What went wrong and stopped nothing."""

    def run(self, todo: Iterable[ReleaseStep], reason: str, *, begun: str) -> Release:
        """Take every step. Raises ReleasesError, ColoursError; the cluster then says how far."""
        with self._lock.held(reason):
            self._keep(begun)
            for step in todo:
                if not isinstance(step, steps.TakeLock):
                    self._lock.check()
                    self._take(step)
        return self.release

    def _take(self, step: ReleaseStep) -> None:
        try:
            with self._journal.step(step):
                self._do(step)
        except (ReleasesError, ColoursError, KeyboardInterrupt) as error:
            self._stopped(step, error)
            raise
        ended = self._world.clock.now() if isinstance(step, steps.Conclude) else None
        self.release = self.release.after(steps.happening(step), ended=ended)
        self._keep(f"release {self.release.phase}")

    def _stopped(self, step: ReleaseStep, error: BaseException) -> None:
        said = str(error) or "interrupted"
        if not self.release.open:
            return  # it went back by itself, which is written down
        self.release = msgspec.structs.replace(
            self.release, problem=f"{step.sentence}: {said}", steps=tuple(self._journal.times)
        )
        # What went wrong first is what is told; a cluster that is gone cannot note it.
        with contextlib.suppress(ReleasesError, ColoursError):
            self._lock.check()
            self._keep("release stopped")

    def _do(self, step: ReleaseStep) -> None:
        match step:
            case steps.Verify():
                self._verify(step)
            case steps.Deploy():
                self._deploy(step)
            case steps.Check():
                self._check(step)
            case steps.Lead():
                self._lead(step)
            case steps.Watch():
                self._watch(step)
            case steps.Conclude():
                self._conclude()

    def _verify(self, step: steps.Verify) -> None:
        registry = self._world.registry
        if registry is None:
            return
        for image in step.images:
            found = registry.resolved(image)
            if image.digest is not None and found.digest != image.digest:
                raise RefusedError(
                    f"{image.repository}:{image.tag} is {found.digest} now, and the plan was made"
                    f" for {image.digest}: plan anew"
                )
            if step.signed:
                registry.verified(found)

    def _deploy(self, step: steps.Deploy) -> None:
        self._world.chart.deploy(self.release.values, install=step.install)
        await_rollout(
            self._world, step.colour, seconds=self._world.environment.chart.timeout_seconds,
            journal=self._journal, lock=self._lock,
        )  # fmt: skip

    def _check(self, step: steps.Check) -> None:
        smoke = self._world.smoke if step.smoke else None
        _, found = self._world.namespace.preflight(
            step.colour, (), smoke=smoke, own=self.release.switch
        )
        for each in found:
            if each.outcome != "ok":
                self._journal.watch.note(f"{each.check}: {each.sentence}")
        if bad := failures(found):
            raise RefusedError(f"{step.colour} is not fit for users: {bad[0].sentence}", found)

    def _lead(self, step: steps.Lead) -> None:
        again, made = (
            self.release.switch,
            leading.account(self._world, f"release {self.release.id}: {self.release.version}"),
        )
        # Noted first: should we die in the middle, whoever resumes knows the switch for ours.
        self.release = msgspec.structs.replace(self.release, switch=made.id)
        self._keep(None)
        self.receipt = leading.lead(self._world, step.to, made, own=again)

    def _watch(self, step: steps.Watch) -> None:
        if step.minutes <= 0:
            return
        clock, policy = self._world.clock, self._world.environment.watch
        until, misses = clock.seconds() + step.minutes * 60, 0
        beginning: Served | None = None
        while True:
            try:
                counted = self._world.budget.count(step.colour)
                beginning, misses = beginning or counted, 0
                self.verdict = judge(counted.since(beginning), policy)
            except (RemoteError, ColoursError) as error:
                misses += 1
                if misses >= MOST_MISSES:
                    self._nobody_answers(step.colour)
                    raise StoppedError(
                        f"users are led to {step.colour}, and nobody knows how they fare: {error}."
                        " `sightline releases resume` watches again, `rollback` goes back"
                    ) from error
            if self.verdict is not None and self.verdict.burns:
                self._go_back(self.verdict.sentence)
            left = until - clock.seconds()
            if left <= 0:
                break
            if self.verdict is not None:
                self._journal.watch.note(f"{left:.0f} s left: {self.verdict.sentence}")
            clock.sleep(min(WATCH_SECONDS, left))
            self._lock.check()

    def _nobody_answers(self, colour: Colour) -> None:
        seen = self._world.namespace.seen()
        gone = [each for each in seen.components if not seen.ready(each, colour)]
        if gone:
            self._go_back(f"no pod of {' and '.join(gone)} is ready in {colour} any more")

    def _go_back(self, why: str) -> None:
        """By itself: the old colour is warm, and users are there within seconds."""
        with self._journal.step(steps.LeadBack()):
            self.receipt = leading.lead_back(self._world, reason=why)
        self.release = self.release.after(
            "roll-back", ended=self._world.clock.now(), steps=tuple(self._journal.times)
        )
        self.release = msgspec.structs.replace(self.release, problem=why)
        self._keep("release rolled back by itself")
        self._tell_others(f"{self.release.version} rolled back: {why}")
        raise BurningError(
            f"users were led back to {self.receipt.to if self.receipt else '?'}: {why}"
        )

    def _conclude(self) -> None:
        self.release = msgspec.structs.replace(self.release, steps=tuple(self._journal.times))
        self._tell_others(f"{self.release.version} serves users in {self.release.colour}")

    def _tell_others(self, sentence: str) -> None:
        """Git and Grafana. That they cannot be reached stops nothing."""
        world = self._world
        serving = self.release.colour if self.release.moved else None
        self._record = write_back(
            world, self._record, active=serving, values=self.release.values, reason=sentence,
            problems=self.problems,
        )  # fmt: skip
        annotate(world, f"Sightline {world.environment.name}: {sentence}", self.problems)
        for each in self.problems:
            self._journal.watch.note(each)

    def _keep(self, what: str | None) -> None:
        """The phase, and an entry of the audit log about it. Raises LostError."""
        if what is not None:
            self._record = audited(self._world, self._record, what, self.release)
        head, first = self._record.audit_head, self._record.resource_version is None
        while True:
            try:
                self._record = self._world.store.keep(self._record.with_release(self.release))
            except ConflictError as error:
                if first:
                    raise
                self._record = msgspec.structs.replace(self._fresh(error), audit_head=head)
            else:
                return

    def _fresh(self, error: ConflictError) -> Record:
        """Somebody else wrote: an approval is no matter, another release or a rollback is."""
        self._lock.check()
        record = self._world.store.record()
        current = record.current
        begins = self.release.phase == "begun"
        if (
            current is not None
            and not begins
            and (current.id != self.release.id or not current.open)
        ):
            raise LostError(f"somebody else went on with releases: {error}") from error
        return record
