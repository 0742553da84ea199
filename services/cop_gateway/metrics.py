"""What the gateway counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime

from prometheus_client import Counter, Gauge, Histogram

from cop_gateway.outbox.record import FrameRecord, Space
from telemetry.metrics import STAGE_BUCKETS, Metrics

_GROUP_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)
_CE90_BUCKETS = (3.0, 6.0, 15.0, 30.0, 91.0, 100.0, 305.0, 1000.0)


class GatewayMetrics:
    """Intake's and delivery's observer."""

    def __init__(self, metrics: Metrics) -> None:
        registry = metrics.registry
        self._frames = Counter(
            "sightline_gateway_frames_committed_total", "Frames on the disk.", registry=registry
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
        self._sent = Counter(
            "sightline_gateway_events_sent_total",
            "Events sent, repeats after a reconnect included.",
            ["sink"],
            registry=registry,
        )
        self._repeated = Counter(
            "sightline_gateway_events_repeated_total",
            "Of the events sent, those that were sent before: after a reconnect or a retry.",
            ["sink"],
            registry=registry,
        )
        self._acknowledged = Counter(
            "sightline_gateway_events_acknowledged_total",
            "Events that the sink has acknowledged.",
            ["sink"],
            registry=registry,
        )
        self._pongs = Histogram(
            "sightline_gateway_sink_acknowledge_duration_seconds",
            "From sending a batch to its acknowledgement.",
            ["sink"],
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self._buried = Counter(
            "sightline_gateway_events_buried_total",
            "Events that became dead letters.",
            ["sink"],
            registry=registry,
        )
        self._connects = Counter(
            "sightline_gateway_sink_connects_total",
            "Connections that were opened.",
            ["sink"],
            registry=registry,
        )
        self._lag = Gauge(
            "sightline_gateway_sink_lag_events",
            "Events that the sink has not acknowledged yet.",
            ["sink"],
            registry=registry,
        )
        self._age = Gauge(
            "sightline_gateway_sink_lag_seconds",
            "How long the oldest event that the sink has not acknowledged has been committed.",
            ["sink"],
            registry=registry,
        )
        self._connected = Gauge(
            "sightline_gateway_sink_connected",
            "1 while the connection to the sink stands.",
            ["sink"],
            registry=registry,
        )
        self._held = Gauge(
            "sightline_gateway_sink_held",
            "1 in the process that delivers to the sink.",
            ["sink"],
            registry=registry,
        )
        self._expiry = Gauge(
            "sightline_gateway_sink_certificate_expiry_timestamp_seconds",
            "When our certificate for the sink ends; NaN where there is none.",
            ["sink"],
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
        self._waiting = Gauge(
            "sightline_gateway_intake_waiting_frames",
            "Frames that wait for their commit.",
            registry=registry,
        )

    def committed(self, records: Sequence[FrameRecord], seconds: float) -> None:
        """A group is on the disk."""
        frames = [record for record in records if not record.key.is_retraction]
        self._frames.inc(len(frames))
        self._retracted.inc(len(records) - len(frames))
        self._commit.observe(seconds)
        self._group.observe(len(records))
        placed = 0
        for record in records:
            for event in record.events:
                if event.kind == "detection":
                    placed += 1
                    self._ce90.observe(event.ce90_m)
            for each in record.unplaced:
                self._unplaced.labels(each.reason).inc()
        self._placed.inc(placed)

    def rejected(self, reason: str) -> None:
        """A report was not taken in, for that reason (the end of a problem's type)."""
        self._rejected.labels(reason).inc()

    def sent(self, sink: str, events: int, repeated: int) -> None:
        """Events went out, some of them again."""
        self._sent.labels(sink).inc(events)
        self._repeated.labels(sink).inc(repeated)

    def acknowledged(self, sink: str, events: int, seconds: float) -> None:
        """Events were acknowledged, so long after they were sent."""
        self._acknowledged.labels(sink).inc(events)
        self._pongs.labels(sink).observe(seconds)

    def buried(self, sink: str) -> None:
        """An event became a dead letter."""
        self._buried.labels(sink).inc()

    def reconnected(self, sink: str) -> None:
        """A connection is up."""
        self._connects.labels(sink).inc()

    def watch_store(self, space: Callable[[], Space]) -> None:
        """Read what the store takes whenever someone scrapes."""
        self._store.set_function(lambda: space().used)
        self._disk.set_function(lambda: left if (left := space().free) is not None else math.nan)

    def watch_intake(self, waiting: Callable[[], int]) -> None:
        """Read the queue's length whenever someone scrapes."""
        self._waiting.set_function(waiting)

    def watch_sink(
        self,
        sink: str,
        *,
        lag: Callable[[], int],
        age: Callable[[], float],
        state: Callable[[], str],
        expires_at: Callable[[], datetime | None],
    ) -> None:
        """Read a sink's lag, age, state and certificate whenever someone scrapes."""
        self._lag.labels(sink).set_function(lag)
        self._age.labels(sink).set_function(age)
        self._connected.labels(sink).set_function(lambda: state() == "connected")
        self._held.labels(sink).set_function(lambda: state() not in ("standby", "paused"))
        self._expiry.labels(sink).set_function(
            lambda: moment.timestamp() if (moment := expires_at()) else math.nan
        )
