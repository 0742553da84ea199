"""What commands of `sightline backups` have in common: which database, which place, which keys."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from sightline.cli import exits
from sightline.cli.duration import Duration
from sightline.cli.failure import Failure, missing

if TYPE_CHECKING:
    from sightline.backups.bucket import Lock
    from sightline.backups.encryption import Identities
    from sightline.backups.postgres import PostgresDatabase
    from sightline.backups.retention import Keep
    from sightline.backups.sqlite import SqliteDatabase
    from sightline.backups.target import Target

Command = TypeVar("Command", bound=Callable[..., None])
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
DATABASE = ("database", "database_file", "tools", "wait")
KEEP = ("keep_last", "keep_daily", "keep_weekly", "keep_monthly")
RECIPIENTS = ("recipients", "recipients_files")
"""The names of options that belong together."""


def _options(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    def give(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return give


def database_options(command: Command) -> Command:
    """Which database."""
    return _options(
        click.option("--database", metavar="URL", help="Its URL, without a password."),
        click.option("--database-file",
                     type=click.Path(dir_okay=False, path_type=Path),
                     help="File with the database's URL, as the gateway has it; or a SQLite file."),
        click.option("--wait", type=Duration(), default=0.0,
                     help="For a PostgreSQL that does not answer yet (1m)."),
        tools_option,
    )(command)  # fmt: skip


tools_option = click.option(
    "--postgres-tools", "tools", type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where pg_dump and pg_restore are; by default where they usually are.",
)  # fmt: skip


class Place(click.ParamType[str]):
    """A folder, or s3://BUCKET/PREFIX."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As it is, if it can be one."""
        text = str(value)
        if text.startswith("s3://"):
            if not text.removeprefix("s3://").partition("/")[0]:
                self.fail(f"{text} names no bucket: s3://BUCKET/PREFIX", param, ctx)
        elif "://" in text:
            self.fail(f"{text} is neither a folder nor s3://BUCKET/PREFIX", param, ctx)
        elif Path(text).is_file():
            self.fail(f"{text} is a file", param, ctx)
        return text


class There(Place):
    """One that is there, as far as that can be seen from here."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """As it is, if it can be one."""
        text = super().convert(value, param, ctx)
        if "://" not in text and not Path(text).exists():
            self.fail(f"the folder {text} does not exist", param, ctx)
        return text


def _take_from(context: click.Context, _parameter: click.Parameter, name: str | None) -> None:
    """What the environment says is the default of each option that says the same."""
    if name is None:
        return
    # Only once it is named: a file of YAML takes a while.
    from sightline.cli.environment import environment  # noqa: PLC0415

    said = environment(name).backups
    given = {
        "place": said.target,
        "endpoint_url": said.endpoint_url,
        "database_file": said.database_file,
        "recipients": said.recipients,
        "object_lock_days": said.object_lock_days or None,
    }
    context.default_map = {key: value for key, value in given.items() if value}


env_option = click.option(
    "--env", metavar="NAME", envvar="SIGHTLINE_ENV", is_eager=True, expose_value=False,
    callback=_take_from,
    help="Place, keys and database of environments/NAME.yaml (or SIGHTLINE_ENV).",
)  # fmt: skip


def place_options(command: Command) -> Command:
    """How the place for backups is reached, where it is a bucket; or an environment says all."""
    return _options(
        env_option,
        click.option("--endpoint-url", metavar="URL",
                     help="Of an S3 that is not Amazon's (Garage, Ceph)."),
        click.option("--region", help="The bucket's; by default as usual, else us-east-1."),
        click.option("--credentials-file", type=FILE,
                     help="Keys, as in ~/.aws/credentials; by default the usual chain."),
        click.option("--scratch", type=click.Path(exists=True, file_okay=False, path_type=Path),
                     help="Where large files lie meanwhile; by default the temporary folder."),
    )(command)  # fmt: skip


identity_option = click.option(
    "--identity", "identities", type=FILE, multiple=True,
    help="File with the secret key of age, for what is encrypted.",
)  # fmt: skip


def recipient_options(command: Command) -> Command:
    """For whom it is encrypted."""
    return _options(
        click.option("--recipient", "recipients", multiple=True, metavar="KEY",
                     help="Encrypt it for this public key of age (age1…); also several."),
        click.option("--recipients-file", "recipients_files", multiple=True, type=FILE,
                     help="The same, a key a line."),
    )(command)  # fmt: skip


def recipients(
    *, recipients: tuple[str, ...], recipients_files: tuple[Path, ...]
) -> tuple[str, ...]:
    """The public keys that those options name."""
    if not recipients and not recipients_files:
        return ()
    from sightline.backups import encryption  # noqa: PLC0415 - an extra

    return encryption.recipients(recipients, recipients_files)


def some(how: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Take those options out of all that were given."""
    return {each: how.pop(each) for each in names}


def keep_options(command: Command) -> Command:
    """How many are kept."""
    return _options(
        click.option("--keep-last", type=click.IntRange(min=0), default=7, show_default=True,
                     help="The newest so many."),
        click.option("--keep-daily", type=click.IntRange(min=0), default=7, show_default=True,
                     help="The newest of each of so many days."),
        click.option("--keep-weekly", type=click.IntRange(min=0), default=4, show_default=True,
                     help="The newest of each of so many weeks."),
        click.option("--keep-monthly", type=click.IntRange(min=0), default=6, show_default=True,
                     help="The newest of each of so many months."),
    )(command)  # fmt: skip


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
