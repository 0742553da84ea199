"""How the C library hands out memory, for a process that takes megabytes for every image.

glibc gives large blocks back to the kernel at once and gets them anew, zeroed page by page, for the
next image: measured here, about two hundredths of the throughput. Keeping them is bounded by what
all lanes need at once. Source: mallopt(3).
"""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST_KEPT = 32 << 20
"""The most that glibc allows: half a heap."""
_KEPT_AT_THE_TOP = 256 << 20


def keep_large_blocks() -> bool:
    """Tell the allocator; whether it understood (other C libraries have no such call)."""
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    kept = mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
    return bool(kept and mallopt(_M_TRIM_THRESHOLD, _KEPT_AT_THE_TOP))
