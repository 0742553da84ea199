"""A frame: one image of one camera at one moment."""

from __future__ import annotations

from sightline.messages.sensor import Sensor
from sightline.messages.value import Identifier, Timestamp, Value


class Frame(Value, frozen=True, kw_only=True):
    """Which image this is. `camera_id` and `frame_id` together name it for ever."""

    frame_id: Identifier
    camera_id: Identifier
    captured_at: Timestamp
    sensor: Sensor | None = None
