"""The demo's report: what was sent, what became of it, and how well. See docs/reference."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec


class Percentiles(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds."""

    p50: float | None
    p95: float | None
    p99: float | None


class Latencies(msgspec.Struct, frozen=True, kw_only=True):
    """From the moment that a frame's request began."""

    frame_to_commit: Percentiles
    """To the answer, which comes once the frame is committed."""
    frame_to_tak: Percentiles
    """To the arrival of each sighting at the independent TAK client."""


class GroundError(msgspec.Struct, frozen=True, kw_only=True):
    """Metres between where a detection was placed and where the object truly was."""

    p50: float | None
    p90: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the demo."""

    frames: int
    """Frames that were sent and answered."""
    failed: int
    """Frames that were refused or not answered."""
    detections: int
    placed: int
    unplaced: dict[str, int]
    """By reason."""
    committed: int
    """Placed detections that the gateway said were committed."""
    delivered: int
    """Of those, sent to the TAK server."""
    acknowledged: int
    """Of those, acknowledged by the TAK server's pong."""
    received: int
    """Of those, seen by an independent TAK client."""
    lost: int
    """Committed, and not seen by that client."""
    repeated: int
    """Seen more than once: at least once is the promise."""
    latency_ms: Latencies
    ground_error_m: GroundError
    inside_ce90: float | None
    """Share of the fixes whose true position was within their CE90; 0.9 is honest."""
    expected_error_m: float | None
    """Median of the ground errors that the CE90s of the same fixes predict."""
    scored_fixes: int
    """Fixes that ground error and inside_ce90 are made of."""
    recall: float | None
    precision: float | None
    first_cot_s: float | None
    """Seconds from the start of the command to the first sighting in TAK."""
    first_cot_at: str | None
    """When that was: RFC 3339."""
    duration_s: float
    started_at: str
    seed: int
    cameras: int
    rate_hz: float
    tak: str
    versions: dict[str, str]


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    # 0.95 times 100 is a hair above 95 in binary: that hair is not another rank.
    rank = math.ceil(share * len(ordered) - 1e-9)
    return ordered[max(rank, 1) - 1]


def milliseconds(seconds: Sequence[float]) -> Percentiles:
    """Percentiles of durations."""

    def at(share: float) -> float | None:
        value = percentile(seconds, share)
        return None if value is None else round(value * 1000.0, 1)

    return Percentiles(p50=at(0.50), p95=at(0.95), p99=at(0.99))


def rounded(value: float | None, places: int) -> float | None:
    """For people's eyes; None stays None."""
    return None if value is None else round(value, places)
