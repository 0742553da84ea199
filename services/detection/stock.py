"""The models that the settings ask for."""

from __future__ import annotations

from pathlib import Path

import cv2

from detection import cores
from detection.errors import ModelError
from detection.layouts.layout import InputSize
from detection.models.model import Options
from detection.models.session import missing
from detection.models.store import Store
from detection.settings import Settings


def options(settings: Settings) -> Options:
    """How models are loaded. Raises ModelError where the hardware is not served by this build."""
    absent = missing(settings.providers)
    if absent:
        raise ModelError(
            f"providers: {absent[0]} is not in the installed ONNX Runtime; see the detection"
            " extras in pyproject.toml"
        )
    side = settings.input_size
    return Options(
        max_megabytes=settings.max_model_megabytes,
        layout=settings.layout,
        input_size=None if side is None else InputSize(width=side, height=side),
        confidence=settings.confidence,
        nms_iou=settings.nms_iou,
        max_detections=settings.max_detections,
        intra_threads=settings.intra_threads,
        wide_threads=settings.wide_threads or cores.available(),
        providers=settings.providers,
    )


def load(settings: Settings) -> Store:
    """Every model, loaded and warm. Raises ModelError."""
    # Lanes are the threads: those of OpenCV would take the cores from each other.
    cv2.setNumThreads(1)
    return Store(Path(settings.models), options(settings), default=settings.default_model)
