"""What a release would do, and what is against it; from what is seen, without doing anything."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

import msgspec

from sightline.colours.colour import Colour, Fact
from sightline.colours.finding import Finding, failed, failures, ok, warning
from sightline.environments.environment import Environment
from sightline.releases import lease
from sightline.releases.manifests import Change
from sightline.releases.phase import Happening, left
from sightline.releases.record import Record
from sightline.releases.release import Approval, Release, Target
from sightline.releases.steps import (
    Check,
    Conclude,
    Deploy,
    Lead,
    ReleaseStep,
    TakeLock,
    Verify,
    Watch,
    happening,
)
from sightline.releases.values import Values

_ORDERED = msgspec.json.Encoder(order="sorted")


class Seen(Fact, frozen=True, kw_only=True):
    """What a plan is made from."""

    active: Colour | None
    """The colour that serves; None where nothing is installed."""
    idle: Colour
    replaced: tuple[str, ...] = ()
    """The versions in the idle colour."""
    schema: int | None = None
    """The database's, where a gateway tells it."""
    releasable: tuple[Finding, ...] = ()
    """May the idle colour be released into?"""
    changes: tuple[Change, ...] = ()
    values: Values = msgspec.field(default_factory=dict)
    before: Values = msgspec.field(default_factory=dict)
    chart: str = ""
    """Its name and version."""
    record: Record = Record()
    lease: lease.Lease = lease.Lease()
    lease_dead: bool = False
    """Its holder is known to be no more."""
    user: str | None = None
    """Whom the API server takes us for."""
    git_active: Colour | None = None
    """What Git says, where it can be read."""


class ReleasePlan(Fact, frozen=True, kw_only=True):
    """A release that may be made, unless a finding has failed."""

    id: str
    """Of what it would do: whoever approves it approves exactly that."""
    environment: str
    namespace: str
    target: Target
    colour: Colour
    active: Colour | None
    replaced: tuple[str, ...]
    chart: str
    schema: int | None
    changes: tuple[Change, ...]
    findings: tuple[Finding, ...]
    approvals: tuple[Approval, ...]
    steps: tuple[ReleaseStep, ...]
    values: Values
    before: Values

    @property
    def refused(self) -> tuple[Finding, ...]:
        """What is against it."""
        return failures(self.findings)


def plan(
    environment: Environment,
    target: Target,
    seen: Seen,
    *,
    reason: str,
    now: datetime,
    smoke: bool = True,
) -> ReleasePlan:
    """All of it; pure."""
    name = identity(environment, target, seen)
    approvals = _counted(environment, seen, name)
    return ReleasePlan(
        id=name,
        environment=environment.name,
        namespace=environment.cluster.namespace,
        target=target,
        colour=seen.idle,
        active=seen.active,
        replaced=seen.replaced,
        chart=seen.chart,
        schema=seen.schema,
        changes=seen.changes,
        findings=tuple(_findings(environment, target, seen, approvals, now)),
        approvals=approvals,
        steps=steps(environment, target, seen, reason=reason, smoke=smoke),
        values=seen.values,
        before=seen.before,
    )


def identity(environment: Environment, target: Target, seen: Seen) -> str:
    """The same for whoever plans the same on the same state: the values, the chart, what changes.

    The checkout's state is left out: what is installed is what was approved.
    """
    images = {name: msgspec.to_builtins(each) for name, each in target.images.items()}
    parts = [
        environment.name, environment.cluster.namespace, target.version, images, seen.idle,
        seen.chart, seen.values, msgspec.to_builtins(seen.changes),
    ]  # fmt: skip
    return hashlib.sha256(_ORDERED.encode(parts)).hexdigest()[:12]


def steps(
    environment: Environment, target: Target, seen: Seen, *, reason: str, smoke: bool = True
) -> tuple[ReleaseStep, ...]:
    """Every step, in its order."""
    first = seen.active is None
    watch, git = environment.watch, environment.git
    found: list[ReleaseStep] = [
        TakeLock(reason=reason, seconds=lease.SECONDS),
        Verify(images=tuple(target.images.values()), signed=environment.guards.signed_images),
        Deploy(
            release=environment.chart.release,
            namespace=environment.cluster.namespace,
            colour=seen.idle,
            version=target.version,
            install=first,
        ),
        Check(colour=seen.idle, smoke=smoke),
        Lead(to=seen.idle),
        Watch(
            colour=seen.idle, minutes=watch.minutes, objective=watch.objective, burn=watch.burn
        ),
        Conclude(
            annotate=environment.grafana is not None,
            write_back=None if git is None else git.file,
        ),
    ]  # fmt: skip
    return tuple(found)


