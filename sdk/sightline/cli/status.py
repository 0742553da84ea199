"""`sightline status`: how an environment is, on one screen."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from sightline.cli import exits
from sightline.cli.effects import document
from sightline.cli.releasing import desk, release_options

if TYPE_CHECKING:
    from rich.table import Table

    from sightline.situation.situation import Situation


@click.command()
@release_options
def status(*, as_json: bool, **place: Any) -> None:
    """How an environment is: colours, errors, sinks, backups, certificates, drift."""
    from sightline.situation import situation  # noqa: PLC0415 - after --help
    from sightline.situation.looking import look  # noqa: PLC0415

    with desk(None, **place) as there:
        seen = look(there.world, there.pods)
    if as_json:
        document(situation.document(seen))
    else:
        _show(seen)
    if any(each.outcome == "failed" for each in situation.concerns(seen)):
        raise click.exceptions.Exit(exits.FAILED)


def _show(seen: Situation) -> None:
    from rich.console import Console  # noqa: PLC0415 - after --help
    from rich.markup import escape  # noqa: PLC0415

    from sightline.situation.situation import concerns  # noqa: PLC0415

    console = Console(highlight=False)
    console.print(f"[bold]{seen.environment}[/] {seen.namespace}, {seen.at:%Y-%m-%d %H:%M:%S} UTC")
    if seen.standing is not None:
        console.print(_colours(seen))
    if seen.sinks:
        console.print(_sinks(seen))
    for name, line in _lines(seen):
        console.print(f"{name:<12} {escape(line)}", soft_wrap=True)
    found = concerns(seen)
    for each in found:
        mark = "[red]✗[/]" if each.outcome == "failed" else "[yellow]![/]"
        console.print(f"{mark} {escape(f'{each.check}: {each.sentence}')}", soft_wrap=True)
    if not found:
        console.print("[green]✓[/] nothing to look at")


def _table(*columns: str) -> Table:
    from rich.table import Table  # noqa: PLC0415 - after --help

    table = Table(box=None, pad_edge=False, header_style="bold")
    for each in columns:
        table.add_column(each, no_wrap=True)
    return table


def _colours(seen: Situation) -> Table:
    assert seen.standing is not None
    table = _table("", "SERVES", "VERSION", "READY", "PODS", "DRAINED")
    for each in seen.standing.colours:
        table.add_row(
            f"{each.component}-{each.colour}",
            "users" if each.active else "-",
            ", ".join(each.versions) or "-",
            f"{each.ready} of {each.wanted}",
            "-" if each.floor is None else f"{each.floor} to {each.most}",
            str(each.draining),
        )
    return table


def _sinks(seen: Situation) -> Table:
    table = _table("SINK", "STATE", "BEHIND", "DEAD", "CERTIFICATE")
    for each in seen.sinks:
        ends = each.certificate_expires_at
        table.add_row(
            each.name,
            each.state,
            f"{each.lag_events} events, {each.lag_seconds:.0f} s",
            str(each.dead_letters),
            "-" if ends is None else f"{(ends - seen.at).days} days",
        )
    return table


def _lines(seen: Situation) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    share = seen.availability
    if seen.served is not None:
        told = (
            "no requests yet"
            if share is None
            else f"{share:.3%} of {seen.served.requests} requests"
        )
        lines.append(("succeed", f"{told} (objective {seen.objective:.3%})"))
    if seen.backup is not None:
        lines.append(("backup", f"{_age(seen.backup.finished, seen.at)}; restored and compared"
                                f" {_age(seen.backup.verified, seen.at)}"))  # fmt: skip
    current = seen.record.current
    if current is not None:
        began = f"{current.began:%Y-%m-%d %H:%M}"
        told = f"{current.version} into {current.colour}, {current.phase}, {began} by {current.who}"
        lines.append(("release", told))
    if seen.lease.holder is not None:
        lines.append(("lock", f"{seen.lease.holder} ({seen.lease.reason})"))
    if seen.git_active is not None:
        lines.append(("Git", f"{seen.git_active} serves"))
    return lines


def _age(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "never"
    hours = (now - moment).total_seconds() / 3600
    return f"{hours:.0f} h ago" if hours < 72 else f"{hours / 24:.0f} days ago"
