"""What commands of `sightline backups` have in common: which database, which place, which keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from sightline.cli.duration import Duration

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


from_option = click.option(
    "--from", "place", required=True, type=There(),
    help="A backup, or a folder or s3://BUCKET/PREFIX of backups: the newest.",
)  # fmt: skip


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
