"""What the detection service counts, over and above its HTTP requests."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

from detection.lanes import Lanes
from sightline.messages import DetectedObject, StageTimings
from telemetry.metrics import STAGE_BUCKETS, Metrics


class DetectionMetrics:
    """Labels are bounded: stages, outcomes, and the labels of the loaded models."""

    def __init__(self, metrics: Metrics, lanes: Lanes) -> None:
        registry = metrics.registry
        self._stages = Histogram(
            "sightline_detection_stage_duration_seconds",
            "Time that one image spent in a stage of its way.",
            ["stage"],
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        # Looked up once: finding a label's child costs more than counting on it.
        self._observe = {
            stage: self._stages.labels(stage).observe
            for stage in ("queue", "decode", "letterbox", "inference", "postprocess", "gateway")
        }
        self._images = Counter(
            "sightline_detection_images_total",
            "Images by what became of them.",
            ["outcome"],
            registry=registry,
        )
        self._answered = self._images.labels("answered")
        self._detections = Counter(
            "sightline_detection_detections_total",
            "Objects found, by model and class.",
            ["model", "class"],
            registry=registry,
        )
        self._forwards = Counter(
            "sightline_detection_forwards_total",
            "Attempts to commit a frame at the gateway, by outcome.",
            ["outcome"],
            registry=registry,
        )
        waiting = Gauge(
            "sightline_detection_queue_depth", "Images that wait for a lane.", registry=registry
        )
        waiting.set_function(lambda: lanes.waiting)
        limit = Gauge("sightline_detection_queue_limit", "Places in the queue.", registry=registry)
        limit.set(lanes.queue_limit)
        busy = Gauge("sightline_detection_lanes_busy", "Lanes at work.", registry=registry)
        busy.set_function(lambda: lanes.busy)
        count = Gauge("sightline_detection_lanes", "Lanes there are.", registry=registry)
        count.set(lanes.count)

    def detected(
        self, *, model: str, timings: StageTimings, objects: Iterable[DetectedObject]
    ) -> None:
        """An image was answered."""
        for stage, observe in self._observe.items():
            milliseconds = getattr(timings, stage)
            if milliseconds is not None:
                observe(milliseconds / 1000.0)
        for label, found in Tally(each.class_name for each in objects).items():
            self._detections.labels(model, label).inc(found)
        self._answered.inc()

    def failed(self, outcome: str) -> None:
        """An image was not."""
        self._images.labels(outcome).inc()

    def forwarded(self, outcome: str) -> None:
        """The gateway was asked once."""
        self._forwards.labels(outcome).inc()
