"""How soon the command line answers, beside what Python and click take by themselves.

In turns, in processes of their own: an empty program, one that imports click, `sightline --help`,
and the help of a group.

    python tests/bench/cli_start.py [--rounds 20]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

SIGHTLINE = str(Path(sys.executable).with_name("sightline"))
WAYS = {
    "python": [sys.executable, "-c", ""],
    "python, click imported": [sys.executable, "-c", "import click"],
    "sightline --help": [SIGHTLINE, "--help"],
    "sightline releases --help": [SIGHTLINE, "releases", "--help"],
    "sightline colours rollback --help": [SIGHTLINE, "colours", "rollback", "--help"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, command in WAYS.items():
            began = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            taken[name].append((time.perf_counter() - began) * 1000)
    table = Table("", "median ms", "longest ms", "of python alone")
    alone = median(taken["python"])
    for name, times in taken.items():
        table.add_row(
            name, f"{median(times):.0f}", f"{max(times):.0f}", f"{median(times) / alone:.1f}"
        )
    Console().print(table)


if __name__ == "__main__":
    main()
