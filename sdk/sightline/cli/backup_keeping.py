"""`sightline backups list` and `prune`: which backups there are, and which are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.backup_options import (
    There,
    database_options,
    keep_options,
    place_options,
)
from sightline.cli.backup_places import (
    ending_well,
    keep,
    maybe_opened,
    size,
    target,
    told,
)
from sightline.cli.effects import (
    confirm,
    document,
    effect_options,
    json_option,
    progress,
    show_plan,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.backups.found import Found

_COLUMNS = ("id", "age", "size", "kind", "schema", "head", "encrypted", "verified", "locked until")
_place = click.option(
    "--target", "place", required=True, type=There(),
    help="Where backups are: a folder, or s3://BUCKET/PREFIX.",
)  # fmt: skip


@click.command("list")
@_place
@place_options
@json_option
def list_(*, place: str, as_json: bool, **how: Any) -> None:
    """Say which backups there are, what each is of, and whether it was ever restored."""
    with told():
        there, _ = target(place, **how)
        found = there.found()
    if as_json:
        document({"where": there.where, "backups": found})
        return
    rows = [_COLUMNS, *(_row(each) for each in found)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    for row in rows:
        click.echo("  ".join(map(str.ljust, row, widths)).rstrip())
    for each in found:
        if each.state != "whole":
            click.echo(f"{each.id} is {each.state}: {each.problem or 'it has no manifest'}")


def _row(found: Found) -> tuple[str, ...]:
    from datetime import UTC, datetime  # noqa: PLC0415 - after --help

    locked = f"{found.locked_until:%Y-%m-%d %H:%M}" if found.locked_until else ""
    manifest, proof = found.manifest, found.verification
    if manifest is None:
        return (found.id, "", size(found.stored_bytes), found.state, "", "", "", "", locked)
    hours = (datetime.now(UTC) - manifest.started_at).total_seconds() / 3600
    verified = "never"
    if proof is not None:
        when = f"{proof.verified_at:%Y-%m-%d %H:%M}"
        verified = f"{when}, {proof.restore_seconds:.1f} s" if proof.good else f"FAILED {when}"
    return (
        found.id,
        f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} d",
        size(found.stored_bytes),
        manifest.kind,
        str(manifest.schema_version),
        str(manifest.head),
        "yes" if manifest.encryption else "no",
        verified,
        locked,
    )


@click.command()
@_place
@keep_options
@click.option(
    "--damaged",
    is_flag=True,
    help="Also remove what is damaged, and what was left unfinished a day ago.",
)
@place_options
@database_options
@effect_options
def prune(
    *, place: str, damaged: bool, dry_run: bool, yes: bool, as_json: bool, tools: Path | None,
    wait: float, database: str | None, database_file: Path | None, keep_last: int,
    keep_daily: int, keep_weekly: int, keep_monthly: int, **how: Any,
) -> None:  # fmt: skip
    """Remove backups that no rule keeps; never the newest, the last verified or a locked one.

    Where a database is named, its table of backups hears of it.
    """
    with told(), ending_well("some may be removed"):
        from sightline.backups import pruning  # noqa: PLC0415 - after --help
        from sightline.journal import Journal  # noqa: PLC0415

        kept = keep(
            keep_last=keep_last, keep_daily=keep_daily, keep_weekly=keep_weekly,
            keep_monthly=keep_monthly,
        )  # fmt: skip
        ledger = maybe_opened(
            database=database, database_file=database_file, tools=tools, wait=wait
        )
        there, _ = target(place, **how)
        judged = pruning.verdicts(there, kept, damaged=damaged)
        steps = pruning.plan(there.where, judged)
        if dry_run:
            show_plan(steps, as_json=as_json, verdicts=judged)
            if not as_json:
                _stay(judged)
            return
        if steps:
            confirm(f"Remove {len(steps)} of {len(judged)} backups in {there.where}?", yes=yes)
        with progress() as watch:
            gone = pruning.prune(there, judged, ledger=ledger, journal=Journal(watch))
    if as_json:
        document({"removed": gone, "verdicts": judged})
        return
    click.echo(f"{len(gone)} removed, {len(judged) - len(gone)} kept")
    _stay(judged)


def _stay(judged: Sequence[Any]) -> None:
    for each in judged:
        if each.kept:
            click.echo(f"  {each.id} stays: {each.reason}")
