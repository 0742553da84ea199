"""The command line that every service has."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import NoReturn

from telemetry.redaction import SECRETS

REFUSED = 2
"""Exit code of a process that refuses to start: a setting or a file must be mended first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """What was said on the command line."""

    config: Path | None
    port_file: Path | None
    overrides: Mapping[str, str | int | None]
    """Settings by field name; None where nothing was said."""


def parse(*, program: str, description: str, argv: Sequence[str] | None = None) -> Arguments:
    """Read --config, --host, --port and --port-file; exits with 2 when it cannot."""
    parser = _Parser(prog=program, description=description)
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML")
    parser.add_argument("--host", help="address to listen on")
    parser.add_argument("--port", type=int, help="port to listen on; 0 takes a free one")
    parser.add_argument(
        "--port-file", type=Path, metavar="FILE", help="write the port here once it is listening"
    )
    parser.add_argument("--version", action="version", version=f"{program} {release()}")
    read = parser.parse_args(argv)
    return Arguments(
        config=read.config,
        port_file=read.port_file,
        overrides={"host": read.host, "port": read.port},
    )


class _Parser(argparse.ArgumentParser):
    """Quotes what it does not understand; that may be a secret in the wrong place."""

    def error(self, message: str) -> NoReturn:
        super().error(SECRETS.text(message))


def release() -> str:
    """The version of the installed distribution, such as 0.1.0."""
    try:
        return metadata.version("sightline")
    except metadata.PackageNotFoundError:
        return "unknown"


def refuse(program: str, sentence: object, *, code: int = REFUSED) -> int:
    """Say on stderr, in one line, why the process does not start; give back its exit code."""
    line = " ".join(SECRETS.text(str(sentence)).split())
    print(f"{program}: {line}", file=sys.stderr, flush=True)  # noqa: T201 - the log is not set up yet
    return code
