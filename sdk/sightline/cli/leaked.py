"""`sightline secrets scan`: look for secrets where none should be."""

from __future__ import annotations

from pathlib import Path

import click

from sightline.cli import exits
from sightline.cli.effects import document, json_option
from sightline.cli.secrets import told


@click.command()
@click.argument(
    "paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[PATH]..."
)
@click.option(
    "--git", "history", is_flag=True, help="Also every version of every file that Git remembers."
)
@click.option("--staged", is_flag=True, help="Only what the next commit would change.")
@click.option(
    "--allow",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File of exceptions; by default .secrets-allowed.toml in the repository's root.",
)
@json_option
def scan(
    *, paths: tuple[Path, ...], history: bool, staged: bool, allow: Path | None, as_json: bool
) -> None:
    """Look for secrets where none should be: in files, or in what Git has.

    Without PATH: all files of this repository that Git does not ignore. The exit code is 1 when one
    is found.
    """
    from sightline.secrets import exceptions, searching  # noqa: PLC0415 - after --help

    if staged and (history or paths):
        raise click.UsageError("--staged goes with neither --git nor PATH")
    with told():
        root = searching.top(Path.cwd())
        if allow is None and root is not None and (root / exceptions.NAME).is_file():
            allow = root / exceptions.NAME
        exemptions = exceptions.read(allow) if allow else exceptions.Exemptions()
        contents = searching.everything(root, paths, staged_only=staged, remembered=history)
        found = searching.search(contents, exemptions)
    if as_json:
        document(found)
    for leak in () if as_json else found.leaks:
        click.echo(f"{leak.name}:{leak.line}: {leak.rule} (fingerprint {leak.fingerprint})")
    for name, reason in found.left_out.items():
        click.echo(f"not looked into: {name}: {reason}", err=True)
    allowed = f", {len(found.allowed)} allowed" if found.allowed else ""
    click.echo(f"{found.searched} files, {len(found.leaks)} secrets{allowed}", err=True)
    if found.leaks:
        raise click.exceptions.Exit(exits.FAILED)
    if found.left_out:
        raise click.exceptions.Exit(exits.UNFINISHED)
