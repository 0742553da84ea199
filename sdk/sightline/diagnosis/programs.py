"""The programs that commands run: whether they are there, and new enough."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from sightline.commands import CommandError, run
from sightline.diagnosis.finding import Finding

SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Program:
    """What it is for, how it says its version, and the oldest that will do."""

    name: str
    purpose: str
    asked: tuple[str, ...]
    oldest: tuple[int, ...]
    remedy: str


PROGRAMS = (
    Program(name="docker", purpose="images and `make dev`", asked=("--version",), oldest=(23,),
            remedy="install Docker's engine 23 or newer (Debian: apt install docker.io)"),
    Program(name="helm", purpose="`sightline releases`", asked=("version", "--short"),
            oldest=(3, 14),
            remedy="install Helm 3.14 or newer, or `make tools` and --helm .cache/tools/bin/helm"),
    Program(name="kubectl", purpose="a cluster, by hand", asked=("version", "--client"),
            oldest=(1, 31), remedy="install kubectl 1.31 or newer, or `make tools`"),
    Program(name="git", purpose="writing colours back", asked=("--version",), oldest=(2, 25),
            remedy="apt install git"),
    Program(name="openssl", purpose="verifying bundles without us", asked=("version",),
            oldest=(1, 1, 1), remedy="apt install openssl"),
    Program(name="pg_dump", purpose="`sightline backups` of PostgreSQL", asked=("--version",),
            oldest=(15,), remedy="install the server's postgresql-client"),
)  # fmt: skip
_VERSION = re.compile(r"v?(\d+(?:\.\d+)+)")


def programs() -> Iterator[Finding]:
    """Each of them."""
    for each in PROGRAMS:
        yield look(each)


def look(program: Program) -> Finding:
    """Where it is, and its version."""
    where = shutil.which(program.name)
    if where is None:
        return Finding(
            name=program.name, ok=False, required=False, remedy=program.remedy,
            detail=f"not installed; needed for {program.purpose} only",
        )  # fmt: skip
    try:
        said = run([where, *program.asked], seconds=SECONDS).decode(errors="replace")
    except CommandError as error:
        return Finding(
            name=program.name, ok=False, required=False, detail=str(error), remedy=program.remedy
        )
    found = _VERSION.search(said)
    version = tuple(int(part) for part in found[1].split(".")) if found else ()
    oldest = ".".join(map(str, program.oldest))
    good = version >= program.oldest
    return Finding(
        name=program.name,
        ok=good,
        required=False,
        detail=f"{found[1] if found else 'no version'} ({where})"
        + ("" if good else f"; needed: {oldest} or newer"),
        remedy="" if good else program.remedy,
    )
