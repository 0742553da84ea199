"""A real Prometheus for tests, with the repository's own rules, on loopback."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from alertmanager.configuration import written
from probed import Probed
from running import free_port, required

RULES = Path(__file__).parents[1] / "observability/prometheus/rules"
_INTERVAL = re.compile(r"^ +interval: .*\n", re.MULTILINE)


class Prometheus(Probed):
    """Scrapes these jobs every second, each at `host:port`, and itself."""

    called = "Prometheus"

    def __init__(self, folder: Path, jobs: Mapping[str, str]) -> None:
        program = shutil.which("prometheus")
        if program is None:
            required("prometheus is not installed: apt-get install prometheus")
        self.port = free_port()
        folder.mkdir(exist_ok=True)
        for each in RULES.glob("*.yaml"):
            # As often as scrapes are, instead of every half minute.
            text = _INTERVAL.sub("", each.read_text(encoding="utf-8"))
            (folder / f"rules-{each.name}").write_text(text, encoding="utf-8")
        config = folder / "prometheus.yaml"
        config.write_text(
            written(
                {
                    "global": {
                        "scrape_interval": "1s",
                        "evaluation_interval": "1s",
                        "external_labels": {"environment": "test", "grafana": "http://grafana"},
                    },
                    "rule_files": [f"{folder}/rules-*.yaml"],
                    "scrape_configs": [
                        {"job_name": name, "static_configs": [{"targets": [target]}]}
                        for name, target in {**jobs, "prometheus": f"127.0.0.1:{self.port}"}.items()
                    ],
                }
            )
        )
        super().__init__(
            command=[
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
                "--enable-feature=exemplar-storage",
            ],
            log=folder / "prometheus.log",
        )
