"""Spans for a collector of traces (OTLP over HTTP), with the ids of our logs and headers.

Without an endpoint nothing is imported, kept or sent. With one, an ended span goes into a bounded
queue; a thread sends what is in it. A collector that is away costs the spans, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from telemetry import logs, redaction, traces
from telemetry.metrics import Metrics
from telemetry.redaction import SECRETS
from telemetry.sampling import below
from telemetry.traces import Attributes, Kind, Trace

if TYPE_CHECKING:
    from telemetry.collector import Collector

CLOSE_SECONDS = 3.0
"""How long the last spans may take to be sent when the service ends."""

_TRACES_PATH = "/v1/traces"

log = logs.get("telemetry.spans")


def endpoint(setting: str | None, environ: Mapping[str, str]) -> str | None:
    """Where spans are sent: the setting, else what OpenTelemetry's own variables name.

    All but OTEL_EXPORTER_OTLP_TRACES_ENDPOINT are the collector's address, below which OTLP has a
    path of its own for traces.
    """
    if setting is None and environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    whole = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    if setting is None and whole:
        return whole
    base = setting or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
    if not base:
        return None
    return base.rstrip("/").removesuffix(_TRACES_PATH) + _TRACES_PATH


class Spans:
    """Where ended spans go. Times are readings of `time.perf_counter`."""

    def __init__(self, collector: Collector | None = None, *, sample_ratio: float = 1.0) -> None:
        """Of traces that begin here, `sample_ratio` are kept."""
        self._collector = collector
        self._ratio = sample_ratio

    @classmethod
    def open(
        cls,
        setting: str | None,
        *,
        metrics: Metrics,
        environ: Mapping[str, str] = os.environ,
        sample_ratio: float = 1.0,
    ) -> Spans:
        """Begin to send, where there is an endpoint; `metrics` says which service this is."""
        url = endpoint(setting, environ)
        if url is None:
            return cls(sample_ratio=sample_ratio)
        SECRETS.register(*redaction.of_url(url), *_header_values(environ))
        # Takes longer to import than all the rest of a service.
        from telemetry.collector import Collector  # noqa: PLC0415

        log.info("spans are sent", endpoint=url)
        return cls(Collector(url, metrics=metrics), sample_ratio=sample_ratio)

    def received(self, header: str | None) -> Trace:
        """The span of a request: a child of the caller's, kept if that is; else a trace's first."""
        trace = traces.received(header)
        if self._ratio < 1.0 and trace.parent_id is None and not below(trace.trace_id, self._ratio):
            return replace(trace, flags=trace.flags & ~traces.SAMPLED)
        return trace

    @property
    def kept(self) -> bool:
        """Whether anybody gets them: where nobody does, there is no need to make any."""
        return self._collector is not None

    def record(
        self,
        name: str,
        trace: Trace,
        *,
        began: float,
        ended: float,
        kind: Kind = "internal",
        attributes: Attributes | None = None,
        error: str | None = None,
    ) -> None:
        """Span `trace.span_id` is over; `error` says why it failed. Never raises."""
        if self._collector is None or not trace.sampled:
            return
        try:
            self._collector.put(
                name,
                trace,
                began=began,
                ended=ended,
                kind=kind,
                attributes=attributes or {},
                error=error,
            )
        except Exception:
            log.warning("span not recorded", span=name, exc_info=True)

    def child(
        self,
        name: str,
        *,
        began: float,
        ended: float,
        parent: Trace | None = None,
        kind: Kind = "internal",
        attributes: Attributes | None = None,
        error: str | None = None,
    ) -> None:
        """A step of the current request is over, or of `parent`. Never raises."""
        if self._collector is None:
            return
        parent = traces.current.get() if parent is None else parent
        if parent is not None and parent.sampled:
            self.record(
                name,
                traces.child(parent),
                began=began,
                ended=ended,
                kind=kind,
                attributes=attributes,
                error=error,
            )

    def close(self, *, seconds: float = CLOSE_SECONDS) -> None:
        """Send what waits, for so long at most; then no more is taken."""
        if self._collector is not None:
            self._collector.close(seconds=seconds)


def _header_values(environ: Mapping[str, str]) -> Iterator[str]:
    """What OpenTelemetry's exporter shows the collector: a key of the site's trace store, say."""
    for variable in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        for header in environ.get(variable, "").split(","):
            value = unquote(header.partition("=")[2]).strip()
            # "Bearer KEY": the key alone is as secret.
            yield from {value, value.rpartition(" ")[2]}
