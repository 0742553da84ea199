"""Foreign bytes by the hundred thousand: each is read as what it is or refused, and nothing else.

    python -m fuzz [--cases 100000] [--seed N] [--target image] [--workers 2]

The same seed gives the same cases. A case that fails is written to a file: once the defect is
mended, put it into tests/vectors/fuzz/TARGET/, where it is tried ever after.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fuzz.targets import TARGETS
from fuzz.watch import run

_A_PROCESS = 50_000
"""Cases: what memory decoders lose little by little is not taken for what one case needs."""


def main() -> int:
    """Run the cases, print what came of them, and keep those that failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000, help="of each target")
    parser.add_argument("--seed", type=int, default=0, help="a nightly run takes the day's number")
    parser.add_argument("--target", choices=list(TARGETS), action="append")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--keep", type=Path, default=Path(".cache/fuzz"), help="where failures go")
    options = parser.parse_args()
    failed = 0
    with ThreadPoolExecutor(options.workers) as workers:
        for target in options.target or TARGETS:
            began = time.monotonic()
            shares = [
                workers.submit(
                    run, target, seed=options.seed, first=first,
                    last=min(first + _A_PROCESS, options.cases),
                )
                for first in range(0, options.cases, _A_PROCESS)
            ]  # fmt: skip
            found = [share.result() for share in shares]
            outcomes = sum((each.outcomes for each in found), start=found[0].outcomes.__class__())
            print(
                f"{target}: {sum(each.cases for each in found)} cases in"
                f" {time.monotonic() - began:.0f} s, slowest {max(f.slowest_ms for f in found)} ms,"
                f" memory +{max(f.grown_mb for f in found)} MB; {dict(outcomes.most_common())}"
            )
            for each in found:
                if each.failed is None:
                    continue
                failed += 1
                options.keep.mkdir(parents=True, exist_ok=True)
                path = options.keep / f"{target}-{each.seed}-{each.case}"
                path.write_bytes(each.data())
                print(f"{target}: case {each.case}, kept as {path}: {each.failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
