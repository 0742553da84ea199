"""The page of metrics, and what it is held to: whose labels may take which values, and how many.

The metrics themselves are read from the services as these wire them. A label that is not declared
here, or a metric that grows beyond its budget, fails a test.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, get_args

from prometheus_client import CollectorRegistry

import cop_gateway.app
import cop_gateway.metrics
import detection.app
import detection.gateway
import detection.metrics
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.settings import Settings as GatewaySettings
from cop_gateway.settings import SinkSettings
from detection.settings import Settings as DetectionSettings
from detection.web import problems as detection_problems
from serving.probes import Readiness
from sightline.messages import UnplacedReason
from telemetry.metrics import METHODS

SINKS, MODELS, CLASSES, CAMERAS = 20, 5, 80, 100
"""The size of a site that the budgets are for."""
PER_SERVICE = 6_000
"""Series that one process may have at that size; Prometheus holds millions."""

SERVICES = {"detection": "Detection service", "cop-gateway": "CoP gateway"}


class Bound(NamedTuple):
    """What values a label takes, in words, and how many there may be."""

    words: str
    most: int


def words(values: Any) -> Bound:
    """Exactly these."""
    values = tuple(values)
    return Bound(", ".join(f"`{each}`" for each in values), len(values))


SINK = {"sink": Bound("a sink's name in the settings", SINKS)}
MODEL = {"model": Bound("a model's name in the manifest", MODELS)}
ROUTE = Bound("the template of a route, or `unmatched`", 40)
METHOD = Bound("a method that the route takes, else `other`", len(METHODS) + 1)

LABELS: Mapping[str, Mapping[str, Bound]] = {
    "python_info": {
        name: Bound("of Python", 1)
        for name in ("implementation", "major", "minor", "patchlevel", "version")
    },
    "sightline_build_info": {"service": Bound("`detection` or `cop-gateway`", 1)},
    "sightline_http_requests_total": {
        "method": METHOD,
        "route": ROUTE,
        "status": Bound("the answer's status; `499`: the client went away", 30),
    },
    "sightline_http_request_duration_seconds": {"method": METHOD, "route": ROUTE},
    "sightline_spans_total": {"outcome": words(("sent", "dropped"))},
    "sightline_log_lines_total": {
        "level": words(("debug", "info", "warning", "error", "critical"))
    },
    "sightline_detection_stage_duration_seconds": {"stage": words(detection.metrics.STAGES)},
    "sightline_detection_image_duration_seconds": MODEL,
    "sightline_detection_images_total": {
        "model": Bound("a model's name in the manifest, or `none`", MODELS + 1),
        "outcome": words(("answered", *detection_problems.OUTCOMES)),
    },
    "sightline_detection_detections_total": MODEL
    | {"class": Bound("a label of that model", CLASSES)},
    "sightline_detection_confidence": MODEL,
    "sightline_detection_forwards_total": {"outcome": words(detection.gateway.OUTCOMES)},
    "sightline_detection_tensor_failures_total": {
        "outcome": Bound("as of images, and those of tensors alone", 24)
    },
    "sightline_detection_tensor_duration_seconds": MODEL,
    "sightline_detection_model_loads_total": {"outcome": words(("loaded", "refused"))},
    "sightline_detection_model_info": MODEL
    | {
        "model_version": Bound("as the manifest has it", 1),
        "layout": Bound("of its outputs", 1),
        "provider": Bound("of ONNX Runtime", 1),
        "sha256": Bound("the first twelve digits", 1),
    },
    "sightline_gateway_events_committed_total": {"kind": words(cop_gateway.metrics.KINDS)},
    "sightline_gateway_reports_rejected_total": {"reason": words(cop_gateway.metrics.REJECTIONS)},
    "sightline_gateway_detections_unplaced_total": {"reason": words(get_args(UnplacedReason))},
    **{
        f"sightline_gateway_{name}": SINK
        for name in (
            "events_sent_total",
            "events_repeated_total",
            "events_acknowledged_total",
            "events_filtered_total",
            "events_outdated_total",
            "events_buried_total",
            "delivery_duration_seconds",
            "frame_to_cot_duration_seconds",
            "dead_letters",
            "delivery_missing_events",
            "sink_acknowledge_duration_seconds",
            "sink_connects_total",
            "sink_lag_events",
            "sink_lag_seconds",
            "sink_connected",
            "sink_held",
            "sink_paused",
            "sink_certificate_expiry_timestamp_seconds",
        )
    },
}
"""Every metric that has labels of its own."""

CEILINGS = {
    "sightline_http_requests_total": 600,
    "sightline_http_request_duration_seconds": 2_000,
}
"""Where the labels do not come in every combination: a route takes one or two methods."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One metric as a service has it."""

    name: str
    kind: str
    meaning: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()

    @property
    def unit(self) -> str:
        """By the end of its name, as Prometheus' conventions have it."""
        stem = self.name.removesuffix("_total").removesuffix("_timestamp_seconds")
        if stem != self.name.removesuffix("_total"):
            return "seconds since 1970"
        last = stem.rpartition("_")[2]
        return last if last in ("seconds", "bytes", "meters") else ""

    @property
    def budget(self) -> int:
        """Series that it may have, at the size of a site above."""
        one = len(self.buckets) + 2 if self.buckets else 1
        bounds = LABELS.get(self.name, {})
        return CEILINGS.get(self.name, one * math.prod(each.most for each in bounds.values()))


