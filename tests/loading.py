"""Models loaded as the service loads them, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from detection.models import loading, manifest
from detection.models.model import Model, Options


def load(path: Path, *, entry: dict[str, Any] | None = None, **options: Any) -> Model:
    """One file; `entry` is what a manifest would say of it."""
    listed = manifest.read(path).models[path.stem]
    if entry:
        text = {"name": path.stem, "file": path.name, **entry}
        listed = manifest.listed(text, path.parent)
    return loading.load(listed, Options(**options))
