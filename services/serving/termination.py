"""SIGTERM before a service serves. Imports next to nothing: it comes before all else."""

import os
import signal


def heed() -> None:
    """Let SIGTERM end this process while it starts, as it would end any other.

    The first process of a container is spared every signal that it has no handler for: told to stop
    while it still starts, it would go on until it is killed. A server puts its own in the place.
    """
    signal.signal(signal.SIGTERM, lambda number, _frame: os._exit(128 + number))
