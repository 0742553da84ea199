"""How long nobody delivers when the gateway that holds a sink is killed.

Two gateways on one PostgreSQL, a TAK server; frames go to both. The holder gets kill -9, again and
again. Measured from the kill: until the other one is connected, and until the TAK server hears an
event that was committed after the kill.

    python tests/bench/takeover.py [--kills 10]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from fakes.tak_server import TakServer
from postgres_server import Postgres
from running import Gateway, report, started, wait_for


def state(gateway: Gateway) -> str:
    """Of its sink."""
    return str(gateway.get("/v1/sinks/tak")["state"])


def once(gateways: list[Gateway], server: TakServer, number: int) -> tuple[float, float]:
    """Seconds from a kill to the other's connection, and to the first event after it."""
    wait_for(lambda: sorted(map(state, gateways)) == ["connected", "standby"], what="one holder")
    holder, other = gateways if state(gateways[0]) == "connected" else gateways[::-1]
    holder.kill()
    killed = time.monotonic()
    frame = f"after-{number}"
    assert other.post(report(frame, cars=1)).status == 201
    wait_for(lambda: state(other) == "connected", what="the takeover")
    connected = time.monotonic() - killed
    wait_for(lambda: any(frame in each for each in server.sightings()), what="the event")
    heard = time.monotonic() - killed
    holder.start()
    return connected, heard


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    options = parser.parse_args()
    server = TakServer()
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with started(Postgres(folder)) as database:
            gateways = [
                Gateway(folder / colour, sink=server.url, database=database.url, log_level="error")
                for colour in ("blue", "green")
            ]
            with started(gateways[0]), started(gateways[1]):
                taken = [once(gateways, server, number) for number in range(options.kills)]
    server.close()
    table = Table(title=f"Takeover of a sink after kill -9, {options.kills} times (PostgreSQL)")
    for column in ("from the kill to", "median s", "worst s"):
        table.add_column(column, justify="right")
    for what, times in zip(
        ("the other's connection", "the first new event in TAK"),
        zip(*taken, strict=True), strict=True,
    ):  # fmt: skip
        table.add_row(what, f"{median(times):.2f}", f"{max(times):.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
