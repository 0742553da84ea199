"""What was seen in a frame, in pixels of the original image (upper left corner is 0, 0)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from sightline.messages.frame import Frame
from sightline.messages.value import ClassName, Confidence, PixelCoordinate, Value

MAX_DETECTIONS = 10_000


class Box(Value, frozen=True, kw_only=False, array_like=True):
    """[x1, y1, x2, y2]: upper left and lower right corner."""

    x1: PixelCoordinate
    y1: PixelCoordinate
    x2: PixelCoordinate
    y2: PixelCoordinate

    def __post_init__(self) -> None:
        if self.x2 <= self.x1:
            raise ValueError(f"x2: {self.x2:g} must be greater than x1 ({self.x1:g})")
        if self.y2 <= self.y1:
            raise ValueError(f"y2: {self.y2:g} must be greater than y1 ({self.y1:g})")


class Pixel(Value, frozen=True, kw_only=False, array_like=True):
    """[u, v]: the pixel where the object meets the ground."""

    u: PixelCoordinate
    v: PixelCoordinate


class Detection(Value, frozen=True, kw_only=True):
    """One object: its class, how sure the model is, and where in the image."""

    class_name: ClassName = msgspec.field(name="class")
    confidence: Confidence
    box: Box | None = None
    pixel: Pixel | None = None

    def __post_init__(self) -> None:
        if (self.box is None) == (self.pixel is None):
            raise ValueError("state exactly one of box and pixel")


class DetectionReport(Value, frozen=True, kw_only=True):
    """A frame and what was seen in it: the body of POST /v1/detections."""

    frame: Frame
    detections: Annotated[tuple[Detection, ...], Meta(max_length=MAX_DETECTIONS)]
