"""Alerts and what they are tested with: a file of tests/vectors/alerts/<group>/ for each.

A file has a fault on which its alert fires, and a near miss on which it is silent from beginning to
end. Both are run by promtool, many at once.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from running import required

ROOT = Path(__file__).parents[1]
RULES = tuple(sorted((ROOT / "observability/prometheus/rules").glob("*.yaml")))
VECTORS = sorted((ROOT / "tests/vectors/alerts").glob("*/*.yaml"))
RUNBOOKS = ROOT / "docs/runbooks"
WATCHDOG = "SightlineWatchdog"


@dataclass(frozen=True)
class Alert:
    """As the rules have it."""

    name: str
    expr: str
    labels: dict[str, str]
    annotations: dict[str, str]
    wait: str
    file: str

    @property
    def group(self) -> str:
        return self.labels["group"]


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is scraped, and when to look."""

    why: str
    series: dict[str, str]
    at: str
    interval: str = "1m"
    not_before: str | None = None
    """Not yet firing then: it waits for the fault to last."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """Of the one alert that fires, over and above what its rule says."""


class Vector(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file of tests/vectors/alerts."""

    fires: Case
    silent: Case


def alerts() -> list[Alert]:
    """All of them, in the order of the files."""
    return [
        Alert(
            name=rule["alert"],
            expr=rule["expr"],
            labels=rule.get("labels", {}),
            annotations=rule.get("annotations", {}),
            wait=rule.get("for", "0s"),
            file=path.name,
        )
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]


def vector(path: Path) -> Vector:
    return msgspec.convert(yaml.safe_load(path.read_text()), Vector)


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        required("promtool is not installed: apt-get install prometheus")
    return subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)


def needed(alert: Alert) -> tuple[Path, ...]:
    """The files of rules that it takes; the watchdog is seen among all."""
    if alert.name == WATCHDOG:
        return RULES
    own = {alert.file}
    if ":sightline_" in alert.expr:
        own |= (
            {"recordings.yaml", "slo.yaml"} if "model:" not in alert.expr else {"recordings.yaml"}
        )
    return tuple(path for path in RULES if path.name in own)


def run(vectors: Iterable[Path], folder: Path) -> list[str]:
    """What promtool has to say against them."""
    known = {each.name: each for each in alerts()}
    batches: dict[tuple[tuple[Path, ...], str], list[dict[str, Any]]] = {}
    for path in vectors:
        for test in _tests(path.stem, vector(path)):
            # Days are not gone through in steps of half a minute.
            pace = "30s" if test["interval"] == "1m" else test["interval"]
            batches.setdefault((needed(known[path.stem]), pace), []).append(test)
    files = []
    for (rules, pace), tests in batches.items():
        document = {
            "rule_files": [str(path) for path in rules],
            "evaluation_interval": pace,
            "tests": tests,
        }
        files.append(folder / f"{rules[0].stem}-{len(rules)}-{pace}.yaml")
        files[-1].write_text(yaml.safe_dump(document, sort_keys=False))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = pool.map(lambda file: promtool("test", "rules", file), files)
    return [each.stdout + each.stderr for each in done if each.returncode]


def _tests(name: str, given: Vector) -> Iterator[dict[str, Any]]:
    fires = given.fires
    labels = "".join(f', {label}="{value}"' for label, value in fires.labels.items())
    told = f'count(ALERTS{{alertname="{name}", alertstate="firing"{labels}}})'
    looks = [{"expr": told, "eval_time": fires.at, "exp_samples": [{"labels": "{}", "value": 1}]}]
    if fires.not_before:
        looks.append({"expr": told, "eval_time": fires.not_before, "exp_samples": []})
    yield _test(f"{name} fires: {fires.why}", fires, looks)
    # The watchdog is never silent; while it is all that fires, nothing is wrong.
    others = "!" if name == WATCHDOG else ""
    which = f'alertname{others}="{name}"'
    ever = f'count(count_over_time(ALERTS{{{which}, alertstate="firing"}}[{given.silent.at}]))'
    look = {"expr": ever, "eval_time": given.silent.at, "exp_samples": []}
    yield _test(f"{name} is silent: {given.silent.why}", given.silent, [look])


def _test(name: str, case: Case, looks: list[dict[str, Any]]) -> dict[str, Any]:
    series = [{"series": key, "values": values} for key, values in case.series.items()]
    return {
        "name": name,
        "interval": case.interval,
        "input_series": series,
        "promql_expr_test": looks,
    }
