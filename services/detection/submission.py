"""What a request to detect brings along: an image, perhaps its frame, and parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from detection import multipart
from detection.errors import FrameError, ImageTypeError, ParameterError
from detection.image import TAKEN
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

_PARAMETERS = ("confidence", "model")

ASPECT_TOLERANCE = 0.01
"""How far the aspect ratios of an image and of its intrinsics may be apart, as a fraction."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """One image to look at."""

    image: bytes
    frame: Frame | None
    confidence: float | None
    """The request's own threshold."""
    model: str | None


def read(body: bytes, *, content_type: str | None, query: Mapping[str, str]) -> Submission:
    """Take a request apart. Raises FieldError or MessageError; the image is still unread.

    A raw body is an image by its first bytes, whatever image type its header names.
    """
    confidence, model = _parameters(query)
    frame: Frame | None = None
    image = body
    if multipart.is_form(content_type):
        form = multipart.parse(body, content_type or "")
        image = form.image
        if form.frame is not None:
            frame = decode(form.frame, Frame, at="frame")
    elif content_type is not None:
        media_type = content_type.partition(";")[0].strip().lower()
        if media_type not in IMAGE_TYPES:
            raise ImageTypeError(
                f"is announced as {media_type[:60]!r}; send {TAKEN} as image/jpeg, image/png,"
                " image/webp or image/tiff, or a multipart/form-data with a part named image",
                limit=TAKEN,
            )
    return Submission(image=image, frame=frame, confidence=confidence, model=model)


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


def _parameters(query: Mapping[str, str]) -> tuple[float | None, str | None]:
    for name in query:
        if name not in _PARAMETERS:
            known = ", ".join(_PARAMETERS)
            raise ParameterError(f"is not a parameter of this call (known: {known})", field=name)
    text = query.get("confidence")
    return None if text is None else _confidence(text), query.get("model")


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
