"""`sightline backups restore`: into a database with nothing in it, or instead of the one in use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sightline.cli import exits
from sightline.cli.backup_options import (
    database_options,
    from_option,
    identity_option,
    place_options,
)
from sightline.cli.backup_places import (
    ending_well,
    keys,
    opened,
    target,
    told,
)
from sightline.cli.effects import confirm, document, effect_options, progress, show_plan
from sightline.cli.failure import Failure

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.backups.manifest import Manifest
    from sightline.backups.postgres import PostgresDatabase
    from sightline.backups.sqlite import SqliteDatabase
    from sightline.backups.swapping import Discard, Live, Swappable


class Newer(click.ParamType[Any]):
    """A number of events, or that nobody knows it."""

    name = "events"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or `unknown`."""
        if value == "unknown" or isinstance(value, int):
            return value
        if not str(value).isdigit():
            self.fail(f"{value!r} is neither a number of events nor unknown", param, ctx)
        return int(value)


@click.command()
@from_option
@click.option(
    "--swap", is_flag=True, help="Instead of the database in use, which is kept under another name."
)
@click.option(
    "--discard-newer",
    "discard",
    type=Newer(),
    metavar="EVENTS",
    help="With --swap: so many events that came after the backup may be lost.",
)
@click.option(
    "--confirm",
    "confirmed",
    metavar="NAME",
    help="With --swap: the database's name, instead of typing it.",
)
@identity_option
@place_options
@database_options
@effect_options
def restore(
    *, place: str, swap: bool, discard: Discard, confirmed: str | None,
    identities: tuple[Path, ...], dry_run: bool, yes: bool, as_json: bool,
    database: str | None, database_file: Path | None, tools: Path | None, wait: float,
    **how: Any,
) -> None:  # fmt: skip
    """Restore a backup, and compare each table and what is true of every gateway's database."""
    del yes  # --swap is confirmed by a name
    if not swap and (discard is not None or confirmed is not None):
        raise click.UsageError("--discard-newer and --confirm are of --swap")
    with told(), ending_well("nothing is restored"):
        from sightline.backups import making, verifying  # noqa: PLC0415 - after --help
        from sightline.backups.target import choose  # noqa: PLC0415
        from sightline.journal import Journal  # noqa: PLC0415

        into = opened(database=database, database_file=database_file, tools=tools, wait=wait)
        there, named = target(place, **how)
        name = choose(there, named)
        held, scratch = keys(identities), how["scratch"]
        if swap:
            _swap(into, there, name, discard=discard, confirmed=confirmed, held=held,
                  scratch=scratch, dry_run=dry_run, as_json=as_json)  # fmt: skip
            return
        if dry_run:
            manifest = verifying.require(there, name)
            show_plan(making.plan_restore(there.where, manifest, into.where), as_json=as_json)
            return
        with progress() as watch:
            done = making.restore(
                into, there, name, keys=held, scratch=scratch, journal=Journal(watch)
            )
    if as_json:
        document(done)
        return
    click.echo(f"{done.location} is in {done.database}, as it was: {done.seconds:g} s")
    for table, rows in sorted(done.tables.items()):
        click.echo(f"  {table:<14}{rows:>12}")


def _swap(
    into: SqliteDatabase | PostgresDatabase, there: Any, name: str, *, discard: Discard,
    confirmed: str | None, held: Any, scratch: Path | None, dry_run: bool, as_json: bool,
) -> None:  # fmt: skip
    from sightline.backups import swapping, verifying  # noqa: PLC0415 - after --help
    from sightline.journal import Journal  # noqa: PLC0415

    live = _swappable(into)
    if confirmed is not None and confirmed != live.name:
        raise Failure(
            f"--confirm {confirmed}: the database is called {live.name}", code=exits.USAGE
        )

    manifest = verifying.require(there, name)
    with live.held() as found:
        swapping.refuse(found, manifest, where=live.where, discard=discard)
    if dry_run:
        show_plan(swapping.plan(there.where, manifest, live, found), as_json=as_json)
        return
    if confirmed is None:
        confirm(_question(live, manifest, found), yes=False, typed=live.name)
    with progress() as watch:
        done = swapping.swap(
            live, there, name, discard=discard, keys=held, scratch=scratch,
            journal=Journal(watch),
        )  # fmt: skip
    if as_json:
        document(done)
        return
    click.echo(f"{done.location} is {done.database} now: {done.seconds:g} s")
    click.echo(f"  nobody got in for {done.swap_seconds:g} s")
    if done.kept is not None:
        click.echo(f"  what was in use is kept as {done.kept}")


def _question(live: Swappable, manifest: Manifest, found: Live) -> str:
    newer = "nobody knows how many" if found.head is None else max(0, found.head - manifest.head)
    made = f"{manifest.started_at:%Y-%m-%d %H:%M} UTC"
    lost = f" {newer} newer events are then in the old one alone." if found.exists else ""
    return (
        f"{live.where} becomes what {manifest.source} was at {made} (head {manifest.head}).{lost}"
    )


def _swappable(into: SqliteDatabase | PostgresDatabase) -> Swappable:
    from sightline.backups.sqlite import SqliteDatabase  # noqa: PLC0415 - after --help

    if isinstance(into, SqliteDatabase):
        from sightline.backups.sqlite_swap import SqliteSwap  # noqa: PLC0415

        return SqliteSwap(into)
    from sightline.backups.postgres_swap import PostgresSwap  # noqa: PLC0415

    return PostgresSwap(into)
