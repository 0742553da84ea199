"""What the gateway counts of intake and its store; `sink_metrics` has delivery."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import get_args

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cop_gateway.outbox.health import Health
from cop_gateway.outbox.record import EventKind, FrameRecord, Space
from cop_gateway.survey import Survey
from sightline.messages import UnplacedReason
from telemetry.metrics import DELIVERY_BUCKETS, STAGE_BUCKETS, Metrics

KINDS: tuple[EventKind, ...] = get_args(EventKind)
REJECTIONS = (
    "bad-request", "busy", "insufficient-storage", "invalid-message", "malformed-json",
    "not-stored", "payload-too-large", "request-timeout", "store-unavailable",
)  # fmt: skip
"""The ends of the problems' types with which a report may be refused; there is no other."""
_AHEAD_SECONDS = 2.0
"""Clocks that are set over a network differ by less."""
_GROUP_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
_CE90_BUCKETS = (3.0, 6.0, 15.0, 30.0, 91.0, 100.0, 305.0, 1000.0)


class GatewayMetrics:
    """Intake's observer. Labels are bounded: kinds of events, reasons, types of problems."""

    def __init__(self, metrics: Metrics) -> None:
        registry = self._registry = metrics.registry
        self._frames = Counter(
            "sightline_gateway_frames_committed_total", "Frames on the disk.", registry=registry
        )
        self._events = Counter(
            "sightline_gateway_events_committed_total",
            "Events on the disk, for every sink to get, by kind.",
            ["kind"],
            registry=registry,
        )
        self._age = Histogram(
            "sightline_gateway_frame_age_seconds",
            "From a frame's capture to its arrival, by the camera's clock and ours; frames that"
            " come from the future are left out.",
            buckets=DELIVERY_BUCKETS,
            registry=registry,
        )
        self._ahead = Counter(
            "sightline_gateway_frames_ahead_total",
            "Frames whose captured_at lies more than 2 s ahead of our clock.",
            registry=registry,
        )
        self._rejected = Counter(
            "sightline_gateway_reports_rejected_total",
            "Reports that were not taken in, by the problem's type.",
            ["reason"],
            registry=registry,
        )
        self._placed = Counter(
            "sightline_gateway_detections_placed_total",
            "Detections with a place on the ground.",
            registry=registry,
        )
        self._unplaced = Counter(
            "sightline_gateway_detections_unplaced_total",
            "Detections without one, by the reason.",
            ["reason"],
            registry=registry,
        )
        self._retracted = Counter(
            "sightline_gateway_tracks_retracted_total",
            "Tracks that operators took back.",
            registry=registry,
        )
        self._ce90 = Histogram(
            "sightline_gateway_ce90_meters",
            "Circular error of the placed detections.",
            buckets=_CE90_BUCKETS,
            registry=registry,
        )
        self._commit = Histogram(
            "sightline_gateway_commit_duration_seconds",
            "One group commit, the disk's sync included.",
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self._group = Histogram(
            "sightline_gateway_commit_frames",
            "Frames in one group commit.",
            buckets=_GROUP_BUCKETS,
            registry=registry,
        )
        self._store = Gauge(
            "sightline_gateway_store_bytes", "What the store takes.", registry=registry
        )
        self._disk = Gauge(
            "sightline_gateway_disk_free_bytes",
            "What is left where the store lies; NaN where nobody knows.",
            registry=registry,
        )
        self._up = Gauge(
            "sightline_gateway_store_up",
            "1 while the store does what it is asked, to look and to change alike.",
            registry=registry,
        )
        self._schema = Gauge(
            "sightline_gateway_schema_version",
            "Which step of the schema the store has; NaN until it was looked at.",
            registry=registry,
        )
        self._waiting = Gauge(
            "sightline_gateway_intake_waiting_frames",
            "Frames that wait for their commit.",
            registry=registry,
        )

        for kind in KINDS:
            self._events.labels(kind)
        for why in get_args(UnplacedReason):
            self._unplaced.labels(why)
        for rejection in REJECTIONS:
            self._rejected.labels(rejection)

    def committed(self, records: Sequence[FrameRecord], seconds: float) -> None:
        """A group is on the disk."""
        frames = [record for record in records if not record.key.is_retraction]
        self._frames.inc(len(frames))
        self._retracted.inc(len(records) - len(frames))
        self._commit.observe(seconds)
        self._group.observe(len(records))
        kinds = dict.fromkeys(KINDS, 0)
        for record in records:
            for event in record.events:
                kinds[event.kind] += 1
                if event.kind == "detection":
                    self._ce90.observe(event.ce90_m)
            for each in record.unplaced:
                self._unplaced.labels(each.reason).inc()
        self._placed.inc(kinds["detection"])
        for kind, count in kinds.items():
            if count:
                self._events.labels(kind).inc(count)

    def arrived(self, age: timedelta) -> None:
        """A report has come whose frame is so old; negative where its camera's clock is ahead."""
        seconds = age.total_seconds()
        if seconds >= 0.0:
            self._age.observe(seconds)
        elif seconds < -_AHEAD_SECONDS:
            self._ahead.inc()

    def rejected(self, reason: str) -> None:
        """A report was not taken in, for that reason (the end of a problem's type)."""
        self._rejected.labels(reason).inc()

    def watch_store(self, space: Callable[[], Space], health: Health, survey: Survey) -> None:
        """Read how the store is whenever someone scrapes."""
        self._up.set_function(lambda: health.up)
        self._schema.set_function(lambda: survey.schema_version or math.nan)
        self._registry.register(_Told(health, survey))
        self._store.set_function(lambda: space().used)
        self._disk.set_function(lambda: left if (left := space().free) is not None else math.nan)

    def watch_intake(self, waiting: Callable[[], int]) -> None:
        """Read the queue's length whenever someone scrapes."""
        self._waiting.set_function(waiting)


class _Told(Collector):
    """What is known only when somebody asks."""

    def __init__(self, health: Health, survey: Survey) -> None:
        self._health = health
        self._survey = survey

    def collect(self) -> Iterable[Metric]:
        yield CounterMetricFamily(
            "sightline_gateway_store_failures",
            "Commits, looks and holds that the store failed.",
            value=self._health.failures,
        )
        last, verified = self._survey.last_backup, self._survey.last_verified
        yield _gauge(
            "sightline_backup_last_success_timestamp_seconds",
            "When the newest backup that is there was finished; NaN while there is none.",
            last.finished_at.timestamp() if last else None,
        )
        yield _gauge(
            "sightline_backup_last_size_bytes",
            "How large the newest backup is; NaN while there is none.",
            last.size_bytes if last else None,
        )
        yield _gauge(
            "sightline_backup_last_duration_seconds",
            "How long the newest backup took; NaN while there is none.",
            last.duration.total_seconds() if last else None,
        )
        yield _gauge(
            "sightline_backup_last_verified_timestamp_seconds",
            "When a backup that is there was last restored and compared; NaN for never.",
            verified.timestamp() if verified else None,
        )


def _gauge(name: str, meaning: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=math.nan if value is None else value)