def remaining(all_steps: Iterable[ReleaseStep], release: Release) -> tuple[ReleaseStep, ...]:
    """What is left of them, from the phase that a release is in."""
    todo: tuple[Happening, ...] = left(release.phase)
    return tuple(
        each for each in all_steps if isinstance(each, TakeLock) or happening(each) in todo
    )


def _counted(environment: Environment, seen: Seen, name: str) -> tuple[Approval, ...]:
    """Approvals that count: of whoever may, and is not the one who releases."""
    allowed = environment.approvals.approvers
    return tuple(
        each
        for each in seen.record.approved(name)
        if each.who != seen.user and (not allowed or each.who in allowed)
    )


def _findings(
    environment: Environment,
    target: Target,
    seen: Seen,
    approvals: tuple[Approval, ...],
    now: datetime,
) -> Iterable[Finding]:
    yield from _tree(environment, target)
    yield from _lock(seen, now)
    yield from _under_way(seen)
    yield from seen.releasable
    yield from _changed(environment, seen)
    yield from _approved(environment, approvals)
    yield from _git(seen)
    if seen.record.broken is not None:
        yield warning("record", seen.record.broken)


def _tree(environment: Environment, target: Target) -> Iterable[Finding]:
    if target.dirty:
        sentence = "the checkout has changes that are not committed"
        if environment.guards.clean_tree:
            yield failed("checkout", f"{sentence}, and guards.clean_tree refuses that: commit them")
        else:
            yield warning("checkout", sentence)
    elif target.commit is not None:
        yield ok("checkout", f"nothing is uncommitted; it is at {target.commit[:12]}")


def _lock(seen: Seen, now: datetime) -> Iterable[Finding]:
    until = seen.lease.until
    if until is not None and now < until and not seen.lease_dead:
        why = f" ({seen.lease.reason})" if seen.lease.reason else ""
        yield failed(
            "lock",
            f"{seen.lease.holder} has the lock{why}; if its maker died, it ends at"
            f" {until:%H:%M:%S} UTC",
        )


def _under_way(seen: Seen) -> Iterable[Finding]:
    current = seen.record.current
    if current is None or not current.open:
        return
    told = f"the release of {current.version} by {current.who} is {current.phase}"
    if current.moved:
        yield failed(
            "under way",
            f"{told}, and users are led to it: `sightline releases resume` or `rollback` first",
        )
    else:
        yield warning("under way", f"{told}, and was left; this one takes its place")


def _changed(environment: Environment, seen: Seen) -> Iterable[Finding]:
    if seen.active is None:
        return
    touched = [
        each
        for each in seen.changes
        if (each.colour, each.kind) == (seen.active, "Deployment")
        and (each.restarts or each.verb == "removed")
    ]
    if not touched:
        yield ok("what serves", f"no pod of {seen.active}, which serves users, is replaced")
        return
    for each in touched:
        sentence = f"{each.sentence} - and {seen.active} serves users"
        if environment.guards.active_colour:
            yield failed("what serves", f"{sentence}; guards.active_colour refuses that")
        else:
            yield warning("what serves", sentence)


def _approved(environment: Environment, approvals: tuple[Approval, ...]) -> Iterable[Finding]:
    required = environment.approvals.required
    if not required:
        return
    people = sorted({each.who for each in approvals})
    told = f"{len(people)} of {required} approvals" + (f" ({', '.join(people)})" if people else "")
    if len(people) < required:
        yield failed("approvals", f"{told}: somebody else types `sightline releases approve PLAN`")
    else:
        yield ok("approvals", told)


def _git(seen: Seen) -> Iterable[Finding]:
    if seen.record.pending is not None:
        yield warning(
            "git",
            f"since {seen.record.pending.since:%Y-%m-%d %H:%M} UTC Git has yet to be told that"
            f" {seen.record.pending.active} serves: `sightline releases write-back`",
        )
    elif seen.git_active is not None and seen.active is not None and seen.git_active != seen.active:
        yield warning("git", f"Git says {seen.git_active}, and {seen.active} serves users")
