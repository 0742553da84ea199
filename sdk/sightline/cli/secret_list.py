"""`sightline secrets list`: what there is, since when, until when."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from sightline.cli.effects import document, json_option
from sightline.cli.secrets import told

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("list")
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of secrets, as entrust.py's.",
)
@click.option("--sealed", multiple=True, type=_file, help="A file of sealed Secrets.")
@click.option("--certificate", type=_file, help="The certificate to seal with.")
@json_option
def listing(
    *, folder: Path | None, sealed: tuple[Path, ...], certificate: Path | None, as_json: bool
) -> None:
    """Say what there is and when it ends; never a value."""
    from sightline.secrets import inventory  # noqa: PLC0415 - after --help
    from sightline.secrets.folder import Folder  # noqa: PLC0415

    if folder is None and not sealed and certificate is None:
        raise click.UsageError("name --folder, --sealed or --certificate")
    now = datetime.now(UTC)
    with told():
        found: list[inventory.Entry] = []
        if folder is not None:
            found += inventory.entries(Folder(folder, make=False), now=now)
        for path in sealed:
            found += inventory.sealed(path)
        if certificate is not None:
            found.append(inventory.sealing_certificate(certificate))
    if as_json:
        document({"secrets": found})
        return
    wide = max((len(each.name) for each in found), default=0)
    for each in found:
        age = "" if each.since is None else f"{(now - each.since).days} d old"
        days = each.days_left(now)
        ends = "" if days is None else f"ends in {days} d" if days >= 0 else f"ended {-days} d ago"
        click.echo(f"{each.name:<{wide}}  {each.kind:<20}{age:<11}{ends:<17}{each.note}".rstrip())
