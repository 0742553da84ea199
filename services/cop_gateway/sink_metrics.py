"""What the gateway counts of delivery, by sink."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

from prometheus_client import Counter, Gauge, Histogram

from cop_gateway.delivery.delays import Delays
from telemetry.metrics import DELIVERY_BUCKETS, STAGE_BUCKETS, Metrics


class SinkMetrics:
    """Delivery's observer. The one label is the sink's name, of those that the settings have."""

    def __init__(self, metrics: Metrics) -> None:
        registry = metrics.registry
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
        self._filtered = Counter(
            "sightline_gateway_events_filtered_total",
            "Events that the sink's filter leaves out.",
            ["sink"],
            registry=registry,
        )
        self._outdated = Counter(
            "sightline_gateway_events_outdated_total",
            "Events left out because their time was over, where the sink's rule says so.",
            ["sink"],
            registry=registry,
        )
        self._delivery = Histogram(
            "sightline_gateway_delivery_duration_seconds",
            "From a commit to the acknowledgement of its events, once for each commit in a batch.",
            ["sink"],
            buckets=DELIVERY_BUCKETS,
            registry=registry,
        )
        self._frame_to_cot = Histogram(
            "sightline_gateway_frame_to_cot_duration_seconds",
            "From a frame's capture to the acknowledgement of what was seen in it, once for each"
            " frame in a batch.",
            ["sink"],
            buckets=DELIVERY_BUCKETS,
            registry=registry,
        )
        self._dead = Gauge(
            "sightline_gateway_dead_letters",
            "Dead letters that lie there now.",
            ["sink"],
            registry=registry,
        )
        self._missing = Gauge(
            "sightline_gateway_delivery_missing_events",
            "Events that no settled batch covers, though later ones are settled: lost.",
            ["sink"],
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
        self._paused = Gauge(
            "sightline_gateway_sink_paused",
            "1 while an operator has paused the sink here.",
            ["sink"],
            registry=registry,
        )
        self._expiry = Gauge(
            "sightline_gateway_sink_certificate_expiry_timestamp_seconds",
            "When our certificate for the sink ends; NaN where there is none.",
            ["sink"],
            registry=registry,
        )

    def sent(self, sink: str, events: int, repeated: int) -> None:
        """Events went out, some of them again."""
        self._sent.labels(sink).inc(events)
        self._repeated.labels(sink).inc(repeated)

    def acknowledged(self, sink: str, events: int, seconds: float, delays: Delays) -> None:
        """Events were acknowledged, so long after they were sent, committed and seen."""
        self._acknowledged.labels(sink).inc(events)
        self._pongs.labels(sink).observe(seconds)
        committed = self._delivery.labels(sink).observe
        for each in delays.commits:
            committed(each)
        captured = self._frame_to_cot.labels(sink).observe
        for each in delays.frames:
            captured(each)

    def skipped(self, sink: str, *, filtered: int, outdated: int) -> None:
        """The cursor has passed events that were not sent."""
        self._filtered.labels(sink).inc(filtered)
        self._outdated.labels(sink).inc(outdated)

    def buried(self, sink: str) -> None:
        """An event became a dead letter."""
        self._buried.labels(sink).inc()

    def reconnected(self, sink: str) -> None:
        """A connection is up."""
        self._connects.labels(sink).inc()

    def watch_sink(
        self,
        sink: str,
        *,
        lag: Callable[[], int],
        age: Callable[[], float],
        state: Callable[[], str],
        expires_at: Callable[[], datetime | None],
        dead_letters: Callable[[], int],
        missing: Callable[[], int],
    ) -> None:
        """Read how a sink is whenever someone scrapes; all its series begin now, at 0."""
        for each in (
            self._sent, self._repeated, self._acknowledged, self._filtered, self._outdated,
            self._buried, self._connects, self._pongs, self._delivery, self._frame_to_cot,
        ):  # fmt: skip
            each.labels(sink)
        self._dead.labels(sink).set_function(dead_letters)
        self._missing.labels(sink).set_function(missing)
        self._paused.labels(sink).set_function(lambda: state() == "paused")
        self._lag.labels(sink).set_function(lag)
        self._age.labels(sink).set_function(age)
        self._connected.labels(sink).set_function(lambda: state() == "connected")
        self._held.labels(sink).set_function(lambda: state() not in ("standby", "paused"))
        self._expiry.labels(sink).set_function(
            lambda: moment.timestamp() if (moment := expires_at()) else math.nan
        )
