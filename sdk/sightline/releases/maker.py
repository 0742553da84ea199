"""Who holds the lock: a person on a machine, and the process that works for them.

A process that is gone from this very machine is known to be dead at once; of any other machine only
time tells. "This very machine" is the same boot and the same numbering of processes (containers
have their own), so that nobody takes another container's process for a dead one.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import re
import socket
from pathlib import Path

_HOLDER = re.compile(r".* \(process (?P<pid>\d+) of (?P<machine>[0-9a-f]{12})\)$")
_MARKS = (Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid"))


def person() -> str:
    """Who types, and where."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def machine() -> str | None:
    """This boot of it; None where nobody can tell."""
    boot, processes = _MARKS
    try:
        marks = boot.read_text(encoding="ascii").strip() + str(processes.readlink())
    except OSError:
        return None
    return hashlib.sha256(marks.encode()).hexdigest()[:12]


def holder(who: str) -> str:
    """This process, as the lock names it."""
    here = machine()
    return f"{who} (process {os.getpid()} of {here or 'an unknown machine'})"


def is_dead(named: str) -> bool:
    """It was of this machine, and is no more. False wherever that is not sure."""
    found, here = _HOLDER.match(named), machine()
    if found is None or here is None or found["machine"] != here:
        return False
    return not Path(f"/proc/{found['pid']}").exists()
