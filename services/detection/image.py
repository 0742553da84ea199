"""Bytes to pixels: what is taken, what is refused, and which way is up.

Sizes and boxes are those of the upright image, the way a viewer shows it: a camera that was held
sideways says so in the EXIF orientation, and that is applied. Transparent pixels become the grey
that pads the letterbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from detection import jpeg
from detection.errors import ImageError, ImageSizeError, ImageTypeError

T = TypeVar("T")

Pixels = NDArray[np.uint8]
"""[height, width, 3] of red, green and blue."""

TAKEN = "JPEG, PNG, WebP or TIFF"
PADDING = 114
"""The grey that transparent pixels become."""
MAX_SIDE = 65_536
"""Pixels; as the wire contract has it for an image's width and height."""

_MEGAPIXEL = 1_000_000
_HEADER_BYTES = 262_144
"""Cameras write their notes and a thumbnail before the size: up to 64 KB each."""
_DEPTH = "8 bits per channel"
_ORIENTATION = 0x0112
_BITS_PER_SAMPLE = 0x0102
_GREY_OR_COLOUR = frozenset({"1", "L", "P", "RGB", "RGBX", "YCbCr"})
_WITH_ALPHA = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})

_UPRIGHT: Mapping[int, Callable[[Pixels], Pixels]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: pixels[::-1].transpose(1, 0, 2),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: pixels[:, ::-1].transpose(1, 0, 2),
}
_SIDEWAYS = frozenset({5, 6, 7, 8})

