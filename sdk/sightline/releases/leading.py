"""Lead users to a release, or back: switches of colours, as a part of a release."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

from sightline.colours.account import Account
from sightline.colours.colour import Colour
from sightline.colours.errors import RefusedError as ColourRefusedError
from sightline.colours.receipt import Receipt
from sightline.releases.errors import RefusedError, StoppedError
from sightline.releases.world import World


def account(world: World, reason: str) -> Account:
    """Of a switch that is about to be made."""
    return Account(
        world.clock,
        id=uuid.uuid4().hex[:12],
        who=world.who,
        kubernetes_user=world.user,
        reason=reason,
    )


def lead(world: World, to: Colour, made: Account, *, own: str | None) -> Receipt | None:
    """Users to a colour; None where they are there. `own` is a switch of ours that died."""
    with refusing():
        prepared = world.namespace.prepared(to, (), haste="orderly", own=own)
    wait = float(world.environment.chart.timeout_seconds)
    receipt = world.namespace.switch(prepared, made, wait=wait, prober=world.prober)
    _raise_unfinished(receipt)
    return receipt


def lead_back(world: World, *, reason: str, to: Colour | None = None) -> Receipt | None:
    """Where users were before; None where they are there already. Raises ColoursError."""
    with refusing():
        prepared = world.namespace.prepared(to, (), haste="rollback")
    wait = float(world.environment.chart.timeout_seconds)
    receipt = world.namespace.switch(prepared, account(world, reason), wait=wait, prober=None)
    _raise_unfinished(receipt)
    return receipt


def _raise_unfinished(receipt: Receipt | None) -> None:
    # Unfinished: users are there, and what is left is in the receipt.
    if receipt is None or receipt.outcome in ("done", "unfinished"):
        return
    problems = "; ".join(receipt.problems)
    raise StoppedError(f"users are led to {receipt.from_} as before: {problems}")


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """A refusal of the colours is one of the release."""
    try:
        yield
    except ColourRefusedError as error:
        raise RefusedError(str(error), error.findings) from error
