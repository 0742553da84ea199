"""`sightline backups create`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from sightline.cli import exits
from sightline.cli.backup_options import (
    DATABASE,
    KEEP,
    RECIPIENTS,
    Place,
    database_options,
    keep_options,
    place_options,
    recipient_options,
    some,
)
from sightline.cli.backup_places import (
    ending_well,
    keep,
    opened,
    recipients,
    target,
    told,
)
from sightline.cli.effects import document, effect_options, progress, show_plan
from sightline.cli.failure import Failure

if TYPE_CHECKING:
    from sightline.backups.bucket import Lock
    from sightline.backups.ledger import Ledger
    from sightline.backups.retention import Keep
    from sightline.backups.target import Target
    from sightline.journal import Journal


@click.command()
@click.option(
    "--target",
    "place",
    required=True,
    type=Place(),
    help="Where it is kept: a folder, or s3://BUCKET/PREFIX.",
)
@click.option("--schedule-name", help="Which schedule asked for it; kept in the manifest.")
@click.option("--allow-empty", is_flag=True, help="Also a database without a row.")
@recipient_options
@click.option(
    "--object-lock-days",
    type=click.IntRange(min=1),
    help="Nobody can change or delete it in the bucket for so long.",
)
@click.option(
    "--object-lock-mode",
    default="compliance",
    show_default=True,
    type=click.Choice(["compliance", "governance"]),
    help="governance: who has the right to may end it early.",
)
@click.option("--prune", "then_prune", is_flag=True, help="Afterwards remove what no rule keeps.")
@keep_options
@place_options
@database_options
@effect_options
def create(
    *, place: str, schedule_name: str | None, allow_empty: bool,
    object_lock_days: int | None, object_lock_mode: str,
    then_prune: bool, dry_run: bool, yes: bool, as_json: bool, **how: Any,
) -> None:  # fmt: skip
    """Dump the database, check the dump, and write down what is in it."""
    del yes  # nothing is asked
    with told(), ending_well("there is no backup"):
        from sightline.backups import making  # noqa: PLC0415 - after --help

        kept = keep(**some(how, KEEP))
        database = opened(**some(how, DATABASE))
        for_whom = recipients(**some(how, RECIPIENTS))
        lock = _lock(object_lock_days, object_lock_mode)
        there, named = target(place, **how, lock=lock)
        if named is not None:
            raise Failure(f"{place} is a backup: name the folder that it is in", code=exits.USAGE)
        if dry_run:
            database.require()
            show_plan(making.plan_create(database.where, there.where, for_whom), as_json=as_json)
            return
        from sightline.journal import Journal  # noqa: PLC0415

        with progress() as watch:
            journal = Journal(watch)
            made = making.create(
                database, there, recipients=for_whom, allow_empty=allow_empty,
                schedule=schedule_name, journal=journal,
            )  # fmt: skip
            gone = _pruned(there, kept, database, journal) if then_prune else ()
    manifest = made.manifest
    if as_json:
        document(
            {
                "location": made.location,
                # As it was called when there were only folders.
                "folder": made.location,
                **msgspec.to_builtins(manifest),
                **({"pruned": gone} if then_prune else {}),
            }
        )
        return
    click.echo(
        f"{made.location}: {manifest.size_bytes} bytes, schema {manifest.schema_version},"
        f" head {manifest.head}{', encrypted' if manifest.encryption else ''}"
    )
    for name, rows in sorted(manifest.tables.items()):
        click.echo(f"  {name:<14}{rows:>12}")
    for name in gone:
        click.echo(f"removed {name}")


def _lock(days: int | None, mode: str) -> Lock | None:
    if days is None:
        return None
    from sightline.backups.bucket import Lock  # noqa: PLC0415 - an extra

    return Lock(days=days, mode="GOVERNANCE" if mode == "governance" else "COMPLIANCE")


def _pruned(there: Target, kept: Keep, ledger: Ledger, journal: Journal) -> tuple[str, ...]:
    """The backup is there: what fails now is told as what is left to do."""
    from sightline.backups import pruning  # noqa: PLC0415 - after --help
    from sightline.backups.errors import BackupError  # noqa: PLC0415

    try:
        judged = pruning.verdicts(there, kept)
        return pruning.prune(there, judged, ledger=ledger, journal=journal)
    except BackupError as error:
        raise Failure(
            f"the backup is there, and older ones could not be removed: {error}",
            code=exits.UNFINISHED,
        ) from error
