"""What the detection service answers."""

from __future__ import annotations

import msgspec

from sightline.messages.detection import Box
from sightline.messages.receipt import Placement, Unplaced
from sightline.messages.value import Answer


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
    timings_ms: StageTimings
