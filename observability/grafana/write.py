"""Write the dashboards as Grafana loads them: python observability/grafana/write.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
GENERATED = HERE / "generated"
BOARDS = GENERATED / "boards"
RUNBOOKS = GENERATED / "runbooks"


def documents() -> dict[Path, str]:
    """Every file with its content."""
    from grafana.dashboards.catalogue import boards  # noqa: PLC0415 - after the path is set

    return {
        (RUNBOOKS if each.uid.startswith("runbook-") else BOARDS) / f"{each.uid}.json": each.text()
        for each in boards()
    }


def rules() -> list[dict[str, Any]]:
    """Every rule that Prometheus has: what boards may ask for, too."""
    from grafana.dashboards import runbooks  # noqa: PLC0415 - after the path is set

    return list(runbooks.rules())


def main() -> None:
    """Write all, and remove what no board makes any more."""
    wanted = documents()
    for path in GENERATED.rglob("*.json"):
        if path not in wanted:
            path.unlink()
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    main()
