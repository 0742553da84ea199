"""What happened to a detection, from intake to each sink: the audit trail."""

from __future__ import annotations

from typing import Literal

from sightline.messages.receipt import Placement, Unplaced
from sightline.messages.value import Answer, Timestamp


class AuditSink(Answer, frozen=True, kw_only=True):
    """One event at one sink."""

    sink: str
    outcome: Literal["waiting", "sent", "acknowledged", "skipped", "dead", "unknown"]
    """Skipped: left out for `reason` (filtered, stale, superseded). Dead: a dead letter. Unknown:
    it passed before the sink was configured, or too long ago to be remembered."""
    reason: str | None = None
    sent_at: Timestamp | None = None
    settled_at: Timestamp | None = None


class AuditEntry(Answer, frozen=True, kw_only=True):
    """One detection's way."""

    camera_id: str
    frame_id: str
    index: int
    trace_id: str | None
    captured_at: Timestamp
    received_at: Timestamp
    committed_at: Timestamp
    result: Placement | Unplaced
    """Where it was placed and which track it belongs to, or why it was not placed."""
    sequence: int | None = None
    """Its event's place in the outbox; None where it was not placed, or is no longer kept."""
    sinks: tuple[AuditSink, ...] = ()


class AuditTrail(Answer, frozen=True, kw_only=True):
    """The detections of one frame, in their order."""

    entries: tuple[AuditEntry, ...]
