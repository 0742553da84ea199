"""pg_dump and pg_restore: which ones fit a server, and how they are run.

A program of PostgreSQL works with servers of its own major version and older ones.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.backups.errors import ToolError

_VERSION = re.compile(rb"\(PostgreSQL\) (\d+)(\S*)")
_LAST_WORDS = 400


@dataclass(frozen=True, kw_only=True)
class Programs:
    """Both, of one version."""

    pg_dump: Path
    pg_restore: Path
    major: int
    version: str


def fitting(major: int, given: Path | None) -> Programs:
    """Of those that are here, the oldest that works with a server of that major version."""
    found = [each for folder in _folders(given) if (each := _programs(folder)) is not None]
    fit = [each for each in found if each.major >= major]
    if fit:
        return min(fit, key=lambda each: each.major)
    where = f"in {given}" if given is not None else "here"
    if not found:
        raise ToolError(
            f"pg_dump and pg_restore are not {where}: install postgresql-client-{major}"
        )
    newest = max(each.version for each in found)
    raise ToolError(
        f"pg_dump {newest} cannot work with a server of version {major}: install"
        f" postgresql-client-{major} or newer"
    )


def major_of(version: str) -> int:
    """18 of "18.1 (Debian …)" and of "18beta1"; 0 of what is no version."""
    match = re.match(r"\d+", version)
    return int(match[0]) if match else 0


def server(least: int, given: Path | None) -> Path:
    """The folder with initdb and postgres, of the oldest version that will do."""
    fit: list[tuple[int, Path]] = []
    for folder in _folders(given):
        major = _major(folder / "postgres") if (folder / "initdb").exists() else None
        if major is not None and major >= least:
            fit.append((major, folder))
    if not fit:
        where = f"in {given}" if given is not None else "here"
        what = f"postgresql-{least} or newer" if least else "postgresql"
        raise ToolError(f"initdb and postgres are not {where}: install {what}")
    return min(fit)[1]


def _major(program: Path) -> int | None:
    match = _version(program)
    return None if match is None else int(match[1])


def _version(program: Path) -> re.Match[bytes] | None:
    """As it says it; None where it cannot be run, or says none."""
    try:
        told = subprocess.run(  # noqa: S603 - a program that is meant
            [program, "--version"], capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return _VERSION.search(told.stdout)


def _folders(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    yield Path("/opt/postgresql/bin")  # of our image
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # of Debian
    on_path = shutil.which("pg_dump")
    if on_path is not None:
        yield Path(on_path).parent


def _programs(folder: Path) -> Programs | None:
    dump, restore = folder / "pg_dump", folder / "pg_restore"
    if not (dump.exists() and restore.exists()):
        return None
    match = _version(dump)
    if match is None:
        return None
    return Programs(
        pg_dump=dump,
        pg_restore=restore,
        major=int(match[1]),
        version=(match[1] + match[2]).decode(),
    )


def start(
    program: Path, arguments: Sequence[str], *, environ: Mapping[str, str], out: int | None = None
) -> subprocess.Popen[bytes]:
    """Begin it. Of the environment it gets what it needs to run, and `environ`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    try:
        return subprocess.Popen(  # noqa: S603 - a program that is meant
            [program, *arguments],
            env={**kept, "LC_MESSAGES": "C", **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if out is None else out,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise ToolError(f"{program} cannot be started: {error.strerror}") from error


@contextlib.contextmanager
def ending(running: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever goes wrong meanwhile, it does not outlive that."""
    try:
        yield
    except BaseException:
        running.kill()
        running.wait()
        raise


def words(said: bytes) -> str:
    """What a program said, in one line."""
    return " ".join(said.decode(errors="replace").split())


def finish(running: subprocess.Popen[bytes], *, doing: str) -> None:
    """Wait for its end. Raises ToolError with its last words."""
    with ending(running):
        _, said = running.communicate()
    if running.returncode:
        last = words(said)[-_LAST_WORDS:]
        how = (
            f"was killed by signal {-running.returncode}"
            if running.returncode < 0
            else f"ended with {running.returncode}"
        )
        raise ToolError(f"{doing}: {Path(str(running.args[0])).name} {how}: {last}")  # type: ignore[index]
