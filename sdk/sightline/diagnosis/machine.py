"""This machine: what the demo needs, and the programs that commands run."""

from __future__ import annotations

import hashlib
import importlib
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sightline.demo import pieces
from sightline.diagnosis.finding import Finding
from sightline.diagnosis.programs import programs

_PORTS = {8000: "the detection service", 8001: "the gateway", 8087: "a TAK server"}
_FREE_MB = 200


def examine() -> Iterator[Finding]:
    """Look at everything, the demo's needs first."""
    version = sys.version_info[:2]
    yield Finding(
        name="Python",
        ok=(3, 11) <= version <= (3, 13),
        required=True,
        detail=platform.python_version(),
        remedy="use Python 3.11, 3.12 or 3.13",
    )
    for extra, modules in pieces.PACKAGES.items():
        missing = pieces.absent(modules)
        yield Finding(
            name=f"sightline[{extra}]",
            ok=not missing,
            required=True,
            detail="installed" if not missing else f"missing {', '.join(missing)}",
            remedy=f"pip install 'sightline[{extra}]'",
        )
    yield _onnxruntime()
    yield _model()
    yield _disk()
    for port, what in _PORTS.items():
        yield _port(port, what)
    yield _accelerator()
    yield from programs()


def _accelerator() -> Finding:
    """What could be faster than the processor; nothing needs it."""
    there = shutil.which("nvidia-smi")
    try:
        importlib.import_module("detection")
        import onnxruntime  # noqa: PLC0415 - an extra

        ready = [
            name for name in onnxruntime.get_available_providers() if name != "CPUExecutionProvider"
        ]
    except ImportError:
        ready = []
    if there is None:
        return Finding(name="GPU", ok=True, required=False, detail="none; the processor does it")
    cuda = any("CUDA" in name or "Tensorrt" in name for name in ready)
    return Finding(
        name="GPU",
        ok=cuda,
        required=False,
        detail=f"{there}; ONNX Runtime {'uses it' if cuda else 'was built without it'}",
        remedy="pip install 'sightline[detection-gpu]' instead of 'sightline[detection]'",
    )


def _onnxruntime() -> Finding:
    try:
        # First, since it keeps ONNX Runtime from reporting home.
        importlib.import_module("detection")
        import onnxruntime  # noqa: PLC0415 - an extra
    except ImportError as error:
        return Finding(
            name="ONNX Runtime",
            ok=False,
            required=True,
            detail=str(error),
            remedy="pip install 'sightline[detection]'",
        )
    providers = ", ".join(onnxruntime.get_available_providers())
    return Finding(
        name="ONNX Runtime",
        ok=True,
        required=True,
        detail=f"{onnxruntime.__version__} ({providers})",
    )


def _model() -> Finding:
    from sightline.demo.errors import MissingPieceError  # noqa: PLC0415 - after --help
    from sightline.demo.model import demo_model  # noqa: PLC0415

    try:
        path = demo_model()
    except MissingPieceError as error:
        return Finding(
            name="demo model",
            ok=False,
            required=True,
            detail=str(error),
            remedy="git checkout models/demo/demo.onnx",
        )
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Finding(
        name="demo model", ok=True, required=True, detail=f"{path} (sha256 {digest[:16]}…)"
    )


def _disk() -> Finding:
    folder = Path(tempfile.gettempdir())
    free = shutil.disk_usage(folder).free // 1_000_000
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
        writable = True
    except OSError:
        writable = False
    return Finding(
        name="temporary folder",
        ok=writable and free >= _FREE_MB,
        required=True,
        detail=f"{folder}, {free} MB free" + ("" if writable else ", cannot be written"),
        remedy=f"free {_FREE_MB} MB there, or set TMPDIR",
    )


def _port(port: int, what: str) -> Finding:
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return Finding(
                name=f"port {port}",
                ok=False,
                required=False,
                detail=f"taken; {what} would listen there (the demo takes free ports)",
            )
    return Finding(name=f"port {port}", ok=True, required=False, detail=f"free, for {what}")
