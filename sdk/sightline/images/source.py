"""What is built from: the state of the Git checkout."""

from __future__ import annotations

import re
from pathlib import Path

from sightline.commands import AbsentError, CommandError, run
from sightline.images.commit import Checkout
from sightline.images.errors import ToolError

SECONDS = 60.0
_CREDENTIALS = re.compile(r"//[^@/]*@")


def checkout(folder: Path) -> Checkout:
    """Raises ToolError where it is none."""
    commit, committed_at = _git(folder, "log", "-1", "--format=%H %ct").split()
    origin = _git(folder, "config", "--get", "remote.origin.url", check=False).strip()
    return Checkout(
        commit=commit,
        committed_at=int(committed_at),
        dirty=bool(_git(folder, "status", "--porcelain").strip()),
        origin=_CREDENTIALS.sub("//", origin) or "unknown",
    )


def _git(folder: Path, *arguments: str, check: bool = True) -> str:
    try:
        return run(["git", *arguments], folder=folder, seconds=SECONDS).decode()
    except AbsentError as error:
        raise ToolError(f"{error}: it tells which commit an image is of") from error
    except CommandError as error:
        if not check:
            return ""
        raise ToolError(f"{folder}: git {arguments[0]}: {error}") from error
