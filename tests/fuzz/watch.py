"""Starts a worker and watches it: a case that hangs or kills its process is found and named."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.deliberate import DELIBERATE
from fuzz.mutation import chance
from fuzz.targets import TARGETS, vectors

TESTS = Path(__file__).parents[1]
HANG_SECONDS = 20.0
"""Without any progress; generous, as the machine may be busy with other things."""
_NONE_YET = -1


@dataclass
class Findings:
    """What came of some cases."""

    target: str
    seed: int
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    grown_mb: float = 0.0
    failed: str | None = None
    """What a case did that it must not; its number is in `case`."""
    case: int = _NONE_YET

    @property
    def cases(self) -> int:
        return sum(self.outcomes.values())

    def data(self) -> bytes:
        """The bytes of the case that failed."""
        target = {**TARGETS, **DELIBERATE}[self.target]
        good = [*target.good(), *(each.read_bytes() for each in vectors(self.target))]
        return target.case(good, chance(self.target, self.seed, self.case))


def run(
    target: str,
    *,
    seed: int,
    first: int,
    last: int,
    hang_seconds: float = HANG_SECONDS,
) -> Findings:
    """The cases from `first` to before `last`, in a process of their own."""
    found = Findings(target, seed)
    with tempfile.TemporaryDirectory(prefix="sightline-fuzz-") as folder:
        progress, said = Path(folder) / "progress", Path(folder) / "said"
        progress.write_bytes(struct.pack("q", _NONE_YET))
        with said.open("wb") as output:
            worker = subprocess.Popen(
                [
                    *(sys.executable, "-m", "fuzz.worker", target),
                    *map(str, (seed, first, last, progress)),
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": str(TESTS), "PYTHONFAULTHANDLER": "1"},
            )
            hung = _watched(worker, progress, hang_seconds)
        (found.case,) = struct.unpack("q", progress.read_bytes())
        lines = said.read_text(errors="replace").splitlines()
        if hung:
            found.failed = f"no progress for {hang_seconds:g} s"
        elif worker.returncode not in (0, 1) or not lines or not lines[-1].startswith("{"):
            found.failed = f"the process ended with {worker.returncode}:\n" + "\n".join(lines[-40:])
        else:
            _take(found, json.loads(lines[-1]))
    return found


def _watched(worker: subprocess.Popen[bytes], progress: Path, hang_seconds: float) -> bool:
    """Wait for its end; whether it had to be killed."""
    seen, since = progress.read_bytes(), time.monotonic()
    while True:
        try:
            worker.wait(0.2)
        except subprocess.TimeoutExpired:
            now = progress.read_bytes()
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > hang_seconds:
                worker.kill()
                worker.wait()
                return True
        else:
            return False


def _take(found: Findings, said: dict[str, object]) -> None:
    if "failed" in said:
        found.failed = str(said["failed"])
        return
    found.outcomes.update(said["outcomes"])  # type: ignore[call-overload]
    found.slowest_ms = float(said["slowest_ms"])  # type: ignore[arg-type]
    found.grown_mb = float(said["grown_mb"])  # type: ignore[arg-type]
