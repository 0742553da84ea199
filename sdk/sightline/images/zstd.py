"""zstd, a program: Python has it from 3.14 on."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import IO

from sightline.images.errors import ToolError


def program(*, why: str) -> str:
    """Where it is. Raises ToolError, which says why it is needed, or what to do without."""
    found = shutil.which("zstd")
    if found is None:
        raise ToolError(f"zstd is not installed: {why}")
    return found


@contextlib.contextmanager
def unpacked(packed: IO[bytes], *, why: str) -> Iterator[IO[bytes]]:
    """What a file holds, as a stream; whoever has enough of it may leave early."""
    process = subprocess.Popen(  # noqa: S603
        [program(why=why), "--decompress", "--stdout", "--quiet"],
        stdin=packed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.stdout.close()
        process.kill()
        process.wait()
