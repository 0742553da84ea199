"""What is built from: the state of the Git checkout."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import msgspec

from sightline.images.errors import ToolError

SECONDS = 60.0
_CREDENTIALS = re.compile(r"//[^@/]*@")


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """A commit, and whether the files are still what it says."""

    commit: str
    committed_at: int
    """Seconds since 1970: the time of every file in an image (SOURCE_DATE_EPOCH)."""
    dirty: bool
    origin: str
    """Where it is from, without credentials; "unknown" where Git does not know."""


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
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever is there
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise ToolError("git is not installed: it tells which commit an image is of") from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"git {arguments[0]} took longer than {SECONDS:g} s") from error
    if check and done.returncode:
        raise ToolError(f"{folder}: git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
