"""One image's way, in a lane: bytes → pixels → input → session → boxes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from detection import image, letterbox, seams, tiling
from detection.image import Picture, Pixels
from detection.layouts.layout import Candidates, InputSize
from detection.letterbox import Letterbox
from detection.models.model import Model
from detection.scratch import Scratch
from detection.seams import Slice
from detection.suppression import suppress
from detection.tiling import Tile, Tiling
from sightline.messages import Box, Detection


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked of an image, over and above what its model says."""

    max_megapixels: float = 64.0
    confidence: float | None = None
    """Instead of the model's own thresholds."""
    tiling: Tiling = field(default_factory=Tiling)


@dataclass(kw_only=True, slots=True)
class Seconds:
    """How long each stage took; of tiles, all together."""

    decode: float = 0.0
    letterbox: float = 0.0
    inference: float = 0.0
    postprocess: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sighting:
    """What was seen in one image: boxes in pixels of the upright image, surest first."""

    width: int
    height: int
    detections: tuple[Detection, ...]
    seconds: Seconds = field(default_factory=Seconds)
    tiles: int = 0
    """That the image was cut into; 0 where it was not."""


def detect(data: bytes, *, model: Model, scratch: Scratch, request: Request) -> Sighting:
    """Find the model's objects in an encoded image.

    Raises ImageError when it is none, ParameterError when it would be too many tiles, LaneError
    when the lane was stopped or nobody waits any more, and InferenceError when the model fails.
    """
    began = time.perf_counter()
    picture = image.read(data, max_megapixels=request.max_megapixels)
    size = InputSize(width=picture.width, height=picture.height)
    tiles = tiling.cut(request.tiling, image=size, model=model.form.size)
    eye = _Eye(model=model, scratch=scratch, confidence=request.confidence)
    if tiles:
        found = _in_tiles(picture, tiles, eye, whole=request.tiling.whole, began=began)
    else:
        box = eye.fit(size)
        content = image.decode(picture, width=box.content_width, height=box.content_height)
        eye.seconds.decode = time.perf_counter() - began
        found = eye.look(content, box)
    began = time.perf_counter()
    detections = _detections(found, model.info.labels)
    eye.seconds.postprocess += time.perf_counter() - began
    return Sighting(
        width=size.width,
        height=size.height,
        detections=detections,
        seconds=eye.seconds,
        tiles=len(tiles),
    )


def runs(data: bytes, *, model: Model, request: Request) -> int:
    """How often the model will run for an encoded image, as far as its header tells.

    Cheap, and never an error: whether the image is good shows when its turn has come.
    """
    size = None if request.tiling.side == "off" else image.stored_size(data)
    if size is None:
        return 1
    stored = InputSize(width=size[0], height=size[1])
    return tiling.runs(request.tiling, image=stored, model=model.form.size)


def _in_tiles(
    picture: Picture, tiles: Sequence[Tile], eye: _Eye, *, whole: bool, began: float
) -> Candidates:
    """Look at each tile, and at the whole, one after the other.

    Other images have their turns in other lanes meanwhile; an image alone has all cores for each.
    """
    size = InputSize(width=picture.width, height=picture.height)
    pixels = image.decode(picture, width=size.width, height=size.height)
    eye.seconds.decode = time.perf_counter() - began
    slices: list[Slice] = []
    for tile in [*tiles, *([None] if whole else [])]:
        began = time.perf_counter()
        part = size if tile is None else InputSize(width=tile.width, height=tile.height)
        box = eye.fit(part)
        content = image.scale(
            pixels if tile is None else _part(pixels, tile),
            source=(part.width, part.height),
            width=box.content_width,
            height=box.content_height,
        )
        eye.seconds.letterbox += time.perf_counter() - began
        slices.append(Slice(tile=tile, found=_moved(eye.look(content, box), tile)))
    began = time.perf_counter()
    rules = eye.model.rules
    merged = seams.merge(
        slices,
        image=size,
        model=eye.model.form.size,
        agnostic=rules.class_agnostic,
        limit=rules.max_detections,
    )
    eye.seconds.postprocess += time.perf_counter() - began
    return merged


