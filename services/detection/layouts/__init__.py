"""How models write their boxes: one module a family, and the table that names each layout."""

from __future__ import annotations

from collections.abc import Mapping

from detection.layouts.detr import HfDetr, HfRtDetr
from detection.layouts.dfine import DFine
from detection.layouts.end2end import End2End
from detection.layouts.layout import Candidates, Layout
from detection.layouts.rfdetr import RfDetr
from detection.layouts.rtdetr import RtDetr, RtDetrTopK
from detection.layouts.tf_ssd import TfSsd
from detection.layouts.torchvision import TorchVision
from detection.layouts.yolov5 import YoloV5, YoloV6
from detection.layouts.yolov8 import YoloV8
from detection.layouts.yolox import YoloX, YoloXDecoded

_KNOWN: tuple[Layout, ...] = (
    YoloV8(),
    YoloV5(),
    YoloV6(),
    YoloX(),
    YoloXDecoded(),
    End2End(),
    RtDetr(),
    RtDetrTopK(),
    DFine(),
    RfDetr(),
    HfDetr(),
    HfRtDetr(),
    TfSsd(),
    TorchVision(),
)

LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in _KNOWN}

__all__ = ["LAYOUTS", "Candidates", "Layout"]
