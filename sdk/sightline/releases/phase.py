"""How far a release has come: every phase, and what leads from one to the next.

begun → verified → deployed → checked → switched → watched → done
  └───────┴───────────┴──────────┘ abort     └────┬────┘
                  aborted                   rolled-back
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from sightline.releases.errors import ReleasesError

Phase: TypeAlias = Literal[
    "begun", "verified", "deployed", "checked", "switched", "watched",
    "done", "aborted", "rolled-back",
]  # fmt: skip
Happening: TypeAlias = Literal[
    "verify", "deploy", "check", "switch", "watch", "conclude", "abort", "roll-back"
]

NEXT: dict[tuple[Phase, Happening], Phase] = {
    ("begun", "verify"): "verified",
    ("verified", "deploy"): "deployed",
    ("deployed", "check"): "checked",
    ("checked", "switch"): "switched",
    ("switched", "watch"): "watched",
    ("watched", "conclude"): "done",
    # Users are where they were: nothing is to be led back.
    ("begun", "abort"): "aborted",
    ("verified", "abort"): "aborted",
    ("deployed", "abort"): "aborted",
    ("checked", "abort"): "aborted",
    # A switch that was begun and never noted: going back is right in any case.
    ("checked", "roll-back"): "rolled-back",
    ("switched", "roll-back"): "rolled-back",
    ("watched", "roll-back"): "rolled-back",
    ("done", "roll-back"): "rolled-back",
}

FORWARD: tuple[Happening, ...] = ("verify", "deploy", "check", "switch", "watch", "conclude")
"""What a release does, in this order."""
FINAL: frozenset[Phase] = frozenset({"done", "aborted", "rolled-back"})
MOVED: frozenset[Phase] = frozenset({"switched", "watched", "done"})
"""Users are led to the new version."""


def following(phase: Phase, happening: Happening) -> Phase:
    """The phase that it leads to. Raises ReleasesError for what cannot happen."""
    try:
        return NEXT[phase, happening]
    except KeyError:
        raise ReleasesError(f"a release that is {phase} cannot {happening}") from None


def left(phase: Phase) -> tuple[Happening, ...]:
    """What is left to do, from a phase on."""
    for number, happening in enumerate(FORWARD):
        if (phase, happening) in NEXT:
            return FORWARD[number:]
    return ()
