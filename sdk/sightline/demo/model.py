"""Where the demo's model is."""

from __future__ import annotations

from pathlib import Path

from sightline.demo.errors import MissingPieceError

NAME = "demo.onnx"


def demo_model() -> Path:
    """The file: beside this module in an installed package, in models/demo of a checkout."""
    here = Path(__file__).resolve()
    places = [here.with_name(NAME), *(parent / "models/demo" / NAME for parent in here.parents[:4])]
    for place in places:
        if place.is_file():
            return place
    raise MissingPieceError(
        f"the demo's model {NAME} is neither beside {here.parent} nor in models/demo of a checkout"
    )
