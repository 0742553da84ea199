"""Commits frames one after the other, and says after each how far the journal of writes has come.

python writer.py DATABASE JOURNAL FRAMES SYNCHRONOUS
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from cop_gateway.outbox.record import EventRecord, FrameKey, FrameRecord
from cop_gateway.outbox.sqlite import SqliteOutbox

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def main(database: str, journal: str, frames: str, synchronous: str) -> None:
    store = SqliteOutbox(Path(database))
    if synchronous:
        store._file._writer.execute(f"PRAGMA synchronous = {synchronous}")
    for number in range(int(frames)):
        events = tuple(
            EventRecord(
                kind="detection", uid=f"{number}-{index}", cot_type="a-u-G", class_name="car",
                confidence=0.9, index=index, captured_at=NOW, stale_at=NOW, latitude=47.0,
                longitude=8.0, hae=400.0, ce90_m=5.0, le90_m=1.0, course=None, speed_mps=None,
                xml=f"<event n='{number}'>{'x' * 6_000}</event>",
            )
            for index in range(2)
        )  # fmt: skip
        key = FrameKey(camera_id="c", frame_id=str(number))
        store.commit(
            [FrameRecord(key=key, captured_at=NOW, receipt=b"{}", events=events, unplaced=())], NOW
        )
        print(number, Path(journal).stat().st_size, flush=True)
    # As if killed: nothing is folded in, nothing is closed.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
