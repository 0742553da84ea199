"""Exit codes, the same for every command; documented in docs/reference/cli.md."""

from __future__ import annotations

OK = 0
FAILED = 1
"""The command ran, and what it was asked for did not work out."""
USAGE = 2
"""The command line is wrong (click's own code)."""
CHILD_DIED = 3
"""The demo: one of its processes ended by itself or never became ready."""
MISSING = 4
"""Something that the command needs is not installed."""
UNREACHABLE = 5
"""The cluster's API server does not answer, or lets nobody in."""
CONFLICT = 6
"""Somebody else changed it at the same moment; nothing is changed by this command."""
UNFINISHED = 7
"""What was asked for is done in part: the sentence says what is left."""
INTERRUPTED = 130
"""Ctrl-C before the command was done."""
