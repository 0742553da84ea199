"""What scanners know of an image, read from their JSON, and whether that is good enough.

An image that no scanner has looked at with a database that is new enough is not scanned, and is not
called so. A scanner's exit code alone says nothing: some end with 0 when they skipped everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from sightline.images.errors import ToolError

Severity: TypeAlias = Literal["unknown", "negligible", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("unknown", "negligible", "low", "medium", "high", "critical")
Outcome: TypeAlias = Literal["passed", "failed", "not scanned"]


class Vulnerability(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Of a package in the image."""

    id: str
    package: str
    version: str
    severity: Severity
    fixed_in: str | None = None


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """What a scanner compares with."""

    made_at: datetime
    version: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Of one scan."""

    outcome: Outcome
    sentence: str
    scanner: str | None = None
    database: Database | None = None
    found: tuple[Vulnerability, ...] = ()
    counts: dict[str, int] = {}


def not_scanned(
    why: str, *, scanner: str | None = None, database: Database | None = None
) -> Verdict:
    """Nobody has looked."""
    return Verdict(
        outcome="not scanned", sentence=f"not scanned: {why}", scanner=scanner, database=database
    )


def too_old(database: Database, *, now: datetime, limit: timedelta) -> str | None:
    """Why it is of no use; None where it is. One from the future is no better."""
    age = now - database.made_at
    if age > limit:
        days = age / timedelta(days=1)
        return f"its database is {days:.1f} days old, and at most {limit.days} are allowed"
    if age < -timedelta(days=1):
        return f"its database is of {database.made_at:%Y-%m-%d}, which is not yet: see the clock"
    return None


def judged(
    found: Sequence[Vulnerability], *, scanner: str, database: Database, severity: Severity
) -> Verdict:
    """Whether any is as bad as `severity`, or worse. What nobody has rated counts as high."""
    bar = SEVERITIES.index(severity)
    bad = [each for each in found if SEVERITIES.index(_rated(each.severity)) >= bar]
    every = {str(each): sum(one.severity == each for one in found) for each in SEVERITIES}
    counts = {name: count for name, count in every.items() if count}
    told = ", ".join(f"{count} {name}" for name, count in reversed(counts.items())) or "nothing"
    return Verdict(
        outcome="failed" if bad else "passed",
        sentence=f"{scanner} found {told}; {len(bad)} at or above {severity}",
        scanner=scanner,
        database=database,
        found=tuple(sorted(found)),
        counts=counts,
    )


def _rated(severity: Severity) -> Severity:
    return "high" if severity == "unknown" else severity


def _severity(text: str) -> Severity:
    return next((each for each in SEVERITIES if each == text.lower()), "unknown")


# What trivy says.


class _TrivyFinding(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    id: str = msgspec.field(name="VulnerabilityID")
    pkg_name: str
    installed_version: str = ""
    fixed_version: str = ""
    severity: str = "UNKNOWN"


class _TrivyResult(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    target: str = ""
    vulnerabilities: tuple[_TrivyFinding, ...] | None = None


class _TrivyReport(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    schema_version: Annotated[int, Meta(ge=2)]
    results: tuple[_TrivyResult, ...]


class _TrivyDatabase(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    updated_at: datetime
    version: int = 0


class _TrivyVersion(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    version: str
    database: _TrivyDatabase | None = msgspec.field(name="VulnerabilityDB", default=None)


def trivy_database(told: bytes) -> Database | None:
    """By `trivy version --format json`; None where it has none."""
    version = _read(told, _TrivyVersion, "trivy version")
    if version.database is None or version.database.updated_at.year < 2000:
        return None
    return Database(made_at=version.database.updated_at, version=str(version.database.version))


def trivy_findings(told: bytes) -> tuple[Vulnerability, ...]:
    """By `trivy image --format json`. Without any result it has looked at nothing: ToolError."""
    report = _read(told, _TrivyReport, "trivy image")
    if not report.results:
        raise ToolError("trivy recognised no package in the image: it has looked at nothing")
    return tuple(
        Vulnerability(
            id=each.id,
            package=each.pkg_name,
            version=each.installed_version,
            severity=_severity(each.severity),
            fixed_in=each.fixed_version or None,
        )
        for result in report.results
        for each in result.vulnerabilities or ()
    )


# What grype says.


class _GrypeStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    built: datetime | None = None
    schema_version: str | int = ""
    valid: bool | None = None
    error: Any = None


class _GrypeFix(msgspec.Struct, frozen=True, kw_only=True):
    versions: tuple[str, ...] | None = None


class _GrypeVulnerability(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    severity: str = "Unknown"
    fix: _GrypeFix = _GrypeFix()


class _GrypeArtifact(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    version: str = ""


class _GrypeMatch(msgspec.Struct, frozen=True, kw_only=True):
    vulnerability: _GrypeVulnerability
    artifact: _GrypeArtifact


class _GrypeReport(msgspec.Struct, frozen=True, kw_only=True):
    matches: tuple[_GrypeMatch, ...]
    source: msgspec.Raw
    """What was looked at: without it, nothing was."""


def grype_database(told: bytes) -> Database | None:
    """By `grype db status --output json`; None where it has none that is whole."""
    status = _read(told, _GrypeStatus, "grype db status")
    if status.built is None or status.built.year < 2000 or status.valid is False or status.error:
        return None
    return Database(made_at=status.built, version=str(status.schema_version))


def grype_findings(told: bytes) -> tuple[Vulnerability, ...]:
    """By `grype --output json`."""
    report = _read(told, _GrypeReport, "grype")
    return tuple(
        Vulnerability(
            id=each.vulnerability.id,
            package=each.artifact.name,
            version=each.artifact.version,
            severity=_severity(each.vulnerability.severity),
            fixed_in=", ".join(each.vulnerability.fix.versions or ()) or None,
        )
        for each in report.matches
    )


_Told = TypeVar("_Told")


def _read(told: bytes, kind: type[_Told], what: str) -> _Told:
    try:
        return msgspec.json.decode(told, type=kind)
    except msgspec.DecodeError as error:
        raise ToolError(f"{what} says something else than expected: {error}") from error
