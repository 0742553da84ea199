"""`sightline backups`: backups of the gateway's database, from their making to their end."""

from __future__ import annotations

import click

from sightline.cli.backup_keeping import list_, prune
from sightline.cli.backup_making import create
from sightline.cli.backup_proving import drill, verify
from sightline.cli.backup_restoring import restore


@click.group()
def backups() -> None:
    """Back the gateway's database up, prove that it can be restored, and restore it."""


for _command in (create, verify, restore, list_, prune, drill):
    backups.add_command(_command)
