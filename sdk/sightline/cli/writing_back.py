"""What `sightline colours --env` tells Git, and what Git says otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sightline.cli.cluster import Session
from sightline.cli.environment import checkout
from sightline.cli.releasing import world_of

if TYPE_CHECKING:
    from sightline.colours.finding import Finding
    from sightline.colours.receipt import Receipt
    from sightline.colours.standing import Standing
    from sightline.environments import Environment
    from sightline.releases.world import World


def _world(env: Environment, there: Session) -> World:
    return world_of(env, checkout(), there, helm="helm", kubeconfig=None, context=None)


def tell_git(env: Environment, there: Session, receipt: Receipt) -> None:
    """The colour that serves now; kept in the cluster where Git cannot be reached."""
    if env.git is None or receipt.outcome not in ("done", "unfinished"):
        return
    from sightline.colours.errors import ColoursError  # noqa: PLC0415 - after --help
    from sightline.releases.errors import ReleasesError  # noqa: PLC0415
    from sightline.releases.telling import audited, write_back  # noqa: PLC0415

    world, problems = _world(env, there), list[str]()
    reason = receipt.reason or f"{receipt.kind} {receipt.id}"
    try:
        record = audited(
            world, world.store.record(), f"{receipt.kind} to {receipt.to}", None, id=receipt.id
        )
        record = write_back(
            world, record, active=receipt.to, values={}, reason=reason, problems=problems
        )
        world.store.keep(record)
    except (ColoursError, ReleasesError) as error:
        # Users are where they should be: that is not undone for the sake of a note.
        problems.append(f"not noted: {error}")
    for each in problems:
        click.echo(f"! {each}", err=True)


def git_drift(env: Environment, there: Session, standing: Standing) -> tuple[Finding, ...]:
    """Where Git says another colour, or has yet to be told."""
    if env.git is None:
        return ()
    from sightline.colours.finding import ok, warning  # noqa: PLC0415 - after --help
    from sightline.releases.errors import RemoteError  # noqa: PLC0415

    world = _world(env, there)
    pending = world.store.record().pending
    if pending is not None:
        sentence = (
            f"has yet to be told that {pending.active} serves: `sightline releases write-back`"
        )
        return (warning("git", f"Git {sentence}"),)
    assert world.repository is not None
    try:
        said = (world.repository.read() or {}).get("activeColour")
    except RemoteError as error:
        return (warning("git", f"what Git says is not known: {error}"),)
    serving = sorted({str(each) for each in standing.active.values()})
    if said is None or serving == [said]:
        return (ok("git", f"Git says {said or 'nothing yet'}"),)
    return (warning("git", f"Git says {said}, and {', '.join(serving)} serves users"),)
