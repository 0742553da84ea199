"""Everything that is done with releases, over the ports."""

from __future__ import annotations

import uuid

import msgspec

from sightline.colours.colour import COLOURS, Colour, other
from sightline.colours.errors import NothingThereError
from sightline.colours.errors import RefusedError as ColourRefusedError
from sightline.colours.observation import Observation
from sightline.colours.preflight import releasable
from sightline.colours.receipt import Receipt
from sightline.colours.report import Report, Reports
from sightline.colours.standing import Standing
from sightline.journal import Journal
from sightline.releases import leading, steps
from sightline.releases.errors import RefusedError, ReleasesError, RemoteError
from sightline.releases.lock import lock_of
from sightline.releases.manifests import changes
from sightline.releases.phase import MOVED, NEXT
from sightline.releases.plan import ReleasePlan, Seen, plan, remaining
from sightline.releases.plan import steps as all_steps
from sightline.releases.record import Record
from sightline.releases.release import Approval, Release, Target
from sightline.releases.rollout import await_rollout
from sightline.releases.running import Releasing
from sightline.releases.steps import PutBack
from sightline.releases.telling import annotate, audited, write_back
from sightline.releases.values import composed, pinned
from sightline.releases.world import World


class Releases:
    """Those of one environment."""

    def __init__(self, world: World) -> None:
        self._world = world

    def planned(self, target: Target, *, reason: str, smoke: bool = True) -> ReleasePlan:
        """What releasing `target` would do, and what is against it. Changes nothing."""
        world = self._world
        seen = self._seen(target)
        return plan(
            world.environment, target, seen, reason=reason, now=world.clock.now(), smoke=smoke
        )

    def apply(self, made: ReleasePlan, journal: Journal, *, reason: str) -> Releasing:
        """Make it. Raises RefusedError where something is against it, and as `Releasing`."""
        if made.refused:
            raise RefusedError(
                f"nothing is changed: {len(made.refused)} findings against {made.target.version}",
                made.findings,
            )
        world = self._world
        release = Release(
            id=uuid.uuid4().hex[:12],
            plan=made.id,
            environment=made.environment,
            version=made.target.version,
            colour=made.colour,
            replaced=made.replaced,
            phase="begun",
            who=world.who,
            kubernetes_user=world.user,
            reason=reason,
            commit=made.target.commit,
            chart=made.chart,
            images=made.target.images,
            values=made.values,
            before=made.before,
            approvals=made.approvals,
            began=world.clock.now(),
        )
        releasing = Releasing(world, journal, release, world.store.record())
        releasing.run(made.steps, reason, begun="release begun")
        return releasing

    def resume(self, journal: Journal) -> Releasing:
        """Go on where the newest release was left. Raises RefusedError where nothing is open."""
        world, record = self._world, self._world.store.record()
        release = _open(record)
        todo = remaining(self._steps_of(release), release)
        releasing = Releasing(world, journal, release, record)
        releasing.run(todo, f"resume {release.version}", begun="release resumed")
        return releasing

    def resumable(self) -> tuple[Release, tuple[steps.ReleaseStep, ...]]:
        """What `resume` would do."""
        release = _open(self._world.store.record())
        return release, remaining(self._steps_of(release), release)

    def abort(self, journal: Journal) -> Release:
        """Give the newest release up, and put back what the idle colour ran before.

        Raises RefusedError where users are led to it.
        """
        world, record = self._world, self._world.store.record()
        release = _open(record)
        if (release.phase, "abort") not in NEXT or self._moved(release):
            raise RefusedError(
                f"users are led to {release.version} in {release.colour}: `sightline releases"
                " rollback` leads them back"
            )
        lock = lock_of(world)
        with lock.held(f"abort {release.version}"):
            if release.before:
                step = PutBack(colour=release.colour, versions=release.replaced)
                with journal.step(step):
                    world.chart.deploy(release.before, install=False)
                    await_rollout(
                        world, release.colour, journal=journal, lock=lock,
                        seconds=world.environment.chart.timeout_seconds,
                    )  # fmt: skip
            ended = release.after("abort", ended=world.clock.now())
            record = audited(world, record, "release aborted", ended)
            world.store.keep(record.with_release(ended))
        return ended

    def rollback(self, journal: Journal, *, reason: str) -> tuple[Receipt | None, list[str]]:
        """Users back to where they were, at once; whoever releases at this moment is stopped."""
        world = self._world
        record = world.store.record()
        release = record.current
        if release is not None and release.phase == "rolled-back":
            raise RefusedError(
                f"{release.version} is rolled back already; `sightline colours switch` leads users"
                " to the other colour"
            )
        with journal.step(steps.LeadBack()):
            receipt = leading.lead_back(world, reason=reason)
        problems: list[str] = []
        lock = lock_of(world)
        with lock.held(f"rollback: {reason}", force=True):
            # Whoever released may have gone one phase on, before the lock was lost.
            record = world.store.record()
            ended = record.current
            if ended is not None and (ended.phase, "roll-back") in NEXT:
                ended = ended.after("roll-back", ended=world.clock.now())
                record = record.with_release(ended)
            record = audited(world, record, "rolled back", ended, reason=reason)
            record = write_back(
                world, record, active=None, values={}, reason=f"rolled back: {reason}",
                problems=problems,
            )  # fmt: skip
            world.store.keep(record)
        annotate(world, f"Sightline {world.environment.name}: rolled back: {reason}", problems)
        return receipt, problems

    def approve(self, identity: str) -> Approval:
        """Agree to a plan. Raises RefusedError where the API server does not say who we are."""
        world = self._world
        if world.user is None:
            raise RefusedError("the API server does not say who we are: nobody could hold us to it")
        allowed = world.environment.approvals.approvers
        if allowed and world.user not in allowed:
            raise RefusedError(f"{world.user} is not one of approvals.approvers")
        approval = Approval(plan=identity, who=world.user, at=world.clock.now())
        record = audited(world, world.store.record(), "approved", None, plan=identity)
        world.store.keep(record.with_approval(approval))
        return approval

    def told_to_git(self) -> str | None:
        """What Git has yet to be told; the sentence, None where there is nothing."""
        world, record = self._world, self._world.store.record()
        pending = record.pending
        if pending is None:
            return None
        active = world.namespace.active(world.namespace.seen())
        problems: list[str] = []
        record = write_back(
            world, record, active=active, values=pending.values, reason=pending.reason,
            problems=problems,
        )  # fmt: skip
        if problems:
            raise RemoteError(problems[0])
        world.store.keep(audited(world, record, "told to Git", None, active=active))
        return f"Git knows that {active} serves: {pending.reason}"

    def record(self) -> Record:
        """What the cluster keeps of releases."""
        return self._world.store.record()

    def standing(self) -> Standing:
        """How both colours are."""
        return self._world.namespace.status()

    def _seen(self, target: Target) -> Seen:
        world = self._world
        lease, base, installed = world.store.lease(), world.chart.base(), world.chart.installed()
        observed = self._observed()
        first: Colour = base.values.get("activeColour") or COLOURS[0]
        seen = Seen(
            active=None,
            idle=first,
            chart=base.chart,
            record=world.store.record(),
            lease=lease,
            lease_dead=lease.holder is not None and world.is_dead(lease.holder),
            user=world.user,
        )
        if installed is None or observed is None:
            values = composed(base.values, None, first, target)
            rendered = world.chart.rendered(values)
            return msgspec.structs.replace(seen, values=values, changes=changes((), rendered))
        active = self._serving(observed)
        idle = other(active)
        reports = world.namespace.reports(observed, COLOURS)
        values = composed(base.values, installed.values, idle, target)
        looked = releasable(observed, reports, idle, now=world.clock.now())
        return msgspec.structs.replace(
            seen,
            active=active,
            idle=idle,
            replaced=tuple(
                sorted({v for each in observed.components for v in observed.versions(each, idle)})
            ),
            schema=_schema(reports),
            releasable=tuple(each for each in looked if each.outcome != "ok"),
            changes=changes(installed.documents, world.chart.rendered(values)),
            values=values,
            before=pinned(base.values, installed.values, active),
            git_active=self._git_active(),
        )

    def _serving(self, observed: Observation) -> Colour:
        try:
            return self._world.namespace.active(observed)
        except ColourRefusedError as error:
            raise RefusedError(
                f"users are led to both colours ({error}): a switch was left half done."
                " `sightline releases resume` finishes it, `rollback` undoes it"
            ) from error

    def _observed(self) -> Observation | None:
        try:
            return self._world.namespace.seen()
        except NothingThereError:
            return None

    def _git_active(self) -> Colour | None:
        if self._world.repository is None or self._world.environment.git is None:
            return None
        try:
            found = (self._world.repository.read() or {}).get("activeColour")
        except RemoteError:
            return None  # a plan is made without Git as well
        return next((each for each in COLOURS if each == found), None)

    def _moved(self, release: Release) -> bool:
        """Users are led there, whatever the record says: a switch may have died before its note."""
        if release.phase in MOVED:
            return True
        observed = self._observed()
        if observed is None:
            return False
        ours = observed.record.intent is not None and observed.record.intent.id == release.switch
        return ours or any(observed.active(each) == release.colour for each in observed.components
                           if release.switch is not None)  # fmt: skip

    def _steps_of(self, release: Release) -> tuple[steps.ReleaseStep, ...]:
        environment = self._world.environment
        if release.environment != environment.name:
            raise ReleasesError(
                f"that release is of environment {release.environment}, and this is"
                f" {environment.name}"
            )
        target = Target(version=release.version, images=release.images)
        first = not release.before
        seen = Seen(active=None if first else other(release.colour), idle=release.colour)
        return all_steps(environment, target, seen, reason=release.reason or "resume")


def _schema(reports: Reports) -> int | None:
    """The database's, as any gateway tells it."""
    for each in reports.values():
        if isinstance(each, Report) and each.details.schema is not None:
            return each.details.schema.database
    return None


def _open(record: Record) -> Release:
    if record.current is None or not record.current.open:
        told = "" if record.current is None else f"; the newest is {record.current.phase}"
        raise RefusedError(f"no release is under way{told}")
    return record.current
