"""A frame's trace and log lines, from its commit on to the acknowledgement of each sink.

Delivery happens later, and perhaps in another process than the one that took the frame in: what
links them is in the store. Nothing of this happens where nobody keeps traces.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from cop_gateway.delivery.standing import Storage
from cop_gateway.outbox.errors import StoreFailedError
from cop_gateway.outbox.record import Account, Delivery, Dispatch, Hold, Traced
from telemetry import logs, traces
from telemetry.spans import Spans
from telemetry.traces import Trace

log = logs.get("cop_gateway.delivery.following")


class TracedStorage(Storage, Protocol):
    """Storage that knows the traces of frames."""

    def traced(self, sequences: Iterable[int]) -> list[Traced]:
        """The frames of these events whose traces somebody keeps, in order."""


def followed(storage: TracedStorage, spans: Spans) -> Storage:
    """The storage, telling of what is written down in it, if anybody listens."""
    return _Followed(storage, spans) if spans.kept else storage


class _Followed:
    """Passes all on. Its calls block, as storage's do, and run in threads."""

    def __init__(self, storage: TracedStorage, spans: Spans) -> None:
        self._storage = storage
        self._spans = spans

    def settle(self, sink: str, deliveries: Sequence[Delivery]) -> None:
        """Written down first: telling of it may fail."""
        self._storage.settle(sink, deliveries)
        for delivery in deliveries:
            skipped = {each for these in delivery.skipped.values() for each in these}
            sent = [n for n in range(delivery.first, delivery.last + 1) if n not in skipped]
            for frame in self._traced(sent):
                self._delivered(sink, delivery, frame)

    def bury(self, sink: str, sequence: int, reason: str) -> None:
        """A dead letter; the line beside it says of which frame."""
        self._storage.bury(sink, sequence, reason)
        for frame in self._traced([sequence]):
            span = self._below(frame)
            now = time.perf_counter()
            self._spans.record(
                f"deliver {sink}", span, began=now, ended=now, kind="client",
                attributes=_about(frame), error=reason,
            )  # fmt: skip
            log.warning("not deliverable", sink=sink, reason=reason, **_names(frame, span))

    def _traced(self, sequences: Sequence[int]) -> list[Traced]:
        try:
            return self._storage.traced(sequences) if sequences else []
        except StoreFailedError as error:
            log.warning("deliveries are not traced", error=str(error))
            return []

    def _below(self, frame: Traced) -> Trace:
        return traces.child(Trace(trace_id=frame.trace_id, span_id=frame.span_id))

    def _delivered(self, sink: str, delivery: Delivery, frame: Traced) -> None:
        span = self._below(frame)
        # Spans are timed by a clock of their own.
        now, reading = datetime.now(UTC), time.perf_counter()
        waited = (delivery.sent_at - frame.committed_at).total_seconds()
        self._spans.record(
            f"deliver {sink}",
            span,
            began=reading - (now - delivery.sent_at).total_seconds(),
            ended=reading - (now - delivery.settled_at).total_seconds(),
            kind="client",
            attributes={
                **_about(frame), "waited_s": waited, "acknowledged": delivery.acknowledged
            },
        )  # fmt: skip
        omitted = logs.left_out("delivered", sink, trace_id=frame.trace_id)
        if omitted is None:
            return
        log.info(
            "delivered",
            sink=sink,
            events=frame.events,
            acknowledged=delivery.acknowledged,
            since_commit_s=round((delivery.settled_at - frame.committed_at).total_seconds(), 3),
            **_names(frame, span),
            **({"suppressed": omitted} if omitted else {}),
        )

    # The rest is passed on as it is.

    def after(self, sequence: int, limit: int) -> list[Dispatch]:
        """The next events, in order."""
        return self._storage.after(sequence, limit)

    def these(self, sequences: Iterable[int]) -> list[Dispatch]:
        """Those of them that are still there."""
        return self._storage.these(sequences)

    def newest(self, uids: Iterable[str]) -> dict[str, int]:
        """The newest sequence of each of these objects."""
        return self._storage.newest(uids)

    def hold(self, sink: str) -> Hold | None:
        """The right to deliver to that sink."""
        return self._storage.hold(sink)

    def account(self, sink: str) -> Account:
        """What is known of it."""
        return self._storage.account(sink)

    def recalled(self, sink: str, limit: int) -> list[int]:
        """The dead letters to try again."""
        return self._storage.recalled(sink, limit)

    def revive(self, sink: str, sequences: Iterable[int]) -> None:
        """They were delivered after all."""
        self._storage.revive(sink, sequences)


def _about(frame: Traced) -> dict[str, str | int]:
    camera_id, frame_id = frame.key
    return {"camera_id": camera_id, "frame_id": frame_id, "events": frame.events}


def _names(frame: Traced, span: Trace) -> dict[str, str]:
    camera_id, frame_id = frame.key
    return {
        "camera_id": camera_id,
        "frame_id": frame_id,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
    }
