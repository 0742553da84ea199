"""What the contract's types cannot say: times against the clock, boxes against the image."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cop_gateway.cot import Catalogue
from sightline.messages import Detection, DetectionReport, Intrinsics, MessageError


@dataclass(frozen=True, kw_only=True, slots=True)
class Acceptance:
    """How far a frame may be from now, and which classes have a CoT type."""

    catalogue: Catalogue
    most_past: timedelta = timedelta(days=30)
    most_future: timedelta = timedelta(seconds=60)


def check(
    report: DetectionReport,
    *,
    lens: Intrinsics | None,
    now: datetime,
    acceptance: Acceptance,
) -> None:
    """Raise MessageError, naming field and limit, when a report cannot be meant as it stands."""
    frame = report.frame
    ahead = frame.captured_at - now
    if ahead > acceptance.most_future:
        raise MessageError(
            field="frame.captured_at",
            reason=f"{frame.captured_at.isoformat()} is {ahead.total_seconds():.0f} s in the future"
            f" (limit {acceptance.most_future.total_seconds():.0f} s); check the camera's clock",
            limit=f"{acceptance.most_future.total_seconds():.0f} s",
        )
    if -ahead > acceptance.most_past:
        raise MessageError(
            field="frame.captured_at",
            reason=f"{frame.captured_at.isoformat()} is {-ahead.total_seconds():.0f} s in the past"
            f" (limit {acceptance.most_past.total_seconds():.0f} s)",
            limit=f"{acceptance.most_past.total_seconds():.0f} s",
        )
    for index, detection in enumerate(report.detections):
        where = f"detections[{index}]"
        if acceptance.catalogue.find(detection.class_name) is None:
            raise MessageError(
                field=f"{where}.class",
                reason=f"{detection.class_name!r} has no CoT type: add it to the class table"
                " (classes_file) or set unknown_class_type",
            )
        if lens is not None:
            _check_inside(detection, where, lens)


def _check_inside(detection: Detection, where: str, lens: Intrinsics) -> None:
    width, height = lens.image_width, lens.image_height
    pixel, box = detection.pixel, detection.box
    outside: str | None = None
    if pixel is not None and not (0 <= pixel.u <= width and 0 <= pixel.v <= height):
        outside = f"{where}.pixel: [{pixel.u:g}, {pixel.v:g}]"
    if box is not None and (box.x2 <= 0 or box.y2 <= 0 or box.x1 >= width or box.y1 >= height):
        outside = f"{where}.box: [{box.x1:g}, {box.y1:g}, {box.x2:g}, {box.y2:g}]"
    if outside is not None:
        field, value = outside.split(": ", 1)
        raise MessageError(
            field=field,
            reason=f"{value} is outside the image of {width}x{height} pixels",
            limit=f"{width}x{height}",
        )
