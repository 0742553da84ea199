"""`sightline backups verify` and `drill`: backups restored for proof, where nobody is disturbed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli import exits
from sightline.cli.backup_options import (
    RECIPIENTS,
    Place,
    database_options,
    from_option,
    identity_option,
    place_options,
    recipient_options,
    some,
)
from sightline.cli.backup_places import (
    ending_well,
    keys,
    maybe_opened,
    opened,
    recipients,
    server,
    target,
    told,
    url_in,
)
from sightline.cli.duration import Duration
from sightline.cli.effects import document, effect_options, progress, show_plan
from sightline.cli.failure import Failure

if TYPE_CHECKING:
    from sightline.backups.drill import Drill
    from sightline.backups.ledger import Database
    from sightline.backups.rooms import Room


def _room_options(command: Any) -> Any:
    for option in (
        click.option("--with-own-server", "own", is_flag=True,
                     help="A PostgreSQL in a temporary folder, of the installed version."),
        click.option("--server-file", type=click.Path(dir_okay=False, path_type=Path),
                     help="The same, in a file."),
        click.option("--server", metavar="URL",
                     help="PostgreSQL that gets a throwaway database, without a password."),
    ):  # fmt: skip
        command = option(command)
    return command


def _room(
    *, server_url: str | None, server_file: Path | None, own: bool, tools: Path | None,
    scratch: Path | None,
) -> Room:  # fmt: skip
    from sightline.backups import rooms  # noqa: PLC0415 - after --help

    url = url_in(server_url, server_file, what="server")
    if own and url is not None:
        raise click.UsageError("--with-own-server and --server exclude each other")
    if own:
        return rooms.OwnServerRoom(tools=tools, scratch=scratch)
    if not isinstance(url, str) or url.startswith("sqlite:///"):
        return rooms.FileRoom(scratch)
    server(url, tools=tools, open_to_all=server_file is None, what="server")
    return rooms.ServerRoom(url, tools=tools)


@click.command()
@from_option
@_room_options
@identity_option
@place_options
@database_options
@effect_options
def verify(
    *, place: str, server: str | None, server_file: Path | None, own: bool,
    identities: tuple[Path, ...], dry_run: bool, yes: bool, as_json: bool, tools: Path | None,
    wait: float, database: str | None, database_file: Path | None, **how: Any,
) -> None:  # fmt: skip
    """Really restore a backup into a throwaway database, compare, and measure.

    The outcome is written beside the manifest; where a database is named, also into its table of
    backups, where metrics and alerts see it.
    """
    del yes  # nothing is asked
    with told(), ending_well("nothing is verified"):
        from sightline.backups import verifying  # noqa: PLC0415 - after --help
        from sightline.backups.target import choose  # noqa: PLC0415
        from sightline.journal import Journal  # noqa: PLC0415

        scratch = how["scratch"]
        room = _room(
            server_url=server, server_file=server_file, own=own, tools=tools, scratch=scratch
        )
        ledger = maybe_opened(
            database=database, database_file=database_file, tools=tools, wait=wait
        )
        there, named = target(place, **how)
        name = choose(there, named)
        if dry_run:
            manifest = verifying.require(there, name)
            where = None if ledger is None else ledger.where
            show_plan(verifying.plan(there.where, manifest, room.where, where), as_json=as_json)
            return
        with progress() as watch:
            done = verifying.verify(
                there, name, room, keys=keys(identities), ledger=ledger, scratch=scratch,
                journal=Journal(watch),
            )  # fmt: skip
    if as_json:
        document(done)
        return
    click.echo(
        f"{there.where}/{name} can be restored: each table and each invariant is as it was"
        f" ({done.server}); {done.restore_seconds:g} s"
    )


@click.command()
@click.option(
    "--target",
    "place",
    required=True,
    type=Place(),
    help="Where backups are: a folder, or s3://BUCKET/PREFIX.",
)
@click.option(
    "--create", "first", is_flag=True, help="Make a backup first; else the newest counts."
)
@_room_options
@click.option(
    "--gateway/--no-gateway",
    default=True,
    show_default=True,
    help="Start a gateway on what was restored; it must answer and deliver.",
)
@click.option("--rpo", type=Duration(), help="Fail where more than this would be lost (26h).")
@click.option("--rto", type=Duration(), help="Fail where it would take longer (30m).")
@click.option(
    "--report",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write the report into this folder, as JSON and as Markdown.",
)
@recipient_options
@identity_option
@place_options
@database_options
@effect_options
def drill(
    *, place: str, first: bool, server: str | None, server_file: Path | None, own: bool,
    gateway: bool, rpo: float | None, rto: float | None, report: Path | None,
    identities: tuple[Path, ...], dry_run: bool, yes: bool, as_json: bool, tools: Path | None,
    wait: float, database: str | None, database_file: Path | None, **how: Any,
) -> None:  # fmt: skip
    """Practise a disaster: lose the database, restore elsewhere, and report what that costs.

    Nothing that is in use is touched: of a database that is named only the newest event is asked.
    """
    del yes  # nothing is asked
    with told(), ending_well("the drill is not over"):
        from sightline.backups import drill as exercise  # noqa: PLC0415 - after --help
        from sightline.backups import making, tryout, verifying  # noqa: PLC0415
        from sightline.backups.target import choose  # noqa: PLC0415
        from sightline.journal import Journal  # noqa: PLC0415

        given = {"database": database, "database_file": database_file, "tools": tools, "wait": wait}
        scratch = how["scratch"]
        room = _room(
            server_url=server, server_file=server_file, own=own, tools=tools, scratch=scratch
        )
        for_whom = recipients(**some(how, RECIPIENTS))
        source = opened(**given) if first else maybe_opened(**given)  # type: ignore[arg-type]
        there, named = target(place, **how)
        if gateway:
            tryout.program()
        with progress() as watch:
            if first and not dry_run and source is not None:
                making.create(source, there, recipients=for_whom, journal=Journal(watch))
            manifest = verifying.require(there, choose(there, named))
            if dry_run:
                steps = exercise.plan(there.where, manifest, room.where, gateway=gateway)
                made = (
                    making.plan_create(source.where, there.where, for_whom)
                    if first and source
                    else []
                )
                show_plan([*made, *steps], as_json=as_json)
                return
            done = exercise.drill(
                there, manifest, room,
                url=_gateway_url if gateway else None,
                head=None if source is None else source.newest(),
                limits=exercise.Limits(rpo=rpo, rto=rto),
                keys=keys(identities), scratch=scratch, journal=Journal(watch),
            )  # fmt: skip
    _report(done, report, as_json=as_json)
    if not done.passed:
        raise Failure(f"the drill failed: {'; '.join(done.problems)}")


def _report(done: Drill, folder: Path | None, *, as_json: bool) -> None:
    import msgspec  # noqa: PLC0415 - after --help

    from sightline.backups.drill import page  # noqa: PLC0415

    if folder is not None:
        name = f"drill-{done.lost_at:%Y%m%dT%H%M%SZ}"
        encoded = msgspec.json.format(msgspec.json.encode(done), indent=2) + b"\n"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{name}.json").write_bytes(encoded)
            (folder / f"{name}.md").write_text(page(done), encoding="utf-8")
        except OSError as error:
            raise Failure(f"--report: {folder}: {error.strerror}", code=exits.FAILED) from error
    if as_json:
        document(done)
    else:
        click.echo(page(done), nl=False)


def _gateway_url(database: Database) -> str:
    """How a gateway names it."""
    from sightline.backups.sqlite import SqliteDatabase  # noqa: PLC0415 - after --help

    if isinstance(database, SqliteDatabase):
        return f"sqlite:///{database.where}"
    return str(getattr(database, "url"))  # noqa: B009 - PostgreSQL's, which is an extra
