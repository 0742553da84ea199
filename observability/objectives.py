"""Rules of the service levels, made of what `prometheus/slos.toml` promises. Pure but for `main`.

    python observability/objectives.py      writes prometheus/rules/slo.yaml

Recorded, each with the label `slo` (and `job` or `sink`):

    slo:objective:ratio                 what is promised
    slo:bad:rate5m, slo:all:rate5m      what is counted
    slo:error:ratio_rate<window>        the share that is bad, over 5m 30m 1h 2h 6h 1d 3d 30d
    slo:burn_rate:1h                    how many times faster than allowed the budget goes
    slo:error_budget:remaining30d       1: untouched, 0: spent
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent / "prometheus"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400}
INTERVAL_SECONDS = 30
INTERVAL = f"{INTERVAL_SECONDS}s"

HEADER = """# Written from slos.toml by `make rules`; do not edit.
"""

FRESH = """
(
  (max by (sink) (sightline_gateway_sink_lag_seconds) < bool 60)
  or
  # Every gateway that told of it within the hour is gone.
  0 * max by (sink) (last_over_time(sightline_gateway_sink_lag_seconds[1h]))
)
unless on (sink) (max by (sink) (sightline_gateway_sink_paused) == 1)
"""
LOST = "max by (sink) (sightline_gateway_delivery_missing_events)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Burn:
    """A pair of windows in which the budget must go so many times too fast."""

    severity: str
    factor: float
    long: str
    short: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Objective:
    """One promise."""

    name: str
    alert: str
    objective: float
    by: tuple[str, ...]
    least_bad: float
    dashboard: str
    summary: str
    bad: str
    all: str

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return round(1 - self.objective, 9)


def read(text: str) -> tuple[list[Objective], list[Burn]]:
    """What the file promises; raises KeyError or TypeError for what it lacks or has too much."""
    document = tomllib.loads(text)
    objectives = []
    for each in document["objective"]:
        counted = {name: each[name].strip() for name in ("bad", "all")}
        objectives.append(Objective(**{**each, **counted, "by": tuple(each["by"])}))
    return objectives, [Burn(**each) for each in document["burn"]]


def seconds(window: str) -> int:
    """A duration as Prometheus writes it."""
    return int(window[:-1]) * _SECONDS[window[-1]]


def rules(objectives: Sequence[Objective], burns: Sequence[Burn]) -> dict[str, Any]:
    """The whole file."""
    groups = [
        {
            "name": "slo-sources",
            "interval": INTERVAL,
            "rules": [
                {"record": "sink:sightline_fresh:bool", "expr": FRESH.strip()},
                {"record": "sink:sightline_lost:events", "expr": LOST},
                {
                    "record": "slo:objective:ratio",
                    "expr": "vector(1)",
                    "labels": {"slo": "zero-loss"},
                },
                {
                    "record": "slo:error_budget:remaining30d",
                    "expr": "1 - clamp_max(max_over_time(sink:sightline_lost:events[30d]), 1)",
                    "labels": {"slo": "zero-loss"},
                },
            ],
        }
    ]
    groups += [
        {"name": f"slo-{each.name}", "interval": INTERVAL, "rules": list(_recordings(each))}
        for each in objectives
    ]
    alerts = [alert for each in objectives for alert in _alerts(each, burns)]
    groups.append({"name": "service-level-burn", "interval": INTERVAL, "rules": alerts})
    return {"groups": groups}


def _recordings(each: Objective) -> Iterator[dict[str, Any]]:
    labels = {"slo": each.name}

    def record(name: str, expression: str) -> dict[str, Any]:
        return {"record": name, "expr": expression, "labels": labels}

    chosen = f'{{slo="{each.name}"}}'
    yield record("slo:objective:ratio", f"vector({each.objective:g})")
    yield record("slo:all:rate5m", each.all)
    # Where nothing was ever bad there is no such series: then it is none, and not unknown.
    yield record("slo:bad:rate5m", f"(\n{each.bad}\n)\nor\n0 * (\n{each.all}\n)")
    yield record(
        "slo:error:ratio_rate5m",
        f"slo:bad:rate5m{chosen}\n/\n(slo:all:rate5m{chosen} > 0)",
    )
    for window in WINDOWS[1:]:
        yield record(
            f"slo:error:ratio_rate{window}",
            f"sum_over_time(slo:bad:rate5m{chosen}[{window}])\n/\n"
            f"(sum_over_time(slo:all:rate5m{chosen}[{window}]) > 0)",
        )
    yield record("slo:burn_rate:1h", f"slo:error:ratio_rate1h{chosen} / {each.budget:g}")
    yield record(
        "slo:error_budget:remaining30d",
        f"1 - slo:error:ratio_rate30d{chosen} / {each.budget:g}",
    )


def _alerts(each: Objective, burns: Sequence[Burn]) -> Iterator[dict[str, Any]]:
    for severity, speed in (("page", "Fast"), ("ticket", "Slowly")):
        name = f"Sightline{each.alert}Burns{speed}"
        pairs = [_burning(each, burn) for burn in burns if burn.severity == severity]
        longest = max((b for b in burns if b.severity == severity), key=lambda b: seconds(b.long))
        yield {
            "alert": name,
            "expr": "\nor\n".join(pairs),
            "labels": {"severity": severity, "group": "service-level"},
            "annotations": {
                "summary": each.summary,
                "description": "{{ $value | humanizePercentage }} were bad where "
                f"{each.budget * 100:g} % are allowed over 30 days: in {longest.long} at "
                f"{longest.factor:g} times that, or faster, the budget goes "
                f"{'within days' if severity == 'page' else 'before its time'}.",
                **links(name, each),
            },
        }


def _burning(each: Objective, burn: Burn) -> str:
    chosen = f'{{slo="{each.name}"}}'
    limit = f"{burn.factor * each.budget:g}"
    return (
        f"(\n  slo:error:ratio_rate{burn.long}{chosen} > {limit}\n"
        f"  and slo:error:ratio_rate{burn.short}{chosen} > {limit}\n"
        # So many there were: a rate, taken every so many seconds.
        f"  and {INTERVAL_SECONDS} * sum_over_time(slo:bad:rate5m{chosen}[{burn.long}])"
        f" >= {each.least_bad:g}\n)"
    )


def runbook(alert: str) -> str:
    """The uid of an alert's runbook in Grafana."""
    kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", alert.removeprefix("Sightline")).lower()
    return f"runbook-{kebab}"


def links(alert: str, objective: Objective) -> Mapping[str, str]:
    """Where whoever is called finds what to do, and what there is to see."""
    of = "&".join(f"var-{name}={{{{ $labels.{name} }}}}" for name in objective.by)
    home = "{{ $externalLabels.grafana }}/d"
    return {
        "runbook_url": f"{home}/{runbook(alert)}",
        "dashboard_url": f"{home}/{objective.dashboard}?{of}",
    }


class _Dumper(yaml.SafeDumper):
    """Long expressions as blocks, each thing once."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Nothing is an alias."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def written() -> str:
    """The file as it must be."""
    document = rules(*read((HERE / "slos.toml").read_text(encoding="utf-8")))
    return HEADER + yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True
    )


if __name__ == "__main__":
    (HERE / "rules/slo.yaml").write_text(written(), encoding="utf-8")
