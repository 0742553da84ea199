"""Findings as lines: whether each is as it should be, what was looked at, and what it was like."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sightline.colours.finding import Finding

_MARKS = {"ok": "✓", "failed": "✗", "warning": "!"}


def show_findings(found: Iterable[Finding], *, err: bool) -> None:
    """A line each."""
    for each in found:
        click.echo(f"{_MARKS[each.outcome]} {each.check}: {each.sentence}", err=err)
