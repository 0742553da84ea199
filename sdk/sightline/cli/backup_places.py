"""What the options of `sightline backups` name: a place, a database, keys; and how they end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from sightline.cli import exits
from sightline.cli.failure import Failure, missing

if TYPE_CHECKING:
    from sightline.backups.bucket import Lock
    from sightline.backups.encryption import Identities
    from sightline.backups.postgres import PostgresDatabase
    from sightline.backups.retention import Keep
    from sightline.backups.sqlite import SqliteDatabase
    from sightline.backups.target import Target


def recipients(
    *, recipients: tuple[str, ...], recipients_files: tuple[Path, ...]
) -> tuple[str, ...]:
    """The public keys that those options name."""
    if not recipients and not recipients_files:
        return ()
    from sightline.backups import encryption  # noqa: PLC0415 - an extra

    return encryption.recipients(recipients, recipients_files)


def keep(*, keep_last: int, keep_daily: int, keep_weekly: int, keep_monthly: int) -> Keep:
    """What those options say."""
    from sightline.backups.retention import Keep  # noqa: PLC0415 - after --help

    return Keep(last=keep_last, daily=keep_daily, weekly=keep_weekly, monthly=keep_monthly)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What goes wrong is a sentence, and what is not installed is one, too."""
    from sightline.backups.errors import BackupError  # noqa: PLC0415 - after --help

    try:
        yield
    except BackupError as error:
        raise Failure(str(error)) from error
    except ImportError as error:
        raise missing(error, "deploy") from error


@contextlib.contextmanager
def ending_well(said: str) -> Iterator[None]:
    """A Job that is over its time gets SIGTERM: what was begun is then written down as ended."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        raise Failure(f"interrupted: {said}", code=exits.INTERRUPTED) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def target(
    place: str,
    *,
    endpoint_url: str | None,
    region: str | None,
    credentials_file: Path | None,
    scratch: Path | None,
    lock: Lock | None = None,
) -> tuple[Target, str | None]:
    """The place, and the id of the one backup in it that is named, if one is."""
    from sightline.backups.found import ID  # noqa: PLC0415 - after --help
    from sightline.backups.target import MANIFEST  # noqa: PLC0415 - after --help

    if not place.startswith("s3://"):
        if lock is not None:
            raise Failure("a folder cannot be locked: --object-lock-days is of s3://… alone")
        from sightline.backups.folder import FolderTarget  # noqa: PLC0415

        folder = Path(place).absolute()
        if any((folder / each).exists() for each in (MANIFEST, "dump", "dump.age")):
            return FolderTarget(folder.parent), folder.name
        return FolderTarget(folder), None
    from sightline.backups.bucket import Bucket  # noqa: PLC0415
    from sightline.backups.s3 import S3Target  # noqa: PLC0415

    bucket, _, prefix = place.removeprefix("s3://").strip("/").partition("/")
    parent, _, last = prefix.rpartition("/")
    name = last if ID.fullmatch(last) else None
    reached = Bucket(
        name=bucket,
        prefix=prefix if name is None else parent,
        endpoint_url=endpoint_url,
        region=region,
        credentials_file=credentials_file,
    )
    return S3Target(reached, lock=lock, scratch=scratch), name


def keys(identities: Sequence[Path]) -> Identities | None:
    """The holders of secret keys; None where no file is named."""
    if not identities:
        return None
    from sightline.backups.encryption import Identities  # noqa: PLC0415 - an extra

    return Identities(identities)


def _by_default(name: str) -> bool:
    """Whether an option was not typed: the environment says it."""
    context = click.get_current_context()
    return context.get_parameter_source(name) == ParameterSource.DEFAULT_MAP


def url_in(url: str | None, file: Path | None, *, what: str = "database") -> str | Path | None:
    """A URL, or the SQLite file itself; None where neither is given."""
    from sightline.backups.sqlite import MAGIC  # noqa: PLC0415 - after --help

    if url is not None and file is not None and not _by_default(f"{what}_file"):
        raise click.UsageError(f"--{what} and --{what}-file exclude each other")
    if file is None or url is not None:
        return url
    try:
        with file.open("rb") as opened:
            head = opened.read(4096)
    except OSError as error:
        raise Failure(f"--{what}-file: {file}: {error.strerror}") from error
    return file if head.startswith(MAGIC) else head.decode(errors="replace").strip()


def opened(
    *, database: str | None, database_file: Path | None, tools: Path | None, wait: float
) -> SqliteDatabase | PostgresDatabase:
    """The database that those options name."""
    found = maybe_opened(database=database, database_file=database_file, tools=tools, wait=wait)
    if found is None:
        raise Failure("say which database: --database or --database-file", code=exits.USAGE)
    return found


def maybe_opened(
    *, database: str | None, database_file: Path | None, tools: Path | None, wait: float
) -> SqliteDatabase | PostgresDatabase | None:
    """The same; None where they name none."""
    from sightline.backups.sqlite import SqliteDatabase  # noqa: PLC0415 - after --help

    url = url_in(database, database_file)
    if not url:
        return None
    if isinstance(url, Path):
        return SqliteDatabase(url)
    if url.startswith("sqlite:///"):
        return SqliteDatabase(Path(url.removeprefix("sqlite:///")))
    postgres = server(url, tools=tools, open_to_all=database_file is None)
    postgres.wait(wait)
    return postgres


def server(
    url: str, *, tools: Path | None, open_to_all: bool, what: str = "database"
) -> PostgresDatabase:
    """PostgreSQL's; a password that anybody could have read is refused."""
    if not url.startswith(("postgres://", "postgresql://")):
        names = "sqlite:///FILE or postgresql://…; what is given is neither"
        if what != "database":
            names = "postgresql://…; what is given is not"
        raise Failure(f"the {what} is named {names}", code=exits.USAGE)
    try:
        from sightline.backups.postgres import PostgresDatabase  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing(error, "deploy") from error
    if open_to_all and PostgresDatabase.has_password(url):
        raise Failure(
            f"--{what}: a password on the command line is seen by everybody: name its file with"
            f" --{what}-file",
            code=exits.USAGE,
        )
    return PostgresDatabase(url, tools=tools)


def size(count: int) -> str:
    """Bytes, for people."""
    if count < 1_000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1_000
        if value < 999.5:
            return f"{value:.3g} {unit}"
    return f"{value / 1_000:.3g} TB"
