"""deploy/manifests: the chart rendered for each environment, for clusters without Helm.

Hooks are left out: gateways migrate by themselves, and a Job that is there already cannot be
applied again.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from chart.values import CHART

FOLDER = CHART.parents[1] / "manifests"
ENVIRONMENTS = ("dev", "staging", "prod", "edge")
NAMESPACE = "detection-system"
HEAD = """\
# The chart deploy/helm/sightline with values-{environment}.yaml, by `make manifests`; do not edit.
# For clusters without Helm: make the Secrets first (docs/reference/chart.md), then
#   kubectl apply --server-side -f deploy/manifests/{environment}.yaml
"""


def render(helm: Path, environment: str) -> str:
    """The manifest of an environment."""
    command = [
        helm, "template", "sightline", CHART, "--namespace", NAMESPACE, "--no-hooks",
        # Nobody else makes it here.
        "--set", "namespace.create=true",
        "--values", CHART / f"values-{environment}.yaml",
    ]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    # Helm 3 and 4 leave other blank lines between documents.
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    text = "\n".join(line for i, line in enumerate(lines) if line or not _before_document(lines, i))
    return HEAD.format(environment=environment) + text.strip() + "\n"


def _before_document(lines: list[str], index: int) -> bool:
    rest = (line for line in lines[index:] if line)
    return next(rest, "---") == "---"
