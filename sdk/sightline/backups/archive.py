"""What is in an archive of pg_dump, told by pg_restore: its tables, and each one's rows."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from sightline.backups import programs
from sightline.backups.errors import DamageError
from sightline.backups.programs import Programs

_DATA = re.compile(rb"^\d+; \d+ \d+ TABLE DATA (?P<schema>\S+) (?P<table>\S+) ", re.MULTILINE)
_COPY = re.compile(rb'^COPY (?:\S+\.)?"?(?P<table>[^\s"]+)"? \(.*\) FROM stdin;$')


def listed(tools: Programs, dump: Path) -> frozenset[str]:
    """The tables whose data its table of contents names."""
    running = programs.start(
        tools.pg_restore, ["--list", str(dump)], environ={}, out=subprocess.PIPE
    )
    with programs.ending(running):
        out, said = running.communicate()
    if running.returncode:
        raise DamageError(f"{dump} cannot be listed: {programs.words(said)}")
    return frozenset(match["table"].decode() for match in _DATA.finditer(out))


def rows(tools: Programs, dump: Path) -> dict[str, int]:
    """Rows of each table, all of them read: what is cut off is noticed here."""
    running = programs.start(
        tools.pg_restore, ["--data-only", "--file=-", str(dump)], environ={}, out=subprocess.PIPE
    )
    assert running.stdout is not None
    with programs.ending(running):
        found = counted(running.stdout)
        _, said = running.communicate()
    if running.returncode:
        raise DamageError(f"{dump} cannot be read to its end: {programs.words(said)}")
    return found


def counted(lines: Iterable[bytes]) -> dict[str, int]:
    """Rows of each COPY in a script: a row is a line, since line ends within it are escaped."""
    found: dict[str, int] = {}
    table, count = "", 0
    for line in lines:
        if table:
            if line == b"\\.\n":
                found[table], table, count = count, "", 0
            else:
                count += 1
        elif line.startswith(b"COPY ") and (match := _COPY.match(line.rstrip(b"\n"))):
            table = match["table"].decode()
    return found
