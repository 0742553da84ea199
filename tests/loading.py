"""Models loaded as the service loads them, and the sentence where they are not, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from detection.errors import ModelError
from detection.models import loading, manifest, onnx_file
from detection.models.model import Model, Options


def load(path: Path, *, entry: dict[str, Any] | None = None, **options: Any) -> Model:
    """One file; `entry` is what a manifest would say of it."""
    listed = manifest.read(path).models[path.stem]
    if entry:
        text = {"name": path.stem, "file": path.name, **entry}
        listed = manifest.listed(text, path.parent)
    return loading.load(listed, Options(**options))


def refused(path: Path, **options: Any) -> str:
    """The sentence with which a file is refused; it names the file."""
    with pytest.raises(ModelError) as caught:
        load(path, **options)
    return _sentence(caught.value, str(path))


def refused_bytes(data: bytes) -> str:
    """The sentence with which a file is refused by what it says of itself."""
    with pytest.raises(ModelError) as caught:
        onnx_file.inspect(data, name="some.onnx")
    return _sentence(caught.value, "some.onnx")


def takes(data: bytes) -> bool:
    """Whether a file is taken by what it says of itself; nothing else may come but a ModelError."""
    try:
        onnx_file.inspect(data, name="some.onnx")
    except ModelError:
        return False
    return True


def _sentence(error: ModelError, name: str) -> str:
    sentence = str(error)
    assert sentence.startswith(f"{name}: ")
    assert "\n" not in sentence
    return sentence
