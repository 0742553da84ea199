"""Painted pictures: rectangles of pure colour on grey, encoded as cameras and people do."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def painted(
    width: int,
    height: int,
    blobs: dict[str, tuple[int, int, int, int]],
    *,
    background: tuple[int, int, int] = (90, 90, 90),
) -> Image.Image:
    """`blobs` are x1, y1, x2, y2 by colour; x2 and y2 are outside of the blob."""
    picture = Image.new("RGB", (width, height), background)
    draw = ImageDraw.Draw(picture)
    for name, (x1, y1, x2, y2) in blobs.items():
        draw.rectangle((x1, y1, x2 - 1, y2 - 1), fill=COLOURS[name])
    return picture


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    if kind == "JPEG":
        options = {"quality": 95, "subsampling": 0, **options}
    if kind == "WEBP":
        options = {"lossless": True, **options}
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


# What has to be done to an upright image so that its orientation tag makes it upright again.
_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def oriented(upright: Image.Image, orientation: int, kind: str = "JPEG") -> bytes:
    """The image as a camera held that way would store it, tag included."""
    turn = _STORED[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(stored, kind, exif=exif)


def photo_like(width: int = 1920, height: int = 1080, *, seed: int = 0) -> Image.Image:
    """Soft shapes and sensor noise: compresses about as a photograph does."""
    rng = np.random.default_rng(seed)
    small = rng.integers(40, 200, (height // 60, width // 60, 3), dtype=np.uint8)
    picture = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(60):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        w, h = int(rng.integers(10, 160)), int(rng.integers(10, 120))
        fill = tuple(int(value) for value in rng.integers(0, 255, 3))
        (draw.rectangle if rng.random() < 0.6 else draw.ellipse)((x, y, x + w, y + h), fill=fill)
    pixels = np.asarray(picture, dtype=np.int16)
    noise = rng.normal(0, 4, pixels.shape).astype(np.int16)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
