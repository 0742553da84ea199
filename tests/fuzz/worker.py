"""Runs cases in this process, which may not survive them: started and watched by `fuzz.watch`.

python -m fuzz.worker TARGET SEED FIRST LAST PROGRESS_FILE
"""

from __future__ import annotations

import gc
import json
import mmap
import resource
import struct
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from fuzz.deliberate import DELIBERATE
from fuzz.mutation import chance
from fuzz.targets import TARGETS, vectors

CPU_SECONDS = 2.0
"""Of one case: time that it really worked, however busy the machine is."""
_ADDRESS_SPACE = 6 << 30
"""The last bound, so that nothing takes the machine along."""


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    name, seed, first, last = sys.argv[1], *map(int, sys.argv[2:5])
    warnings.simplefilter("ignore")  # a reader's remarks on what it reads are no outcome
    target, outcomes = {**TARGETS, **DELIBERATE}[name], Counter[str]()
    good = [*target.good(), *(path.read_bytes() for path in vectors(name))]
    for data in good:
        target.run(data, chance(name, seed, 0))
    gc.freeze()
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    before, slowest = peak_megabytes(), (0.0, first)
    with Path(sys.argv[5]).open("r+b") as file, mmap.mmap(file.fileno(), 8) as progress:
        for number in range(first, last):
            progress[:] = struct.pack("q", number)
            by = chance(name, seed, number)
            data = target.case(good, by)
            began = time.process_time()
            try:
                outcomes[target.run(data, by)] += 1
                spent, grown = time.process_time() - began, peak_megabytes() - before
                assert spent < CPU_SECONDS, f"took {spent:.1f} s of the processor"
                assert grown < target.megabytes, f"took {grown:.0f} MB more than good bytes"
            except Exception:
                print(json.dumps({"case": number, "failed": traceback.format_exc()}))
                return 1
            slowest = max(slowest, (spent, number))
    print(
        json.dumps(
            {
                "outcomes": dict(outcomes),
                "slowest_ms": round(slowest[0] * 1e3, 1),
                "slowest_case": slowest[1],
                "grown_mb": round(peak_megabytes() - before, 1),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
