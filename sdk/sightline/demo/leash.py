"""Start a program that ends when its parent does, even if that was killed.

    python -m sightline.demo.leash PROGRAM ARGUMENT...

Linux alone has the call for it (prctl, PR_SET_PDEATHSIG); elsewhere the program just runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then become the program."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if parent == 1 or os.getppid() != parent:
            sys.exit("the parent is gone already")
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - becoming that program is the purpose


if __name__ == "__main__":
    main()
