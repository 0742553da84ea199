"""The option by which a command shows an API key."""

from __future__ import annotations

from pathlib import Path

import click

key_option = click.option(
    "--key-file",
    envvar="SIGHTLINE_KEY_FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the API key to show (or SIGHTLINE_KEY_FILE).",
)
"""A key is named by its file: what is typed on a command line is seen by everybody."""


def key_of(file: Path | None) -> str | None:
    """The key that the file holds."""
    return None if file is None else file.read_text(encoding="utf-8").strip()
