"""What `sightline releases` says: a plan, what is against it, and how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from sightline.cli.effects import document, planned, show_plan
from sightline.cli.failure import Failure
from sightline.cli.findings import show_findings

if TYPE_CHECKING:
    from sightline.releases.plan import ReleasePlan
    from sightline.releases.release import Release
    from sightline.releases.running import Releasing


def show(made: ReleasePlan, *, as_json: bool) -> None:
    """All of a plan, with its steps."""
    if as_json:
        plain = msgspec.to_builtins(made)
        document({**plain, "steps": planned(made.steps), "refused": bool(made.refused)})
        return
    told(made, err=False)
    show_plan(made.steps, as_json=False)
    click.echo(f"plan {made.id}")


def told(made: ReleasePlan, *, err: bool) -> None:
    """What it would do, and what was found."""
    serving = "nothing is installed" if made.active is None else f"{made.active} serves users"
    click.echo(
        f"Release {made.target.version} into {made.colour} of {made.environment}"
        f" ({made.namespace}); {serving}", err=err,
    )  # fmt: skip
    click.echo(f"  chart      {made.chart}", err=err)
    for section, image in made.target.images.items():
        click.echo(f"  {section:<11}{image.repository}:{image.tag} {image.digest or ''}", err=err)
    if made.schema is not None:
        click.echo(f"  database   at schema {made.schema}; the migration runs first", err=err)
    for change in made.changes:
        click.echo(f"  {change.sentence}", err=err)
    show_findings(made.findings, err=err)


def refused(made: ReleasePlan, *, as_json: bool) -> None:
    """Say why it is refused. Raises Failure."""
    if as_json:
        document({"outcome": "refused", "plan": made.id, "findings": made.findings})
    else:
        told(made, err=True)
    raise Failure(f"nothing is changed: {made.refused[0].sentence}")


def conclude(done: Releasing, *, as_json: bool) -> None:
    """How it went."""
    release = done.release
    if as_json:
        document({"release": lean(release), "switch": done.receipt, "watched": done.verdict,
                  "problems": done.problems})  # fmt: skip
        return
    if done.verdict is not None:
        click.echo(done.verdict.sentence)
    click.echo(f"{release.version} serves users in {release.colour}: release {release.id}")


def lean(release: Release | None) -> Release | None:
    """Without values, which are helm's and Git's."""
    return None if release is None else msgspec.structs.replace(release, values={}, before={})
