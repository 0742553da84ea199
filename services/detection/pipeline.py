"""One image's way, in a lane: bytes → pixels → letterbox → session → boxes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from detection import image, letterbox
from detection.letterbox import Boxes, Canvas
from detection.model import Model
from detection.suppression import suppress
from sightline.messages import Box, Detection


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What is taken and how much is given back."""

    max_megapixels: float
    max_detections: int
    nms_iou: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Seconds:
    """How long each stage took."""

    decode: float
    letterbox: float
    inference: float
    postprocess: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """What was seen in one image: boxes in pixels of the upright image, surest first."""

    width: int
    height: int
    detections: tuple[Detection, ...]
    seconds: Seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Scratch:
    """What a lane keeps between images: an input tensor for each model."""

    canvases: dict[str, Canvas] = field(default_factory=dict)

    def canvas(self, model: Model) -> Canvas:
        """This lane's input tensor for the model."""
        canvas = self.canvases.get(model.info.name)
        if canvas is None:
            canvas = self.canvases[model.info.name] = model.canvas()
        return canvas


def detect(
    data: bytes, *, model: Model, scratch: Scratch, confidence: float, limits: Limits
) -> Sighting:
    """Find the model's objects in an encoded image. Raises ImageError when it is none."""
    began = time.perf_counter()
    picture = image.read(data, max_megapixels=limits.max_megapixels)
    box = letterbox.fit(
        image_width=picture.width,
        image_height=picture.height,
        input_width=model.info.input_width,
        input_height=model.info.input_height,
    )
    content = image.decode(picture, width=box.content_width, height=box.content_height)
    decoded = time.perf_counter()
    canvas = scratch.canvas(model)
    canvas.place(np.asarray(content), box)
    placed = time.perf_counter()
    outputs = model.run(canvas.tensor)
    ran = time.perf_counter()
    candidates = model.layout.candidates(outputs[0], confidence=confidence)
    boxes = _clipped(box.to_image(candidates.boxes), picture.width, picture.height)
    kept = suppress(
        boxes,
        candidates.scores,
        candidates.classes,
        iou=limits.nms_iou,
        limit=limits.max_detections,
    )
    labels = model.info.labels
    detections = tuple(
        Detection(
            class_name=labels[class_],
            confidence=round(score, 4),
            box=Box(x1, y1, x2, y2),
        )
        for (x1, y1, x2, y2), score, class_ in zip(
            np.round(boxes[kept].astype(np.float64), 2).tolist(),
            candidates.scores[kept].tolist(),
            candidates.classes[kept].tolist(),
            strict=True,
        )
        # A box that lies outside of the image has nothing left of it.
        if x2 > x1 and y2 > y1
    )
    return Sighting(
        width=picture.width,
        height=picture.height,
        detections=detections,
        seconds=Seconds(
            decode=decoded - began,
            letterbox=placed - decoded,
            inference=ran - placed,
            postprocess=time.perf_counter() - ran,
        ),
    )


def _clipped(boxes: Boxes, width: int, height: int) -> Boxes:
    return np.clip(boxes, 0.0, np.array([width, height] * 2, dtype=np.float32))
