"""The states of a sink's connection, and what leads from one to the next: the whole machine."""

from __future__ import annotations

from typing import Literal

State = Literal["connecting", "connected", "backing_off", "stopped"]
Happening = Literal["opened", "failed", "lost", "waited", "stop"]

TRANSITIONS: dict[tuple[State, Happening], State] = {
    ("connecting", "opened"): "connected",
    ("connecting", "failed"): "backing_off",
    ("connecting", "stop"): "stopped",
    ("connected", "lost"): "backing_off",
    ("connected", "stop"): "stopped",
    ("backing_off", "waited"): "connecting",
    ("backing_off", "stop"): "stopped",
    ("stopped", "stop"): "stopped",
}


def following(state: State, happening: Happening) -> State:
    """The state after something happened; KeyError when it cannot happen there."""
    return TRANSITIONS[state, happening]
