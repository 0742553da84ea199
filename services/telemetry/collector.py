"""The way to a collector, through OpenTelemetry's batches and its exporter (OTLP over HTTP).

Import this only where spans are sent: OpenTelemetry takes longer to import than a whole service.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags
from prometheus_client import Counter

from telemetry import logs
from telemetry.metrics import Metrics
from telemetry.redaction import SECRETS
from telemetry.traces import SAMPLED, Attributes, Kind, Trace

QUEUE_LIMIT = 4096
"""Spans that wait to be sent, those on their way included; what comes on top is dropped."""

_KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_SAMPLED = TraceFlags(SAMPLED)
_UNSET = Status(StatusCode.UNSET)
_NANOSECONDS = 1_000_000_000

log = logs.get("telemetry.collector")


class Collector:
    """Takes ended spans and sends them from a thread of its own."""

    def __init__(self, url: str, *, metrics: Metrics) -> None:
        # What becomes of spans is counted and said here, once, and not with every attempt.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._exporter = _Counted(OTLPSpanExporter(endpoint=url), url=url, metrics=metrics)
        self._batches = BatchSpanProcessor(self._exporter, max_queue_size=QUEUE_LIMIT)
        self._scope = InstrumentationScope("sightline", metrics.version)
        # OTEL_RESOURCE_ATTRIBUTES may add to these, the pod for one.
        self._resource = Resource.create(
            {
                "service.name": metrics.service,
                "service.version": metrics.version,
                "deployment.colour": metrics.colour,
            }
        )

    def put(
        self,
        name: str,
        trace: Trace,
        *,
        began: float,
        ended: float,
        kind: Kind,
        attributes: Attributes,
        error: str | None,
    ) -> None:
        """Have a span sent, or drop it where too many wait. Times are of time.perf_counter."""
        trace_id = int(trace.trace_id, 16)
        epoch = time.time_ns() - time.perf_counter_ns()
        span = ReadableSpan(
            name,
            context=_context(trace_id, trace.span_id),
            parent=None if trace.parent_id is None else _context(trace_id, trace.parent_id),
            resource=self._resource,
            attributes={
                key: SECRETS.text(each) if isinstance(each, str) else each
                for key, each in attributes.items()
            },
            kind=_KINDS[kind],
            status=_UNSET if error is None else Status(StatusCode.ERROR, SECRETS.text(error)),
            start_time=epoch + int(began * _NANOSECONDS),
            end_time=epoch + int(ended * _NANOSECONDS),
            instrumentation_scope=self._scope,
        )
        if self._exporter.admit():
            self._batches.on_end(span)

    def close(self, *, seconds: float) -> None:
        """Send what waits; give up after so long, or at once where the collector is away."""
        if self._exporter.away:
            self._exporter.shutdown()
        # OpenTelemetry waits for half a minute, and Kubernetes would not.
        closing = threading.Thread(target=self._batches.shutdown, daemon=True)
        closing.start()
        closing.join(seconds)
        self._exporter.give_up()


class _Counted(SpanExporter):
    """Counts what becomes of spans, and says when the collector goes away and comes back."""

    def __init__(self, inner: SpanExporter, *, url: str, metrics: Metrics) -> None:
        self.away = False
        self._inner = inner
        self._url = url
        self._lock = threading.Lock()
        self._waiting = 0
        self._closed = False
        total = Counter(
            "sightline_spans_total",
            "Spans for the collector of traces, by what became of them: sent or dropped.",
            ["outcome"],
            registry=metrics.registry,
        )
        self._sent, self._dropped = total.labels("sent"), total.labels("dropped")

    def admit(self) -> bool:
        """Whether there is room for one more."""
        with self._lock:
            if self._closed or self._waiting >= QUEUE_LIMIT:
                self._dropped.inc()
                return False
            self._waiting += 1
            return True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, as OpenTelemetry's batches ask for."""
        try:
            result = self._inner.export(spans)
        except Exception as error:  # noqa: BLE001 - the spans are lost, and counted
            log.warning("spans cannot be sent", reason=repr(error))
            result = SpanExportResult.FAILURE
        sent = result is SpanExportResult.SUCCESS
        with self._lock:
            self._waiting -= len(spans)
            changed, self.away = self.away is sent, not sent
        (self._sent if sent else self._dropped).inc(len(spans))
        if changed and sent:
            log.info("the collector takes spans again", endpoint=self._url)
        elif changed:
            log.warning("the collector takes no spans: they are dropped", endpoint=self._url)
        return result

    def give_up(self) -> None:
        """Take no more; what still waits is lost."""
        with self._lock:
            self._closed = True
            waiting = self._waiting
        if waiting:
            self.shutdown()
            log.warning("spans were not sent before the end", count=waiting, endpoint=self._url)

    def shutdown(self) -> None:
        """Send no more; what waits to be tried again is not."""
        self._inner.shutdown()


def _context(trace_id: int, span_id: str) -> SpanContext:
    return SpanContext(trace_id, int(span_id, 16), is_remote=False, trace_flags=_SAMPLED)
