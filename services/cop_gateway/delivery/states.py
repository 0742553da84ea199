"""The states of a sink, and what leads from one to the next: the whole machine."""

from __future__ import annotations

from typing import Literal

State = Literal["standby", "connecting", "connected", "backing_off", "broken", "paused", "stopped"]
"""Another process delivers; a connection is made; it stands; a short wait, or (after many failures
in a row) a long one; an operator has paused it; the process ends."""

Happening = Literal[
    "held", "taken", "opened", "failed", "lost", "waited", "broke", "pause", "resume", "stop"
]

TRANSITIONS: dict[tuple[State, Happening], State] = {
    ("standby", "held"): "connecting",
    ("standby", "taken"): "standby",
    ("standby", "pause"): "paused",
    ("standby", "stop"): "stopped",
    ("connecting", "opened"): "connected",
    ("connecting", "failed"): "backing_off",
    ("connecting", "broke"): "broken",
    ("connecting", "taken"): "standby",
    ("connecting", "pause"): "paused",
    ("connecting", "stop"): "stopped",
    ("connected", "lost"): "backing_off",
    ("connected", "broke"): "broken",
    ("connected", "taken"): "standby",
    ("connected", "pause"): "paused",
    ("connected", "stop"): "stopped",
    ("backing_off", "waited"): "connecting",
    ("backing_off", "taken"): "standby",
    ("backing_off", "pause"): "paused",
    ("backing_off", "stop"): "stopped",
    ("broken", "waited"): "connecting",
    ("broken", "taken"): "standby",
    ("broken", "pause"): "paused",
    ("broken", "stop"): "stopped",
    ("paused", "resume"): "standby",
    ("paused", "pause"): "paused",
    ("paused", "stop"): "stopped",
    ("stopped", "stop"): "stopped",
}


def following(state: State, happening: Happening) -> State:
    """The state after something happened; KeyError when it cannot happen there."""
    return TRANSITIONS[state, happening]
