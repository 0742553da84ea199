"""What a month costs: sizes.csv times list prices, with everything that was assumed.

Prices are dollars in eu-central-1 (Frankfurt), on demand, without taxes, as remembered from AWS'
public price list in 2026 and rounded: an estimate to plan with, not an offer. Whoever needs cents
asks AWS' calculator.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cloud.hcl import ROOT

ENVIRONMENTS = ("dev", "staging", "prod")
HOURS = 730
"""Of a month."""

CONTROL_PLANE = 0.10
NODES = {"m7i.large": 0.121, "m7i.xlarge": 0.2415, "m7i.2xlarge": 0.483, "g6.xlarge": 1.006}
DATABASES = {"db.t4g.medium": 0.082, "db.m7g.large": 0.197, "db.m7g.xlarge": 0.393}
"""Each an hour, of one instance; a standby costs as much again."""
NAT = 0.052
NAT_GB = 0.052
ENDPOINT = 0.012
DISK_GB = 0.0952
DATABASE_GB = 0.137
BUCKET_GB = 0.0245
REPLICA_GB = 0.0135
REGIONS_GB = 0.02
LOG_GB = 0.63
KEY = 1.0
OUT_GB = 0.09


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What sizes do not say: how much goes through in a month, GB."""

    nat: float
    out: float
    logs: float
    backups: float
    """That lie there at the same time, on average."""
    daily_backup: float


TRAFFIC = {
    "dev": Traffic(nat=20, out=5, logs=5, backups=2, daily_backup=0.1),
    "staging": Traffic(nat=50, out=20, logs=15, backups=20, daily_backup=1),
    "prod": Traffic(nat=200, out=200, logs=60, backups=300, daily_backup=5),
}

ENDPOINTS = 5
KEYS = 7
DISK_OF_NODE = 50
VOLUMES = {"dev": 10, "staging": 20, "prod": 100}
"""The chart's claims, GB."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One line of the bill."""

    what: str
    of: str
    dollars: float


def rows() -> list[dict[str, str]]:
    """sizes.csv."""
    with (ROOT / "sizes.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def sizes(environment: str) -> dict[str, str]:
    """One column of it."""
    return {row["setting"]: row[environment] for row in rows()}


def estimate(environment: str, size: Mapping[str, str] | None = None) -> tuple[Cost, ...]:
    """A month of one environment, at the sizes of the table or at others."""
    return tuple(_lines(size or sizes(environment), TRAFFIC[environment], VOLUMES[environment]))


def total(environment: str, size: Mapping[str, str] | None = None) -> float:
    """The sum."""
    return sum(each.dollars for each in estimate(environment, size))


def _lines(size: Mapping[str, str], traffic: Traffic, volumes: int) -> Iterator[Cost]:
    nodes, gateways = int(size["node_desired"]), {"one": 1, "per_zone": 3}[size["nat"]]
    twice = 2 if size["database_multi_az"] == "true" else 1
    replicated = size["replicated"] == "true"
    yield Cost(what="control plane", of="1", dollars=CONTROL_PLANE * HOURS)
    yield Cost(
        what="nodes",
        of=f"{nodes} × {size['node_type']}, {DISK_OF_NODE} GB each",
        dollars=nodes * (NODES[size["node_type"]] * HOURS + DISK_OF_NODE * DISK_GB),
    )
    yield Cost(
        what="database",
        of=f"{twice} × {size['database_class']}, {size['database_storage_gb']} GB each",
        dollars=twice
        * (
            DATABASES[size["database_class"]] * HOURS
            + int(size["database_storage_gb"]) * DATABASE_GB
        ),
    )
    yield Cost(
        what="NAT gateways",
        of=f"{gateways}, {traffic.nat:g} GB",
        dollars=gateways * NAT * HOURS + traffic.nat * NAT_GB,
    )
    zones = int(size["endpoint_zones"])
    yield Cost(
        what="endpoints",
        of=f"{ENDPOINTS} × {zones} zones",
        dollars=ENDPOINTS * zones * ENDPOINT * HOURS,
    )
    yield Cost(
        what="backups",
        of=f"{traffic.backups:g} GB" + (", and in a second region" if replicated else ""),
        dollars=traffic.backups * BUCKET_GB
        + (traffic.backups * REPLICA_GB + traffic.daily_backup * 30 * REGIONS_GB) * replicated,
    )
    yield Cost(what="volumes", of=f"{volumes} GB", dollars=volumes * DISK_GB)
    yield Cost(what="logs", of=f"{traffic.logs:g} GB", dollars=traffic.logs * LOG_GB)
    yield Cost(what="keys", of=f"{KEYS + replicated}", dollars=(KEYS + replicated) * KEY)
    yield Cost(what="traffic out", of=f"{traffic.out:g} GB", dollars=traffic.out * OUT_GB)


def sizes_table() -> str:
    """The sizes, for people."""
    head = "| setting | dev | staging | prod | meaning |\n|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| `{row['setting']}` | "
        + " | ".join(f"`{row[each]}`" if row[each] else "none" for each in ENVIRONMENTS)
        + f" | {row['meaning']} |"
        for row in rows()
    )


def costs_table() -> str:
    """The estimate, for people."""
    bills = {each: estimate(each) for each in ENVIRONMENTS}
    lines = ["| $ a month | dev | staging | prod |", "|---|---:|---:|---:|"]
    for costs in zip(*bills.values(), strict=True):
        cells = (f"{each.dollars:.0f} ({each.of})" for each in costs)
        lines.append(f"| {costs[0].what} | {' | '.join(cells)} |")
    sums = (f"**{total(each):.0f}**" for each in ENVIRONMENTS)
    lines.append(f"| **sum** | {' | '.join(sums)} |")
    return "\n".join(lines)
