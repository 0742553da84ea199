"""Scanners for vulnerabilities, whichever is installed: asked for their database first, then run.

None of them is let into the network: what it compares with is what it had, and is told.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from sightline.commands import CommandError, run
from sightline.images import vulnerabilities
from sightline.images.errors import ToolError
from sightline.images.vulnerabilities import Database, Severity, Verdict, Vulnerability

SECONDS = 1800.0


class Scanner(msgspec.Struct, frozen=True, kw_only=True):
    """How one of them is asked."""

    name: str
    status: tuple[str, ...]
    read_status: Callable[[bytes], Database | None]
    look: tuple[str, ...]
    """With {layout}: a folder; grype wants its kind before it."""
    read: Callable[[bytes], tuple[Vulnerability, ...]]
    environ: Mapping[str, str]


SCANNERS = (
    Scanner(
        name="trivy",
        status=("version", "--format", "json"),
        read_status=vulnerabilities.trivy_database,
        look=(
            "image", "--input", "{layout}", "--format", "json", "--scanners", "vuln", "--quiet",
            "--skip-db-update", "--skip-java-db-update", "--offline-scan",
        ),
        read=vulnerabilities.trivy_findings,
        environ={},
    ),
    Scanner(
        name="grype",
        status=("db", "status", "--output", "json"),
        read_status=vulnerabilities.grype_database,
        look=("oci-dir:{layout}", "--output", "json", "--quiet"),
        read=vulnerabilities.grype_findings,
        environ={"GRYPE_DB_AUTO_UPDATE": "false", "GRYPE_CHECK_FOR_APP_UPDATE": "false"},
    ),
)  # fmt: skip
"""In the order in which they are asked. docker scout is none of them: it has no database here."""


def scan(
    opened: Callable[[], AbstractContextManager[Path]],
    *,
    severity: Severity,
    now: datetime,
    oldest: timedelta,
    scanners: Sequence[Scanner] = SCANNERS,
) -> Verdict:
    """By the first one with a database that is new enough. What fails has not scanned.

    `opened` gives the folder of a layout, which is only made where somebody looks into it.
    """
    why: list[str] = []
    for scanner in scanners:
        program = shutil.which(scanner.name)
        if program is None:
            continue
        try:
            database = scanner.read_status(_run(scanner, program, scanner.status))
            if database is None:
                why.append(f"{scanner.name} has no database")
                continue
            if reason := vulnerabilities.too_old(database, now=now, limit=oldest):
                why.append(f"{scanner.name}: {reason}")
                continue
            with opened() as layout:
                arguments = [each.format(layout=layout) for each in scanner.look]
                found = scanner.read(_run(scanner, program, arguments))
        except ToolError as error:
            why.append(str(error))
            continue
        return vulnerabilities.judged(
            found, scanner=scanner.name, database=database, severity=severity
        )
    names = " nor ".join(each.name for each in scanners)
    return vulnerabilities.not_scanned("; ".join(why) or f"neither {names} is installed")


def _run(scanner: Scanner, program: str, arguments: Sequence[str]) -> bytes:
    try:
        environ = {**os.environ, **scanner.environ}
        return run([program, *arguments], environ=environ, seconds=SECONDS)
    except CommandError as error:
        raise ToolError(str(error)) from error
