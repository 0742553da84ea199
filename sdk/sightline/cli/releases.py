"""`sightline releases`: plan a release, make it, watch it, and go back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli import exits
from sightline.cli import release_words as words
from sightline.cli.effects import (
    confirm,
    document,
    dry_run_option,
    progress,
    show_plan,
    yes_option,
)
from sightline.cli.failure import Failure
from sightline.cli.findings import show_findings
from sightline.cli.releasing import Desk, desk, release_options

if TYPE_CHECKING:
    from sightline.releases.release import Target

_VERSIONED = "{:<12}{:<12}{:<7}{:<13}{:<22}{}"


@click.group()
def releases() -> None:
    """Release into the idle colour, watch, and go back."""


def _target_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--smoke/--no-smoke", "smoke", default=True, show_default=True,
                     help="Send a simulated frame through the new version first."),
        click.option("--reason", default="", help="Why; kept in the record, the lock and Git."),
        click.option("--values", "values_file",
                     type=click.Path(exists=True, dir_okay=False, path_type=Path),
                     help="More values for this release's colour alone: YAML or JSON with"
                          " detection and gateway."),
        click.option("--models", "models", metavar="TAG", help="Of the image with the models."),
        click.option("--version", "version", required=True, metavar="TAG",
                     help="Of the images of both services."),
    ):  # fmt: skip
        command = option(command)
    return command


@releases.command()
@_target_options
@release_options
def plan(
    *, version: str, models: str | None, values_file: Path | None, reason: str, smoke: bool,
    as_json: bool, **place: Any,
) -> None:  # fmt: skip
    """Say what a release would do, and what is against it; change nothing."""
    with desk(None, images=True, **place) as there:
        made = there.releases.planned(
            _target(there, version, models, values_file),
            reason=reason or f"release {version}",
            smoke=smoke,
        )
    words.show(made, as_json=as_json)
    if made.refused:
        raise Failure(f"{version} cannot be released: {made.refused[0].sentence}")


@releases.command()
@_target_options
@click.option("--plan", "identity", metavar="PLAN",
              help="Only if it is exactly this plan, as `plan` named it.")  # fmt: skip
@click.option("--watch", "watch_minutes", type=click.FloatRange(0, 1440), metavar="MINUTES",
              help="Instead of the environment's watch.minutes.")  # fmt: skip
@dry_run_option
@yes_option
@release_options
def apply(
    *, version: str, models: str | None, values_file: Path | None, reason: str, smoke: bool,
    identity: str | None, dry_run: bool, yes: bool, as_json: bool, **place: Any,
) -> None:  # fmt: skip
    """Release into the idle colour, lead users there, and watch how they fare."""
    from sightline.journal import Journal  # noqa: PLC0415 - after --help
    from sightline.releases.errors import RefusedError  # noqa: PLC0415

    with progress() as watch, desk(watch, images=True, **place) as there:
        target = _target(there, version, models, values_file)
        reason = reason or f"release {version}"
        made = there.releases.planned(target, reason=reason, smoke=smoke)
        if identity is not None and identity != made.id:
            raise Failure(
                f"what would be done now is plan {made.id}, and not {identity}: look at it anew",
                code=exits.CONFLICT,
            )
        if dry_run:
            words.show(made, as_json=as_json)
            return
        if made.refused:
            words.refused(made, as_json=as_json)
        words.told(made, err=True)
        confirm(f"Release {version} into {made.colour} of {made.environment}?", yes=yes)
        try:
            done = there.releases.apply(made, Journal(watch), reason=reason)
        except RefusedError as error:
            show_findings(error.findings, err=True)
            raise
    words.conclude(done, as_json=as_json)


@releases.command()
@click.argument("identity", metavar="PLAN")
@release_options
def approve(*, identity: str, as_json: bool, **place: Any) -> None:
    """Agree to a plan that somebody else is to make."""
    with desk(None, **place) as there:
        approval = there.releases.approve(identity)
    if as_json:
        document(approval)
    else:
        click.echo(f"{approval.who} agrees to {approval.plan}")


@releases.command()
@dry_run_option
@yes_option
@release_options
def resume(*, dry_run: bool, yes: bool, as_json: bool, **place: Any) -> None:
    """Go on with a release whose maker died or that was stopped."""
    from sightline.journal import Journal  # noqa: PLC0415 - after --help

    with progress() as watch, desk(watch, images=True, **place) as there:
        release, todo = there.releases.resumable()
        if dry_run:
            show_plan(todo, as_json=as_json, release=release.id)
            return
        click.echo(f"{release.version} by {release.who} is {release.phase}", err=True)
        confirm(f"Go on with it in {release.environment}?", yes=yes)
        done = there.releases.resume(Journal(watch))
    words.conclude(done, as_json=as_json)


@releases.command()
@dry_run_option
@yes_option
@release_options
def abort(*, dry_run: bool, yes: bool, as_json: bool, **place: Any) -> None:
    """Give a release up that no user is led to, and put back what its colour ran."""
    from sightline.journal import Journal  # noqa: PLC0415 - after --help
    from sightline.releases.steps import PutBack  # noqa: PLC0415

    with progress() as watch, desk(watch, **place) as there:
        release, _ = there.releases.resumable()
        if dry_run:
            step = PutBack(colour=release.colour, versions=release.replaced)
            show_plan((step,), as_json=as_json, release=release.id)
            return
        confirm(f"Give {release.version} in {release.environment} up?", yes=yes)
        ended = there.releases.abort(Journal(watch))
    if as_json:
        document(ended)
    else:
        click.echo(f"{ended.version} is aborted; {ended.colour} runs what it ran before")


@releases.command()
@click.option("--reason", default="rollback", help="Why; kept in the receipt and the record.")
@dry_run_option
@release_options
def rollback(*, reason: str, dry_run: bool, as_json: bool, **place: Any) -> None:
    """Lead users back to where they were, at once and without a question."""
    from sightline.journal import Journal  # noqa: PLC0415 - after --help
    from sightline.releases.steps import LeadBack  # noqa: PLC0415

    with progress() as watch, desk(watch, **place) as there:
        if dry_run:
            show_plan((LeadBack(),), as_json=as_json)
            return
        receipt, problems = there.releases.rollback(Journal(watch), reason=reason)
    for each in problems:
        click.echo(f"! {each}", err=True)
    if as_json:
        document({"receipt": receipt, "problems": problems})
    elif receipt is None:
        click.echo("users were there already: nothing was done")
    else:
        click.echo(f"users are led to {receipt.to} since {receipt.moved_after:g} s")
    if receipt is not None and receipt.outcome == "unfinished":
        raise Failure("; ".join(receipt.problems), code=exits.UNFINISHED)


@releases.command()
@release_options
def status(*, as_json: bool, **place: Any) -> None:
    """The newest release, and how both colours are."""
    with desk(None, **place) as there:
        record, standing = there.releases.record(), there.releases.standing()
        lease = there.world.store.lease()
    if as_json:
        document({"current": words.lean(record.current), "lock": lease, "pending": record.pending,
                  "colours": standing})  # fmt: skip
        return
    for colour in standing.colours:
        users = "serves users" if colour.active else "idle"
        versions = ", ".join(colour.versions) or "-"
        click.echo(f"{colour.component}-{colour.colour}: {versions}, {colour.ready} ready; {users}")
    current = record.current
    if current is not None:
        click.echo(
            f"release {current.version} into {current.colour} by {current.who}: {current.phase}"
        )
        if current.problem:
            click.echo(f"  {current.problem}")
    if lease.holder is not None:
        click.echo(f"locked by {lease.holder} ({lease.reason}) until {lease.until:%H:%M:%S} UTC")
    if record.pending is not None:
        click.echo(f"Git has yet to be told that {record.pending.active} serves")


@releases.command()
@release_options
def history(*, as_json: bool, **place: Any) -> None:
    """The last releases, the newest first."""
    with desk(None, **place) as there:
        record = there.releases.record()
    newest = [] if record.current is None else [record.current]
    found = [*newest, *reversed(record.history)]
    if as_json:
        document([words.lean(each) for each in found])
        return
    click.echo(_VERSIONED.format("RELEASE", "VERSION", "COLOUR", "PHASE", "BEGAN (UTC)", "BY"))
    for each in found:
        began = f"{each.began:%Y-%m-%d %H:%M:%S}"
        row = (each.id[:10], each.version, each.colour, each.phase, began, each.who)
        click.echo(_VERSIONED.format(*row))


@releases.command()
@click.option("--export", "target", type=click.Path(dir_okay=False, path_type=Path),
              help="Write all of it here, as JSON Lines.")  # fmt: skip
@release_options
def audit(*, target: Path | None, as_json: bool, **place: Any) -> None:
    """Who did what; and whether anybody changed that account."""
    from sightline.releases import audit as log  # noqa: PLC0415 - after --help

    with desk(None, **place) as there:
        entries, head = there.world.log.entries(), there.releases.record().audit_head
    flaws = log.flaws(entries, head=head)
    if target is not None:
        target.write_bytes(log.lines(entries))
    if as_json:
        document({"entries": entries, "flaws": flaws})
    else:
        for each in entries:
            version = each.detail.get("version", "")
            click.echo(f"{each.at:%Y-%m-%d %H:%M:%S} {each.who}: {each.what} {version}".rstrip())
    if flaws:
        raise Failure(f"the audit log was tampered with: {'; '.join(flaws)}")


@releases.command("write-back")
@release_options
def write_back(*, as_json: bool, **place: Any) -> None:
    """Tell Git what it could not be told when it happened."""
    with desk(None, **place) as there:
        told = there.releases.told_to_git()
    if as_json:
        document({"told": told})
    else:
        click.echo(told or "Git knows it all")


def _target(there: Desk, version: str, models: str | None, values_file: Path | None) -> Target:
    from sightline.releases.target import targeted  # noqa: PLC0415 - after --help

    return targeted(there.world, version=version, models=models, values_file=values_file)
