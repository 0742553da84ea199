"""How models write their boxes: one module a layout, and the table that names them."""

from __future__ import annotations

from collections.abc import Mapping

from detection.layouts.layout import Candidates, Layout
from detection.layouts.yolov8 import YoloV8

LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in (YoloV8(),)}

__all__ = ["LAYOUTS", "Candidates", "Layout"]
