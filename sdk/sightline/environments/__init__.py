"""What a release needs to know of each place that Sightline runs in: `environments/NAME.yaml`.

from sightline.environments import load
prod = load("prod", root=Path("."))
prod.cluster.namespace
"""

from sightline.environments.environment import (
    Approvals,
    Backups,
    Chart,
    Environment,
    Git,
    Grafana,
    Guards,
    Images,
    Place,
    Secrets,
    Watching,
)
from sightline.environments.errors import EnvironmentFileError
from sightline.environments.reading import FOLDER, known, load

__all__ = [
    "FOLDER",
    "Approvals",
    "Backups",
    "Chart",
    "Environment",
    "EnvironmentFileError",
    "Git",
    "Grafana",
    "Guards",
    "Images",
    "Place",
    "Secrets",
    "Watching",
    "known",
    "load",
]