def registries() -> dict[str, CollectorRegistry]:
    """Of each service, wired as it is when it runs with everything that can be switched on."""
    traced = "http://127.0.0.1:9"
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteOutbox(Path(folder) / "gateway.db")
        gateway = cop_gateway.app.build(
            GatewaySettings(
                database=f"sqlite:///{folder}/gateway.db",
                ground_height_m=0.0,
                sinks=(SinkSettings(name="tak", url="tcp://127.0.0.1:9"),),
                otlp_endpoint=traced,
            ),
            store,
            readiness=Readiness(),
        )
        store.close()
    models: Any = SimpleNamespace(refused=0, models={}, counted=None)
    detector = detection.app.build(DetectionSettings(models=".", otlp_endpoint=traced), models)
    return {
        "detection": detector.app.state.metrics.registry,
        "cop-gateway": gateway.state.metrics.registry,
    }


def families(registry: CollectorRegistry) -> Iterator[Family]:
    """Every metric in it, in the order of their names."""
    found = [each for one in registry._collector_to_names for each in _families(one)]  # noqa: SLF001
    yield from sorted(found, key=lambda each: each.name)


def _families(collector: Any) -> Iterator[Family]:
    own = getattr(collector, "_upper_bounds", None)
    for metric in collector.collect():
        total = "_total" if metric.type == "counter" else ""
        labels = getattr(collector, "_labelnames", None) or getattr(metric, "_labelnames", ())
        yield Family(
            name=metric.name + total,
            kind=metric.type,
            meaning=metric.documentation,
            labels=tuple(labels),
            buckets=tuple(own or ()),
        )


HEAD = f"""# Metrics

Written from the code by `make reference`; do not edit.

`GET /metrics` answers in Prometheus' text format, or in OpenMetrics with exemplars (the `trace_id`
of one such request) where it is asked for. Every sample also has `version` and `colour`, so that
blue can be told from green. Series of what is known beforehand (sinks, models, reasons) begin at 0
when the process starts, so that the first event of a kind is seen as an increase.

No label takes a value that a client makes up: paths are templates, and there are no labels of
cameras, frames, tracks, users or addresses; those are in logs and traces. "At most" is the budget
of a metric in one process at a site of {SINKS} sinks, {MODELS} models of {CLASSES} classes each,
and {CAMERAS} cameras or any other number of them; a test holds it against hostile requests.
What they mean for users, and when somebody is woken, is in the
[rules](../../observability/prometheus/rules) and [runbooks](../runbooks/README.md).

"""


def metrics_page() -> str:
    """The page, whole."""
    told = {name: list(families(registry)) for name, registry in registries().items()}
    alike = [each for each in told["detection"] if each in told["cop-gateway"]]
    parts = [HEAD, "## Both services\n\n", _table(alike)]
    for service, title in SERVICES.items():
        own = [each for each in told[service] if each not in alike]
        parts += [f"\n## {title}\n\n", _table(own)]
    return "".join(parts)


def _table(listed: list[Family]) -> str:
    lines = ["| metric | type | unit | labels | at most | meaning |", "|---" * 6 + "|"]
    lines += [_row(each) for each in listed]
    buckets: dict[tuple[float, ...], list[str]] = {}
    for each in listed:
        if each.buckets:
            buckets.setdefault(each.buckets, []).append(f"`{each.name}`")
    text = "\n".join(lines) + "\n"
    for bounds, names in buckets.items():
        edges = ", ".join(f"{edge:g}" for edge in bounds if edge != math.inf)
        text += f"\nBuckets of {', '.join(names)}: {edges}.\n"
    return text


def _row(each: Family) -> str:
    bounds = LABELS.get(each.name, {})
    labels = "; ".join(f"`{name}`: {bounds[name].words}" for name in each.labels)
    return (
        f"| `{each.name}` | {each.kind} | {each.unit} | {labels} | {each.budget:,} |"
        f" {each.meaning.rstrip('.')}. |"
    )
