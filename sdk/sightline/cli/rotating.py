"""`sightline secrets rotate`: new keys and passwords, with the old ones good for a while."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli.duration import Duration
from sightline.cli.effects import confirm, document, effect_options, progress, show_plan
from sightline.cli.secrets import told

if TYPE_CHECKING:
    from sightline.secrets.folder import Folder
    from sightline.secrets.rotation import Rotation

_NEXT = (
    "then bring it to the services: python deploy/helm/entrust.py --folder {folder} … | kubectl"
    " apply --server-side -f - (or | sightline secrets seal …)"
)


def _folder_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--folder", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The folder of secrets, as entrust.py's.",
    )(command)  # fmt: skip


_finish = click.option("--finish", is_flag=True, help="End what was replaced before.")


@click.group()
def rotate() -> None:
    """Make new keys and passwords; the earlier ones are good for a while, then end."""


@rotate.command()
@_folder_option
@click.option(
    "--settle",
    type=Duration(),
    default=180.0,
    show_default="3m",
    help="Until the new key signs: every replica must have read it by then.",
)
@click.option(
    "--token-life",
    type=Duration(),
    default=86_400.0,
    show_default="1d",
    help="How long tokens are good, as access.token_seconds at most says.",
)
@click.option(
    "--at-once",
    is_flag=True,
    help="Drop all earlier keys now, with every token: when one has leaked.",
)
@_finish
@effect_options
def token(
    *,
    folder: Path,
    settle: float,
    token_life: float,
    at_once: bool,
    finish: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """The key that tokens (JWT) are signed with."""
    from sightline.secrets import rotation  # noqa: PLC0415 - after --help

    def planned(where: Folder) -> Rotation:
        return rotation.token(
            where, now=datetime.now(UTC), settle=timedelta(seconds=settle),
            token_life=timedelta(seconds=token_life), finish=finish, at_once=at_once,
        )  # fmt: skip

    _exclusive(finish=finish, at_once=at_once)
    _take(planned, folder, dry_run=dry_run, yes=yes, as_json=as_json)


@rotate.command()
@click.argument("holder", nargs=-1)
@_folder_option
@click.option(
    "--overlap",
    type=Duration(),
    default=604_800.0,
    show_default="7d",
    help="How long the earlier keys still open.",
)
@click.option("--at-once", is_flag=True, help="End the earlier keys now: when one has leaked.")
@_finish
@effect_options
def keys(
    *,
    holder: tuple[str, ...],
    folder: Path,
    overlap: float,
    at_once: bool,
    finish: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """API keys: of HOLDER, or of everybody in the folder."""
    from sightline.secrets import rotation  # noqa: PLC0415 - after --help

    def planned(where: Folder) -> Rotation:
        span = timedelta(seconds=0 if at_once else overlap)
        return rotation.keys(where, holder, now=datetime.now(UTC), overlap=span, finish=finish)

    _exclusive(finish=finish, at_once=at_once)
    _take(planned, folder, dry_run=dry_run, yes=yes, as_json=as_json)


@rotate.command()
@_folder_option
@click.option(
    "--through",
    metavar="HOST:PORT",
    help="Where the database is reached from here, as through a port-forward.",
)
@click.option(
    "--admin-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the address of a user that may make roles, where the owner may not.",
)
@_finish
@effect_options
def database(
    *,
    folder: Path,
    through: str | None,
    admin_file: Path | None,
    finish: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """The login and password by which the gateway enters PostgreSQL."""
    from sightline.journal import Journal  # noqa: PLC0415 - after --help
    from sightline.secrets import folder as folders  # noqa: PLC0415
    from sightline.secrets import rotation  # noqa: PLC0415

    with told():
        where = folders.Folder(folder, make=False)
        step = rotation.database_step(where, finish=finish)
        if dry_run:
            show_plan([step], as_json=as_json)
            return
        confirm(f"{step.sentence}?", yes=yes)
        admin = folders.read(admin_file).decode(errors="replace").strip() if admin_file else None
        with progress() as watch:
            rotation.database(
                where, finish=finish, place=through, admin_url=admin, journal=Journal(watch)
            )
    _done([step], folder, as_json=as_json)


def _exclusive(*, finish: bool, at_once: bool) -> None:
    if finish and at_once:
        raise click.UsageError("--finish and --at-once exclude each other")


def _take(
    plan: Callable[[Folder], Rotation], folder: Path, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    from sightline.journal import Journal  # noqa: PLC0415 - after --help
    from sightline.secrets import rotation  # noqa: PLC0415
    from sightline.secrets.folder import Folder  # noqa: PLC0415

    with told():
        where = Folder(folder, make=False)
        planned = plan(where)
        if dry_run or not planned.steps:
            show_plan(planned.steps, as_json=as_json)
            return
        for step in planned.steps:
            click.echo(f"  {step.sentence}", err=True)
        confirm(f"Change {where.path}?", yes=yes)
        with progress() as watch:
            rotation.take(planned, where, Journal(watch))
        _done(planned.steps, where.path, as_json=as_json)


def _done(steps: Any, folder: Path, *, as_json: bool) -> None:
    if as_json:
        document({"done": [{"sentence": step.sentence, "step": step} for step in steps]})
        return
    click.echo(_NEXT.format(folder=folder))
