"""Prometheus metrics: shared names and buckets, one registry per application.

Every sample carries `version` and `colour`, so that dashboards can tell blue from green even where
the scraper adds no labels of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from telemetry import logs
from telemetry.cgroups import Groups
from telemetry.exposition import TEXT, Format
from telemetry.traces import Trace

REQUEST_BUCKETS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Seconds of a whole request, alike for both services so that they can be laid over each other."""

STAGE_BUCKETS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
)  # fmt: skip
"""Seconds of one step inside a request."""

DELIVERY_BUCKETS = (
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0,
)  # fmt: skip
"""Seconds from a frame's capture or commit to its delivery: outages make these hours."""

OTHER_METHOD = "other"
"""The label of every method that HTTP does not know, or the route does not take."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """An application's own registry: give it to `Counter(..., registry=metrics.registry)`."""

    registry: CollectorRegistry
    service: str
    version: str
    colour: str

    def exposition(self, form: Format = TEXT) -> bytes:
        """All metrics, as the format writes them."""
        return form.write(_Marked(self.registry, version=self.version, colour=self.colour))


def registry(*, service: str, version: str, colour: str) -> Metrics:
    """A fresh registry with what is told of every process: what it is, and what it takes."""
    inner = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=inner)
    PlatformCollector(registry=inner)
    inner.register(logs.LINES)
    inner.register(logs.SUPPRESSED)
    Gauge(
        "sightline_build_info",
        "Always 1: which service this is; version and colour are on every sample.",
        ["service"],
        registry=inner,
    ).labels(service).set(1)
    Gauge(
        "sightline_memory_limit_bytes",
        "Memory that the container may take, by its control groups; NaN where nothing limits it.",
        registry=inner,
    ).set_function(Groups().memory_bytes)
    return Metrics(registry=inner, service=service, version=version, colour=colour)


def exemplar(trace: Trace | None) -> dict[str, str] | None:
    """For `Histogram.observe`: the trace to look at, where it is one that others keep as well."""
    return {"trace_id": trace.trace_id} if trace is not None and trace.sampled else None


class HttpMetrics:
    """What every HTTP service counts. Labels are bounded: route templates, never paths."""

    def __init__(self, metrics: Metrics) -> None:
        self._requests = Counter(
            "sightline_http_requests_total",
            "Answered requests; status 499 is a client that went away before its answer.",
            ["method", "route", "status"],
            registry=metrics.registry,
        )
        self._duration = Histogram(
            "sightline_http_request_duration_seconds",
            "From the request's head to the end of its answer.",
            ["method", "route"],
            buckets=REQUEST_BUCKETS,
            registry=metrics.registry,
        )
        # Finding a label's child costs more than counting on it; there are few.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._in_flight = Gauge(
            "sightline_http_requests_in_flight",
            "Requests that are being answered now.",
            registry=metrics.registry,
        )

    def begin(self) -> None:
        """A request's head has arrived."""
        self._in_flight.inc()

    def end(
        self, *, method: str, route: str, status: int, seconds: float, trace: Trace | None = None
    ) -> None:
        """Its answer is out, or its client gone. `trace` is an example of such a request."""
        method = method if method in METHODS else OTHER_METHOD
        self._in_flight.dec()
        key = (method, route, status)
        children = self._children.get(key)
        if children is None:
            children = self._children[key] = (
                self._requests.labels(method, route, str(status)),
                self._duration.labels(method, route),
            )
        children[0].inc()
        children[1].observe(seconds, exemplar(trace))


class _Marked(Collector):
    """A registry's samples, each with the same further labels."""

    def __init__(self, inner: Collector, **labels: str) -> None:
        self._inner = inner
        self._labels = labels

    def collect(self) -> Iterable[Metric]:
        for metric in self._inner.collect():
            marked = Metric(metric.name, metric.documentation, metric.type, metric.unit)
            marked.samples = [
                sample._replace(labels={**sample.labels, **self._labels})
                for sample in metric.samples
                # When a series began is of no use to Prometheus, and a third more.
                if not sample.name.endswith("_created")
            ]
            yield marked
