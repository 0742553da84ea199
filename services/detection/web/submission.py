"""What a request to detect brings along: images, perhaps their frames, and parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from detection.errors import FormError, FrameError, ImageTypeError, ParameterError
from detection.image import TAKEN
from detection.tiling import Side
from detection.web import multipart
from sightline.messages import Box, Detection, Frame, decode

IMAGE_TYPES = (
    "image/jpeg",
    "image/jpg",
    "image/png",
    "image/webp",
    "image/tiff",
    "application/octet-stream",
)
"""The types that a raw body may be announced as."""

_PARAMETERS = ("confidence", "model", "tiles", "timings")
LEAST_TILE, LARGEST_TILE = 64, 8192

ASPECT_TOLERANCE = 0.01
"""How far the aspect ratios of an image and of its intrinsics may be apart, as a fraction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The parameters of a request."""

    confidence: float | None = None
    """The request's own threshold."""
    model: str | None = None
    tiles: Side | None = None
    timings: bool = True
    """Whether the answer tells how long each stage took."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """One image to look at."""

    image: bytes
    frame: Frame | None


def read(body: bytes, *, content_type: str | None) -> Submission:
    """Take a request of one image apart. Raises FieldError or MessageError; the image is unread.

    A raw body is an image by its first bytes, whatever image type its header names.
    """
    if multipart.is_form(content_type):
        form = multipart.parse(body, content_type or "")
        frame = None if form.frame is None else decode(form.frame, Frame, at="frame")
        return Submission(image=form.image, frame=frame)
    if content_type is not None:
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type not in IMAGE_TYPES:
            raise ImageTypeError(
                f"is announced as {media_type[:60]!r}; send {TAKEN} as image/jpeg, image/png,"
                " image/webp or image/tiff, or a multipart/form-data with a part named image",
                limit=TAKEN,
            )
    return Submission(image=body, frame=None)


def read_batch(body: bytes, *, content_type: str | None, most: int) -> tuple[Submission, ...]:
    """Take a request of several images apart. Raises FieldError or MessageError."""
    if not multipart.is_form(content_type):
        raise ImageTypeError(
            "is not a form; send a multipart/form-data with a part named image for each of them",
            limit="multipart/form-data",
        )
    form = multipart.parse_batch(body, content_type or "", most=most)
    frames: tuple[Frame | None, ...] = (None,) * len(form.images)
    if form.frames is not None:
        frames = decode(form.frames, tuple[Frame | None, ...], at="frames")
        if len(frames) != len(form.images):
            raise FormError(
                f"has {len(frames)} entries where there are {len(form.images)} images: one for"
                " each, a frame or null",
                field="frames",
            )
    return tuple(
        Submission(image=image, frame=frame)
        for image, frame in zip(form.images, frames, strict=True)
    )


def as_reported(
    detections: tuple[Detection, ...], frame: Frame, *, width: int, height: int
) -> tuple[Detection, ...]:
    """The detections in pixels of the size that the frame's intrinsics are stated for.

    Cameras send scaled copies of what their lens was calibrated for; the report must speak of one
    size only. Another aspect ratio means that something was cropped, and is refused.
    """
    if frame.sensor is None:
        return detections
    lens = frame.sensor.intrinsics
    x, y = lens.image_width / width, lens.image_height / height
    if x == 1.0 and y == 1.0:
        return detections
    if abs(x / y - 1.0) > ASPECT_TOLERANCE:
        raise FrameError(
            f"{lens.image_width} x {lens.image_height} has another aspect ratio than the image,"
            f" which is {width} x {height}: a scaled copy is fine, a cropped or turned one is not",
            field="frame.sensor.intrinsics.image_width",
            limit=f"aspect ratios within {ASPECT_TOLERANCE:.0%}",
        )
    return tuple(
        Detection(
            class_name=each.class_name,
            confidence=each.confidence,
            box=Box(each.box.x1 * x, each.box.y1 * y, each.box.x2 * x, each.box.y2 * y),
        )
        for each in detections
        if each.box is not None
    )


def parameters(query: Mapping[str, str]) -> Asked:
    """Of a query. Raises ParameterError."""
    for name in query:
        if name not in _PARAMETERS:
            known = ", ".join(_PARAMETERS)
            raise ParameterError(f"is not a parameter of this call (known: {known})", field=name)
    confidence, tiles = query.get("confidence"), query.get("tiles")
    timings = query.get("timings", "true")
    if timings not in ("true", "false"):
        raise ParameterError(
            f"{timings[:40]!r} is neither true nor false", field="timings", limit="true, false"
        )
    return Asked(
        confidence=None if confidence is None else _confidence(confidence),
        model=query.get("model"),
        tiles=None if tiles is None else _tiles(tiles),
        timings=timings == "true",
    )


def _confidence(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise ParameterError(
            f"{text[:40]!r} is not a number in 0..1", field="confidence", limit="0..1"
        )
    return value


def _tiles(text: str) -> Side:
    if text == "auto":
        return "auto"
    if text == "off":
        return "off"
    side = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not LEAST_TILE <= side <= LARGEST_TILE:
        raise ParameterError(
            f"{text[:40]!r} is neither auto, nor off, nor a number of pixels in"
            f" {LEAST_TILE}..{LARGEST_TILE}",
            field="tiles",
            limit=f"{LEAST_TILE}..{LARGEST_TILE}",
        )
    return side