# The reader of one format each, rather than Image.open: nothing else is tried on foreign bytes, and
# a JPEG with previews inside (MPO, as drones write it) is its first image, not an animation.
_READERS: dict[str, Callable[[BytesIO], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """An image whose header was read and found good; its pixels are still to be decoded."""

    data: bytes
    file: ImageFile.ImageFile
    format: str
    orientation: int
    """EXIF, 1..8: how the stored pixels must be turned."""
    width: int
    """Upright, in pixels."""
    height: int


def sniff(data: bytes) -> str | None:
    """The format by its first bytes, whatever the sender calls it."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "TIFF"
    return None


def read(data: bytes, *, max_megapixels: float) -> Picture:
    """Read the header; raise ImageError when the image cannot or must not be decoded."""
    if not data:
        raise ImageError("is empty", limit="at least one byte")
    kind = sniff(data)
    if kind is None:
        raise ImageTypeError(f"is not {TAKEN}, by its first bytes", limit=TAKEN)
    file = _guarded(kind, lambda: _READERS[kind](BytesIO(data)))
    _check_size(file.size, max_megapixels)
    _check_pixels(file, kind, data)
    # Pillow turns TIFF images itself while it loads them, and states their upright size.
    orientation = 1 if kind == "TIFF" else _orientation(file, kind)
    width, height = file.size
    if orientation in _SIDEWAYS:
        width, height = height, width
    return Picture(
        data=data, file=file, format=kind, orientation=orientation, width=width, height=height
    )


def stored_size(data: bytes) -> tuple[int, int] | None:
    """Width and height as the header has them, before anything is turned.

    None where they are not near the beginning, or there are none.
    """
    kind = sniff(data)
    if kind is None:
        return None
    # Of formats that are read through until a size is found, a bounded part; the others point.
    head = data[:_HEADER_BYTES] if kind in ("JPEG", "PNG") else data
    try:
        return _guarded(kind, lambda: _READERS[kind](BytesIO(head))).size
    except ImageError:
        return None


def decode(picture: Picture, *, width: int, height: int) -> Pixels:
    """The upright image in RGB, scaled to `width` x `height` pixels.

    A JPEG that is much larger is decoded at half, a quarter or an eighth of its size, which its
    cosine transform gives almost for free; the scaling to the exact size then starts from there.
    """
    stored = (height, width) if picture.orientation in _SIDEWAYS else (width, height)
    pixels, source = _stored(picture, stored)
    pixels = scale(pixels, source=source, width=stored[0], height=stored[1])
    turn = _UPRIGHT.get(picture.orientation)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def scale(pixels: Pixels, *, source: tuple[float, float], width: int, height: int) -> Pixels:
    """A part of the pixels as `width` x `height` pixels.

    `source` is the part's width and height, from the upper left corner on.
    """
    high, wide = pixels.shape[:2]
    x, y = source[0] / width, source[1] / height
    if source != (wide, high):
        # A side that did not divide evenly was rounded up when decoded: the part of the last pixel
        # that lies outside of the image is left out, or else boxes would shift. Pixel centres meet:
        # where it came from = (where it goes + 0.5) * scale - 0.5.
        back = np.array([[x, 0.0, 0.5 * x - 0.5], [0.0, y, 0.5 * y - 0.5]])
        return _bytes(
            cv2.warpAffine(
                pixels,
                back,
                (width, height),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )
        )
    if (wide, high) == (width, height):
        return pixels
    # Beyond a half, single pixels would be left out: they are averaged instead.
    how = cv2.INTER_AREA if max(x, y) >= 2.0 and min(x, y) >= 1.0 else cv2.INTER_LINEAR
    return _bytes(cv2.resize(pixels, (width, height), interpolation=how))


def _stored(picture: Picture, wanted: tuple[int, int]) -> tuple[Pixels, tuple[float, float]]:
    """The pixels as they are stored, perhaps at a fraction of their size.

    And how much of them, in such pixels, is the image.
    """
    file = picture.file
    if picture.format == "JPEG":
        divisor = jpeg.divisor(file.size, wanted)
        source = (file.size[0] / divisor, file.size[1] / divisor)
        quick = jpeg.decode(picture.data, size=file.size, divisor=divisor)
        if quick is not None:
            return quick, source
        file.draft(None, (file.size[0] // divisor, file.size[1] // divisor))
    else:
        source = (float(file.size[0]), float(file.size[1]))
    _guarded(picture.format, file.load)
    return np.asarray(_rgb(file)), source


def _bytes(array: NDArray[np.generic]) -> Pixels:
    assert array.dtype == np.uint8
    return array  # type: ignore[return-value] # cv2 gives what it was given


def _check_size(size: tuple[int, int], max_megapixels: float) -> None:
    width, height = size
    if width * height > max_megapixels * _MEGAPIXEL:
        raise ImageSizeError(
            f"has {width} x {height} pixels ({width * height / _MEGAPIXEL:.1f} megapixels),"
            f" at most {max_megapixels:g} megapixels are taken",
            limit=f"{max_megapixels:g} megapixels",
        )
    if max(size) > MAX_SIDE:
        raise ImageSizeError(
            f"has {width} x {height} pixels, at most {MAX_SIDE} to a side are taken",
            limit=f"{MAX_SIDE} pixels to a side",
        )
    if min(size) < 1:
        raise ImageError(f"has {width} x {height} pixels", limit="at least one pixel")


def _check_pixels(file: ImageFile.ImageFile, kind: str, data: bytes) -> None:
    if kind != "JPEG":
        frames = _guarded(kind, lambda: int(getattr(file, "n_frames", 1)))
        if frames != 1:
            raise ImageError(
                f"has {frames} frames or pages; send one image at a time", limit="one frame"
            )
    if file.mode == "CMYK":
        raise ImageError(
            "is CMYK, which is for print: its colours depend on ink and paper; send RGB or grey",
            limit="RGB or grey",
        )
    bits = _bits_per_channel(file, kind, data)
    if bits > 8 or file.mode.startswith(("I", "F")):
        raise ImageError(
            f"has {max(bits, 16)} bits per channel; which part of that range matters only its"
            " sender knows: scale it to 8 bits",
            limit=_DEPTH,
        )
    if file.mode not in _GREY_OR_COLOUR | _WITH_ALPHA:
        raise ImageError(f"is {file.mode}; send RGB or grey", limit="RGB or grey")


def _bits_per_channel(file: ImageFile.ImageFile, kind: str, data: bytes) -> int:
    # Pillow halves 16-bit colour silently, so that its mode alone does not tell.
    if kind == "PNG":
        return data[24]
    if isinstance(file, TiffImagePlugin.TiffImageFile):
        return max(int(bits) for bits in file.tag_v2.get(_BITS_PER_SAMPLE, (1,)))
    return 8


def _orientation(file: ImageFile.ImageFile, kind: str) -> int:
    """As EXIF has it; 1 where it says nothing, or nothing that makes sense."""
    value = _guarded(kind, lambda: file.getexif().get(_ORIENTATION, 1))
    return value if value in _UPRIGHT else 1


def _rgb(file: Image.Image) -> Image.Image:
    if file.mode in _WITH_ALPHA or "transparency" in file.info:
        # Dropping alpha would show what transparency hid.
        grey = Image.new("RGBA", file.size, (PADDING, PADDING, PADDING, 255))
        return Image.alpha_composite(grey, file.convert("RGBA")).convert("RGB")
    return file if file.mode == "RGB" else file.convert("RGB")


def _guarded(kind: str, step: Callable[[], T]) -> T:
    """Run one of Pillow's steps; whatever its parsers stumble over is the image's fault."""
    try:
        return step()
    except Exception as error:
        if "truncated" in str(error) or isinstance(error, EOFError):
            raise ImageError(f"is truncated: the {kind} data ends too early") from error
        raise ImageError(f"cannot be read as {kind}: {_sentence(error)}") from error


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
