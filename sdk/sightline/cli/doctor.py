"""`sightline doctor`: what is here, what is missing, and what to type."""

from __future__ import annotations

import hashlib
import importlib
import platform
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape

from sightline.cli import exits
from sightline.demo import pieces

_PORTS = {8000: "the detection service", 8001: "the gateway", 8087: "a TAK server"}
_TOOLS = {"docker": "containers", "helm": "the chart", "kubectl": "a cluster"}
_FREE_MB = 200


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    required: bool
    """Whether the demo needs it."""
    detail: str
    remedy: str = ""
    """What to type when it is not there."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def doctor(as_json: bool) -> None:
    """Say what is installed, what is missing and what to type."""
    findings = list(examine())
    if as_json:
        click.echo(msgspec.json.encode([asdict(each) for each in findings]))
    else:
        console = Console(highlight=False)
        for each in findings:
            mark = "[green]✓[/]" if each.ok else "[red]✗[/]" if each.required else "[yellow]–[/]"
            console.print(f"{mark} {escape(f'{each.name}: {each.detail}')}", soft_wrap=True)
            if not each.ok and each.remedy:
                console.print(f"    {escape(each.remedy)}", style="bold", soft_wrap=True)
    if any(each.required and not each.ok for each in findings):
        raise click.exceptions.Exit(exits.FAILED)


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
    for tool, what in _TOOLS.items():
        where = shutil.which(tool)
        yield Finding(
            name=tool,
            ok=where is not None,
            required=False,
            detail=where or f"not installed; needed for {what} only",
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
