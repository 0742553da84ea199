"""What the demo is made of: the modules that each extra brings along."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "detection": ("onnxruntime", "PIL", "starlette", "uvicorn", "httpx", "python_multipart"),
    "cop-gateway": ("numpy", "starlette", "uvicorn", "structlog", "prometheus_client"),
    "simulator": ("cv2", "numpy"),
    "demo": ("taky",),
}
"""Extra → modules; the extra `demo` is all of them."""


def absent(modules: tuple[str, ...]) -> list[str]:
    """Which of these modules cannot be imported here."""
    return [name for name in modules if importlib.util.find_spec(name) is None]


def first_absent() -> str | None:
    """A module that the demo needs and that is not here; None when it can start."""
    for modules in PACKAGES.values():
        for name in absent(modules):
            return name
    return None
