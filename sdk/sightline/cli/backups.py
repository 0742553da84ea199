"""`sightline backups`: make a backup of the gateway's database, and restore one."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sightline.cli import exits
from sightline.cli.duration import Duration
from sightline.cli.failure import Failure, missing

if TYPE_CHECKING:
    from sightline.backups.ledger import Database


def _database_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout."),
        click.option("--postgres-tools", "tools",
                     type=click.Path(exists=True, file_okay=False, path_type=Path),
                     help="Where pg_dump and pg_restore are; by default where they usually are."),
        click.option("--wait", type=Duration(), default=0.0,
                     help="For a PostgreSQL that does not answer yet (1m)."),
        click.option("--database-file",
                     type=click.Path(dir_okay=False, path_type=Path),
                     help="File with the database's URL, as the gateway has it; or a SQLite file."),
        click.option("--database", metavar="URL",
                     help="Its URL, without a password."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.group()
def backups() -> None:
    """Back the gateway's database up, and restore it."""


@backups.command()
@click.option("--target", required=True, type=click.Path(file_okay=False, path_type=Path),
              help="The folder to make it in.")  # fmt: skip
@click.option("--schedule-name", help="Which schedule asked for it; kept in the manifest.")
@click.option("--allow-empty", is_flag=True, help="Also a database without a row.")
@_database_options
def create(
    *, target: Path, schedule_name: str | None, allow_empty: bool, as_json: bool, **named: Any
) -> None:
    """Dump the database, check the dump, and write down what is in it."""
    from sightline.backups import making  # noqa: PLC0415 - after --help

    with _told(), _ending_well():
        place, made = making.create(
            _opened(**named), target, allow_empty=allow_empty, schedule=schedule_name
        )
    if as_json:
        _document({"folder": str(place), **msgspec.to_builtins(made)})
        return
    click.echo(f"{place}: {made.size_bytes} bytes, schema {made.schema_version}, head {made.head}")
    for name, rows in sorted(made.tables.items()):
        click.echo(f"  {name:<14}{rows:>12}")


@backups.command()
@click.option("--from", "source", required=True, type=click.Path(exists=True, path_type=Path),
              help="A backup, or a folder of backups: the newest.")  # fmt: skip
@_database_options
def restore(*, source: Path, as_json: bool, **named: Any) -> None:
    """Restore a backup into a database with nothing in it, and compare each table."""
    from sightline.backups import making  # noqa: PLC0415 - after --help

    with _told(), _ending_well():
        done = making.restore(_opened(**named), source)
    if as_json:
        _document(done)
        return
    click.echo(f"{done.folder} is in {done.database}, as it was: {done.seconds:g} s")
    for name, rows in sorted(done.tables.items()):
        click.echo(f"  {name:<14}{rows:>12}")


def _document(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


@contextlib.contextmanager
def _told() -> Iterator[None]:
    from sightline.backups.errors import BackupError  # noqa: PLC0415 - after --help

    try:
        yield
    except BackupError as error:
        raise Failure(str(error)) from error


@contextlib.contextmanager
def _ending_well() -> Iterator[None]:
    """A Job that is over its time gets SIGTERM: what was begun is then written down as ended."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise Failure("interrupted: there is no backup", code=exits.INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _opened(
    *, database: str | None, database_file: Path | None, tools: Path | None, wait: float
) -> Database:
    from sightline.backups.sqlite import MAGIC, SqliteDatabase  # noqa: PLC0415 - after --help

    if database is not None and database_file is not None:
        raise click.UsageError("--database and --database-file exclude each other")
    url = database
    if database_file is not None:
        try:
            with database_file.open("rb") as opened:
                head = opened.read(4096)
        except OSError as error:
            raise Failure(f"--database-file: {database_file}: {error.strerror}") from error
        if head.startswith(MAGIC):
            return SqliteDatabase(database_file)
        url = head.decode(errors="replace").strip()
    if not url:
        raise Failure("say which database: --database or --database-file", code=exits.USAGE)
    if url.startswith("sqlite:///"):
        return SqliteDatabase(Path(url.removeprefix("sqlite:///")))
    if not url.startswith(("postgres://", "postgresql://")):
        raise Failure(
            "the database is named sqlite:///FILE or postgresql://…; what is given is neither",
            code=exits.USAGE,
        )
    try:
        from sightline.backups.postgres import PostgresDatabase  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing(error, "deploy") from error
    if database_file is None and PostgresDatabase.has_password(url):
        raise Failure(
            "--database: a password on the command line is seen by everybody: name its file with"
            " --database-file",
            code=exits.USAGE,
        )
    postgres = PostgresDatabase(url, tools=tools)
    postgres.wait(wait)
    return postgres
