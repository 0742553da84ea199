"""Delivery through whatever a TAK server does, in whatever order: nothing lost, nothing swapped.

A schedule of bad days is drawn, one for each connection; then the server is good. What delivers is
real but for the store: a courier, its transport, sockets.
SIGHTLINE_EXAMPLES=1000 draws more.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import uvloop
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from delivering import UNWANTED, Scene
from fakes.bad_days import Behaviour

EXAMPLES = int(os.environ.get("SIGHTLINE_EXAMPLES", "40"))
pieces = st.sampled_from([None, 1, 3, 50])
answering = st.fixed_dictionaries(
    {},
    optional={
        "late": st.sampled_from([0.0, 0.02, 0.2]),
        "together": st.sampled_from([1, 2, 5]),
        "fragment": pieces,
        "junk": st.sampled_from(
            [b"\n", b'<?xml version="1.0"?>', b"<auth/></event>", b"\xff" * 99]
        ),
        "chatter": st.booleans(),
        "pong_uid": st.sampled_from([None, "takPong", "sightline-ping-pong"]),
        "offers_protobuf": st.booleans(),
        "refuses_protobuf": st.booleans(),
        "bite": st.sampled_from([65_536, 700, 60]),
        "receive_bytes": st.sampled_from([None, 1]),
    },
)
ending = st.one_of(
    st.fixed_dictionaries(
        {"ends_after": st.integers(0, 9), "amid": st.booleans(), "resets": st.booleans()}
    ),
    st.fixed_dictionaries({"stalls_after": st.integers(0, 9)}),
    st.fixed_dictionaries({"pongs_at_most": st.integers(0, 3)}),
)
bad_days = st.builds(lambda how, end: Behaviour(**how, **end), answering, ending)
good_days = st.fixed_dictionaries(
    {},
    optional={
        "fragment": pieces, "offers_protobuf": st.booleans(), "chatter": st.booleans(),
        "together": st.sampled_from([1, 2]),
    },
)  # fmt: skip


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a schedule is short as it is
    suppress_health_check=[HealthCheck.too_slow],
)
@given(
    days=st.lists(bad_days, max_size=6),
    last=good_days,
    lumps=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    upgrade=st.booleans(),
    fast_loop=st.booleans(),
    echoes=st.booleans(),
    poison=st.none() | st.integers(1, 9).filter(lambda sequence: sequence % UNWANTED),
)
@example(
    days=[Behaviour(ends_after=2, amid=True, resets=True) for _ in range(9)],
    last={}, lumps=[12], upgrade=False, fast_loop=False, echoes=False, poison=None,
)  # fmt: skip
def test_after_all_bad_days_everything_has_arrived_in_order(
    days: list[Behaviour],
    last: dict[str, Any],
    lumps: list[int],
    upgrade: bool,
    fast_loop: bool,
    echoes: bool,
    poison: int | None,
) -> None:
    deadly = f'uid="event-{poison}"'.encode()
    for day in days:
        day.breaks_on = lambda event: deadly in event
        day.echoes = day.loses = echoes
        day.bite = max(day.bite, 4_096) if echoes else day.bite
    if echoes:
        last |= {"echoes": True, "loses": True, "bite": 4_096}
    loop_factory = uvloop.new_event_loop if fast_loop else asyncio.new_event_loop

    async def run() -> Scene:
        scene = Scene(days, upgrade=upgrade, breaks_on=lambda event: deadly in event, **last)
        await scene.play(*lumps)
        return scene

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        scene = runner.run(run())
    scene.check()
    # What no server survives is given up; all the rest has arrived.
    assert poison is None or poison > sum(lumps) or poison in scene.source.dead
