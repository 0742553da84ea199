"""What is told of images and tensors that were looked at: metrics, spans, and the log line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from detection.lanes import Turn
from detection.metrics import DetectionMetrics
from detection.pipeline import Sighting
from sightline.messages import DetectedObject, StageTimings
from telemetry import logs, traces
from telemetry.spans import Spans


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Of the request at hand. Times are readings of `time.perf_counter`."""

    metrics: DetectionMetrics
    spans: Spans

    def seen(self, model: str, turn: Turn[Sighting], *, began: float) -> None:
        """A lane is done with an image that was given to it at `began`: a span for each stage.

        Of an image in tiles a stage's time is that of all tiles together, so that its span says how
        long and not when.
        """
        if not self.spans.kept:
            return
        spent, tiles = turn.result.seconds, turn.result.tiles
        at = began
        for stage, seconds in (
            ("queue", turn.waited_seconds),
            ("decode", spent.decode),
            ("letterbox", spent.letterbox),
            ("inference", spent.inference),
            ("postprocess", spent.postprocess),
        ):
            self.spans.child(
                stage, began=at, ended=at + seconds, attributes={"model": model, "tiles": tiles}
            )
            at += seconds

    def answered(
        self, model: str, *, timings: StageTimings, objects: Sequence[DetectedObject], tiles: int
    ) -> None:
        """An image's answer is known."""
        self.metrics.detected(
            model=model, timings=timings, objects=objects, trace=traces.current.get()
        )
        logs.bind(
            model=model,
            detections=len(objects),
            queue_ms=timings.queue,
            run_ms=timings.inference,
            tiles=tiles,
        )

    def ran(self, model: str, turn: Turn[Any], *, began: float) -> None:
        """A model has run on a client's own tensors."""
        queue, run = turn.waited_seconds, turn.worked_seconds
        self.metrics.ran(
            model=model, queue_seconds=queue, run_seconds=run, trace=traces.current.get()
        )
        logs.bind(model=model, queue_ms=milliseconds(queue), run_ms=milliseconds(run))
        if self.spans.kept:
            about = {"model": model}
            ran = began + queue
            self.spans.child("queue", began=began, ended=ran, attributes=about)
            self.spans.child("inference", began=ran, ended=ran + run, attributes=about)


def timings_of(turn: Turn[Sighting], *, gateway: float | None, total: float) -> StageTimings:
    """How long each stage of an image took, in milliseconds."""
    spent = turn.result.seconds
    return StageTimings(
        queue=milliseconds(turn.waited_seconds),
        decode=milliseconds(spent.decode),
        letterbox=milliseconds(spent.letterbox),
        inference=milliseconds(spent.inference),
        postprocess=milliseconds(spent.postprocess),
        gateway=None if gateway is None else milliseconds(gateway),
        total=milliseconds(total),
    )


def milliseconds(seconds: float) -> float:
    """To the microsecond."""
    return round(seconds * 1000.0, 3)