@dataclass(frozen=True, kw_only=True, slots=True)
class _Eye:
    """A model that looks at one image, perhaps at many parts of it."""

    model: Model
    scratch: Scratch
    confidence: float | None
    seconds: Seconds = field(default_factory=Seconds)

    def fit(self, size: InputSize) -> Letterbox:
        return letterbox.fit(
            image_width=size.width,
            image_height=size.height,
            size=self.model.form.size,
            how=self.model.preparation.fit,
        )

    def look(self, content: Pixels, box: Letterbox) -> Candidates:
        """What is found in one input, surest first, in pixels of what was put into it."""
        model, scratch, seconds = self.model, self.scratch, self.seconds
        began = time.perf_counter()
        canvas = scratch.canvas(model.form, model.preparation)
        canvas.place(content, box)
        placed = time.perf_counter()
        outputs = model.run(canvas.tensor, alone=scratch.alone(), options=scratch.begin())
        ran = time.perf_counter()
        found = model.layout.candidates(outputs, confidence=self._floor(), size=model.form.size)
        if len(found.scores):
            found = self._standing(self._passing(_inside(found, box)))
        seconds.letterbox += placed - began
        seconds.inference += ran - placed
        seconds.postprocess += time.perf_counter() - ran
        return found

    def _floor(self) -> float:
        """What every detection scores at least."""
        if self.confidence is not None:
            return self.confidence
        rules = self.model.rules
        return min([rules.confidence, *rules.thresholds.values()])

    def _passing(self, found: Candidates) -> Candidates:
        """Those that have a class, and score enough for it."""
        rules, labels = self.model.rules, self.model.info.labels
        known = found.classes < len(labels)
        if self.confidence is None and rules.thresholds:
            floors = [rules.thresholds.get(name, rules.confidence) for name in labels]
            least = np.array([*floors, np.inf], dtype=np.float32)
            known &= found.scores >= least[np.minimum(found.classes, len(labels))]
        return found if known.all() else _picked(found, np.flatnonzero(known))

    def _standing(self, found: Candidates) -> Candidates:
        """Those that are no duplicates of surer ones."""
        rules = self.model.rules
        if self.model.layout.suppressed:
            kept = np.argsort(-found.scores, kind="stable")[: rules.max_detections]
        else:
            kept = suppress(
                found.boxes,
                found.scores,
                found.classes,
                iou=rules.nms_iou,
                limit=rules.max_detections,
                agnostic=rules.class_agnostic,
            )
        return _picked(found, kept)


def _inside(found: Candidates, box: Letterbox) -> Candidates:
    """From pixels of the input to those of what was put into it, and no further than its edges."""
    boxes = box.to_image(found.boxes)
    boxes = np.clip(boxes, 0.0, np.array([box.image_width, box.image_height] * 2, np.float32))
    # What lies outside has nothing left of it; what is no number is no box.
    left = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    found = Candidates(boxes=boxes, scores=found.scores, classes=found.classes)
    return found if left.all() else _picked(found, np.flatnonzero(left))


def _picked(found: Candidates, kept: NDArray[np.intp]) -> Candidates:
    return Candidates(
        boxes=found.boxes[kept], scores=found.scores[kept], classes=found.classes[kept]
    )


def _moved(found: Candidates, tile: Tile | None) -> Candidates:
    """From pixels of a tile to those of the image."""
    if tile is None:
        return found
    corner = np.array([tile.left, tile.top] * 2, dtype=np.float32)
    return Candidates(boxes=found.boxes + corner, scores=found.scores, classes=found.classes)


def _part(pixels: Pixels, tile: Tile) -> Pixels:
    return pixels[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]


def _detections(found: Candidates, labels: Sequence[str]) -> tuple[Detection, ...]:
    return tuple(
        Detection(class_name=labels[class_], confidence=round(score, 4), box=Box(x1, y1, x2, y2))
        for (x1, y1, x2, y2), score, class_ in zip(
            np.round(found.boxes.astype(np.float64), 2).tolist(),
            found.scores.tolist(),
            found.classes.tolist(),
            strict=True,
        )
        # Rounded to hundredths, nothing may be left of a sliver.
        if x2 > x1 and y2 > y1
    )
