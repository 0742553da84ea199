"""A model that is served: its session, and how its boxes are read."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from detection.layouts import Layout
from detection.layouts.layout import InputSize, Preparation, Signature
from detection.models.form import InputForm
from detection.models.pace import Pace
from detection.models.plain import PlainSession
from detection.models.session import Provider, Session
from sightline.messages import ModelInfo


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How every model is loaded, and what those get of which nothing else is said."""

    max_megabytes: float = 512.0
    layout: str | None = None
    input_size: InputSize | None = None
    confidence: float = 0.25
    nms_iou: float = 0.6
    max_detections: int = 300
    intra_threads: int = 1
    wide_threads: int = 1
    """Of the session that an image alone gets; there is none where it is no more than the other."""
    providers: Sequence[Provider] = ("cpu",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """Which of its boxes are detections."""

    confidence: float
    thresholds: Mapping[str, float]
    """By class name, instead of `confidence`."""
    nms_iou: float
    class_agnostic: bool
    max_detections: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """What a model's file was, and what was made of it."""

    bytes: int
    ir_version: int
    opset: int
    layout_by: str
    """What told its layout: the manifest, its metadata, its tensors or a warm-up frame."""
    folded: str
    """What became of the preparation; see `folding`."""
    narrow_seconds: float
    """Of a warm run."""
    wide_seconds: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A loaded model. `run` may be called from any number of threads at once."""

    info: ModelInfo
    path: Path
    origin: Origin
    signature: Signature
    """As the file declares it, before the pixels' way was folded in."""
    layout: Layout
    preparation: Preparation
    form: InputForm
    rules: Rules
    input_name: str
    companions: Mapping[str, NDArray[Any]]
    narrow: Session
    wide: Session | None
    plain: PlainSession
    pace: Pace

    def run(
        self,
        tensor: NDArray[np.uint8],
        *,
        alone: bool = False,
        options: onnxruntime.RunOptions | None = None,
    ) -> list[NDArray[Any]]:
        """The outputs for one input; `alone` says that all cores may work on it.

        Raises InferenceError.
        """
        wide = self.wide if alone and self.wide is not None and self.pace.widens() else None
        session = self.narrow if wide is None else wide
        began = time.perf_counter()
        outputs = session.run({self.input_name: tensor, **self.companions}, options=options)
        self.pace.took(time.perf_counter() - began, wide=wide is not None)
        return outputs
