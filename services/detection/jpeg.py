"""JPEG by libjpeg-turbo, at a fraction of its size where no more is wanted.

simplejpeg binds it and brings it along. It is quicker than Pillow's copy and leaves out colour
conversions; whatever it does not take, Pillow decides (what it takes, and with which words not).
"""

from __future__ import annotations

import numpy as np
import simplejpeg
from numpy.typing import NDArray

_DIVISORS = (8, 4, 2)
"""What the cosine transform gives with vector instructions; the eighths between are slower."""

_LEAST_SIDE = 32
"""Of what is decoded: below, the roundings of the decoder's choice of a size matter."""


def divisor(stored: tuple[int, int], wanted: tuple[int, int]) -> int:
    """By how much the decoded image may be smaller than the stored one (width, height).

    It is still no smaller than what is wanted.
    """
    for number in _DIVISORS:
        smaller = (stored[0] // number, stored[1] // number)
        if min(smaller) >= _LEAST_SIDE and smaller[0] >= wanted[0] and smaller[1] >= wanted[1]:
            return number
    return 1


def decode(data: bytes, *, size: tuple[int, int], divisor: int) -> NDArray[np.uint8] | None:
    """[height, width, 3] of RGB: `size` (width, height) divided and rounded up.

    None where the decoder refuses or finds anything amiss.
    """
    width, height = (-(-side // divisor) for side in size)
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            data,
            colorspace="RGB",
            min_height=height if divisor > 1 else 0,
            min_width=width if divisor > 1 else 0,
        )
    except ValueError:
        return None
    return pixels if pixels.shape == (height, width, 3) else None
