"""PYTHONPATH=deploy/helm python -m chart HELM: write anew what the chart has from elsewhere."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from chart import copies, manifests, reference, schema
from chart.values import CHART

PAGE = CHART.parents[2] / "docs/reference/values.md"


def main(helm: Path) -> None:
    """Write it, whole."""
    for path in copies.strangers():
        path.unlink()
    written = {
        **copies.copies(),
        CHART / "values.schema.json": json.dumps(schema.schema(), indent=1) + "\n",
        PAGE: reference.page(),
    }
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    manifests.FOLDER.mkdir(exist_ok=True)
    for environment in manifests.ENVIRONMENTS:
        target = manifests.FOLDER / f"{environment}.yaml"
        target.write_text(manifests.render(helm, environment), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
