"""Programs of the stack that no package registry has ready: `make engine` builds them."""

from __future__ import annotations

from pathlib import Path

from running import required

ROOT = Path(__file__).parent.parent


def program(name: str) -> Path:
    """Where it is; the test is skipped where it is not, and fails where everything is required."""
    found = ROOT / ".cache" / "engine" / "bin" / name
    if not found.is_file():
        required(f"{name} is not built: make engine")
    return found
