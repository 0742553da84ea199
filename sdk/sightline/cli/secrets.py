"""`sightline secrets`: the group of commands that keep secrets where they belong."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from sightline.cli.failure import Failure, missing
from sightline.cli.lazy import LazyGroup

COMMANDS = {
    "list": ("sightline.cli.secret_list", "Say what there is, since when and until when."),
    "seal": ("sightline.cli.sealing", "Seal Secrets for a controller, offline."),
    "verify": ("sightline.cli.sealing", "Check sealed files, and whether they drifted."),
    "rotate": ("sightline.cli.rotating", "Make new keys and passwords, with overlap."),
    "escrow": ("sightline.cli.escrowing", "Keep the controller's private keys elsewhere."),
    "fetch": ("sightline.cli.fetching", "Write what Vault has into a folder."),
    "enrol": ("sightline.cli.enrolling", "Get a certificate from a TAK server, and renew it."),
    "scan": ("sightline.cli.leaked", "Look for secrets where none should be."),
}


class SecretsGroup(LazyGroup):
    """What is not installed is said in one sentence, whichever command needs it."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            raise missing(error, "deploy") from error


@click.group(cls=SecretsGroup, lazily=COMMANDS)
def secrets() -> None:
    """Seal, fetch, enrol, rotate and escrow secrets; find those that leaked."""


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What goes wrong is one sentence."""
    from sightline.secrets.errors import SecretsError  # noqa: PLC0415 - after --help

    try:
        yield
    except SecretsError as error:
        raise Failure(str(error)) from error
