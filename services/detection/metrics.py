"""What the detection service counts, over and above its HTTP requests."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from detection import gateway
from detection.lanes import Lanes
from detection.models.store import Store
from sightline.messages import DetectedObject, StageTimings
from telemetry.metrics import REQUEST_BUCKETS, STAGE_BUCKETS, Metrics, exemplar
from telemetry.traces import Trace

STAGES = ("queue", "decode", "letterbox", "inference", "postprocess", "gateway")
CONFIDENCE_BUCKETS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Of what detections score: a model whose world changes grows less sure before it finds less."""


class DetectionMetrics:
    """Labels are bounded: stages, outcomes, and the loaded models and their labels."""

    def __init__(self, metrics: Metrics) -> None:
        registry = self._registry = metrics.registry
        self._stages = Histogram(
            "sightline_detection_stage_duration_seconds",
            "Time that one image spent in a stage of its way.",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        # Looked up once: finding a label's child costs more than counting on it.
        self._observe = {stage: self._stages.labels(stage).observe for stage in STAGES}
        self._durations = Histogram(
            "sightline_detection_image_duration_seconds",
            "From an image's last byte to its answer, by model.",
            ["model"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self._images = Counter(
            "sightline_detection_images_total",
            "Images by model and what became of them.",
            ["model", "outcome"],
            registry=registry,
        )
        self._detections = Counter(
            "sightline_detection_detections_total",
            "Objects found, by model and class.",
            ["model", "class"],
            registry=registry,
        )
        self._confidence = Histogram(
            "sightline_detection_confidence",
            "How sure the model was of what it found.",
            ["model"],
            buckets=CONFIDENCE_BUCKETS,
            registry=registry,
        )
        self._forwards = Counter(
            "sightline_detection_forwards_total",
            "Attempts to commit a frame at the gateway, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._tensors = Counter(
            "sightline_detection_tensor_failures_total",
            "Requests of the Open Inference Protocol that failed, by what of.",
            ["outcome"],
            registry=registry,
        )
        self._runs = Histogram(
            "sightline_detection_tensor_duration_seconds",
            "From a client's own tensors being given to a lane to their result, by model.",
            ["model"],
            buckets=REQUEST_BUCKETS,
            registry=registry,
        )
        self._reloads = Counter(
            "sightline_detection_model_loads_total",
            "Models loaded anew while serving, by outcome.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("loaded", "refused"):
            self._reloads.labels(outcome)
        for outcome in gateway.OUTCOMES:
            self._forwards.labels(outcome)

    def watch(self, lanes: Lanes, store: Store, *, outcomes: Sequence[str] = ()) -> None:
        """Tell how these are doing whenever somebody asks.

        The series of the loaded models begin now, at 0; `outcomes` are those of failed images.
        """
        for model in store.models:
            self._durations.labels(model)
            self._confidence.labels(model)
            for outcome in ("answered", *outcomes):
                self._images.labels(model, outcome)
        waiting = Gauge(
            "sightline_detection_queue_depth",
            "Images that wait for a lane.",
            registry=self._registry,
        )
        waiting.set_function(lambda: lanes.waiting)
        limit = Gauge(
            "sightline_detection_queue_limit", "Places in the queue.", registry=self._registry
        )
        limit.set(lanes.queue_limit)
        busy = Gauge("sightline_detection_lanes_busy", "Lanes at work.", registry=self._registry)
        busy.set_function(lambda: lanes.busy)
        count = Gauge("sightline_detection_lanes", "Lanes there are.", registry=self._registry)
        count.set(lanes.count)
        refused = Gauge(
            "sightline_detection_models_refused",
            "Models whose newest file is not served, since it was refused.",
            registry=self._registry,
        )
        refused.set_function(lambda: store.refused)
        self._registry.register(_Told(lanes, store))

    def detected(
        self,
        *,
        model: str,
        timings: StageTimings,
        objects: Sequence[DetectedObject],
        trace: Trace | None = None,
    ) -> None:
        """An image was answered; `trace` is an example of such a request."""
        example = exemplar(trace)
        for stage, observe in self._observe.items():
            milliseconds = getattr(timings, stage)
            if milliseconds is not None:
                observe(milliseconds / 1000.0, example)
        self._durations.labels(model).observe(timings.total / 1000.0, example)
        if objects:
            sure = self._confidence.labels(model)
            for each in objects:
                sure.observe(each.confidence)
            for label, found in Tally(each.class_name for each in objects).items():
                self._detections.labels(model, label).inc(found)
        self._images.labels(model, "answered").inc()

    def failed(self, *, model: str, outcome: str) -> None:
        """An image was not."""
        self._images.labels(model, outcome).inc()

    def ran(
        self, *, model: str, queue_seconds: float, run_seconds: float, trace: Trace | None = None
    ) -> None:
        """A model has run on a client's own tensors."""
        example = exemplar(trace)
        self._observe["queue"](queue_seconds, example)
        self._observe["inference"](run_seconds, example)
        self._runs.labels(model).observe(queue_seconds + run_seconds, example)

    def tensors_failed(self, outcome: str) -> None:
        """A request of the Open Inference Protocol was not answered."""
        self._tensors.labels(outcome).inc()

    def forwarded(self, outcome: str) -> None:
        """The gateway was asked once."""
        self._forwards.labels(outcome).inc()

    def reloaded(self, outcome: str) -> None:
        """A model was loaded anew, or was not."""
        self._reloads.labels(outcome).inc()


class _Told(Collector):
    """What is known only when somebody asks."""

    def __init__(self, lanes: Lanes, store: Store) -> None:
        self._lanes = lanes
        self._store = store

    def collect(self) -> Iterable[Metric]:
        yield CounterMetricFamily(
            "sightline_detection_lane_busy_seconds",
            "Seconds that all lanes together have worked; its rate over their number is the load.",
            value=self._lanes.busy_seconds,
        )
        yield CounterMetricFamily(
            "sightline_detection_lanes_replaced",
            "Lanes that were stuck.",
            value=self._lanes.replaced,
        )
        info = GaugeMetricFamily(
            "sightline_detection_model_info",
            "Always 1: which models are served.",
            labels=["model", "model_version", "layout", "provider", "sha256"],
        )
        for model in self._store.models.values():
            told = model.info
            info.add_metric(
                [told.name, told.version, told.layout, told.provider, told.sha256[:12]], 1
            )
        yield info
