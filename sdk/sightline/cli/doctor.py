"""`sightline doctor`: what is here, what is missing, and what to type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
import msgspec

from sightline.cli import exits
from sightline.cli.environment import checkout, env_option, environment
from sightline.cli.failure import missing

if TYPE_CHECKING:
    from sightline.diagnosis.finding import Finding


@click.command()
@env_option
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def doctor(env: str | None, as_json: bool) -> None:
    """Say what is installed, what is missing and what to type."""
    findings = list(_machine() if env is None else _place(env))
    if as_json:
        click.echo(msgspec.json.encode([asdict(each) for each in findings]))
    else:
        _show(findings)
    if any(each.required and not each.ok for each in findings):
        raise click.exceptions.Exit(exits.FAILED)


def _machine() -> Iterator[Finding]:
    from sightline.diagnosis.machine import examine  # noqa: PLC0415 - after --help

    return examine()


def _place(name: str) -> Iterator[Finding]:
    try:
        from sightline.colours.apiserver import ApiServer  # noqa: PLC0415 - after --help
        from sightline.diagnosis import place, programs  # noqa: PLC0415
    except ImportError as error:
        raise missing(error, "deploy") from error
    found = environment(name)
    cluster = found.cluster
    yield from programs.programs()
    yield from place.examine(
        found,
        checkout(),
        lambda: ApiServer(context=cluster.context, kubeconfig=cluster.kubeconfig),
    )


def _show(findings: list[Finding]) -> None:
    from rich.console import Console  # noqa: PLC0415 - after --help
    from rich.markup import escape  # noqa: PLC0415

    console = Console(highlight=False)
    for each in findings:
        mark = "[green]✓[/]" if each.ok else "[red]✗[/]" if each.required else "[yellow]–[/]"
        console.print(f"{mark} {escape(f'{each.name}: {each.detail}')}", soft_wrap=True)
        if not each.ok and each.remedy:
            console.print(f"    {escape(each.remedy)}", style="bold", soft_wrap=True)
