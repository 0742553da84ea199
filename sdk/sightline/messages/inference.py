"""What the detection service answers."""

from __future__ import annotations

from datetime import datetime

import msgspec

from sightline.messages.detection import Box
from sightline.messages.problem import Problem
from sightline.messages.receipt import Placement, Unplaced
from sightline.messages.value import Answer

TIMEOUT_HEADER = "X-Request-Timeout"
"""Of a request: for how many seconds its answer is waited for."""


class ImageSize(Answer, frozen=True, kw_only=True):
    """Pixels, after the EXIF orientation was applied."""

    width: int
    height: int


class ModelReference(Answer, frozen=True, kw_only=True):
    """Which model made a detection."""

    name: str
    version: str


class ModelInfo(Answer, frozen=True, kw_only=True):
    """A loaded model, as in GET /v1/models."""

    name: str
    version: str
    sha256: str
    labels: tuple[str, ...]
    input_width: int
    input_height: int
    layout: str
    provider: str
    confidence: float | None = None
    """Detections that score less are left out, unless a request states its own threshold."""
    loaded_at: datetime | None = None


class ModelList(Answer, frozen=True, kw_only=True):
    """Every loaded model, the default one first."""

    models: tuple[ModelInfo, ...]


class StageTimings(Answer, frozen=True, kw_only=True):
    """Milliseconds spent on one frame, by stage."""

    queue: float
    decode: float
    letterbox: float
    inference: float
    postprocess: float
    gateway: float | None = None
    total: float


class DetectedObject(Answer, frozen=True, kw_only=True):
    """One object, with its event where the gateway committed one."""

    class_name: str = msgspec.field(name="class")
    confidence: float
    box: Box
    event: Placement | Unplaced | None = None


class DetectResult(Answer, frozen=True, kw_only=True):
    """The answer to POST /v1/detect."""

    frame_id: str | None
    camera_id: str | None
    model: ModelReference
    image: ImageSize
    detections: tuple[DetectedObject, ...]
    committed: bool
    """Whether the gateway has the detections in durable storage."""
    timings_ms: StageTimings | None = None
    """Left out where the request says `timings=false`."""


class BatchItem(Answer, frozen=True, kw_only=True):
    """What became of one image of a batch: its result, or the problem that it met."""

    index: int
    """Its place in the request, from 0."""
    status: int
    """The status that POST /v1/detect would have answered with."""
    result: DetectResult | None = None
    problem: Problem | None = None


class BatchResult(Answer, frozen=True, kw_only=True):
    """The answer to POST /v1/detect/batch: an item for each image, in the request's order."""

    results: tuple[BatchItem, ...]
