"""Figures that tests measure, for the documentation to cite: one JSON line each."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from engine import ROOT

FILE = ROOT / ".cache" / "figures.jsonl"


def record_figure(name: str, value: float, unit: str = "s") -> None:
    """Keep it, with the time, and show it to whoever runs the test."""
    figure = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "figure": name,
        "value": round(value, 3),
        "unit": unit,
    }
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with FILE.open("a") as file:
        file.write(json.dumps(figure) + "\n")
    print(f"\n{name}: {value:.2f} {unit}")
