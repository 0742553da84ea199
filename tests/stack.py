"""compose.yaml as `make dev` starts it, on an engine of the tests' own."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.parse
from pathlib import Path
from typing import Any

from container_engine import Engine
from engine import ROOT, program
from running import Answer, free_port, http

PORTS = {
    "detection": "SIGHTLINE_DEV_DETECTION_PORT",
    "gateway": "SIGHTLINE_DEV_GATEWAY_PORT",
    "tak": "SIGHTLINE_DEV_TAK_PORT",
    "prometheus": "SIGHTLINE_DEV_PROMETHEUS_PORT",
    "alertmanager": "SIGHTLINE_DEV_ALERTMANAGER_PORT",
    "grafana": "SIGHTLINE_DEV_GRAFANA_PORT",
    "loki": "SIGHTLINE_E2E_LOKI_PORT",
    "collector": "SIGHTLINE_E2E_COLLECTOR_PORT",
}
FILES = ("compose.yaml", "tests/end_to_end/compose.test.yaml")


class Stack:
    """All of it under one project name, on free ports, with its secrets in a folder."""

    def __init__(self, engine: Engine, folder: Path, *, name: str = "sightline-e2e") -> None:
        self.engine = engine
        self.name = name
        self.secrets = folder / "secrets"
        self.secrets.mkdir(mode=0o700, parents=True)
        self.started = 0.0
        self.up_at = 0.0
        self.targets = folder / "targets"
        self.targets.mkdir()
        # A copy, since a drill spoils it.
        self.models = folder / "models"
        shutil.copytree(ROOT / "models/demo", self.models)
        self.ports = {service: free_port() for service in PORTS}
        self.environ = {
            **engine.environ,
            **{PORTS[service]: str(port) for service, port in self.ports.items()},
            "SIGHTLINE_DEV_FOLDER": str(folder),
            "SIGHTLINE_ENGINE_FOLDER": str(engine.data),
            "SIGHTLINE_DEV_MODELS": str(self.models),
            "SIGHTLINE_TAG": "e2e",
            "SIGHTLINE_DEV_RATE": "4",
        }

    def compose(
        self,
        *arguments: str,
        files: tuple[str, ...] = FILES,
        seconds: float = 300.0,
        check: bool = True,
    ) -> str:
        """What it says on stdout."""
        command = [str(program("docker-compose")), "--project-name", self.name]
        for file in files:
            command += ["--file", str(ROOT / file)]
        done = subprocess.run(
            [*command, "--project-directory", str(ROOT), "--profile", "demo", *arguments],
            env=self.environ, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, (
            f"compose {arguments}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        )
        return done.stdout

    def up(self, *services: str) -> float:
        """Start all, or these, and wait until they are healthy; gives the seconds that it took."""
        began = time.monotonic()
        self.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", "180", *services)
        self.up_at = time.monotonic()
        return self.up_at - began

    def down(self) -> None:
        """End it and forget everything."""
        self.compose("down", "--volumes", "--timeout", "10")

    def url(self, service: str) -> str:
        """Where it is published."""
        return f"http://127.0.0.1:{self.ports[service]}"

    def container(self, service: str) -> str:
        """Its name."""
        return f"{self.name}-{service}-1"

    def key(self, holder: str = "operator") -> str:
        """An API key."""
        return (self.secrets / f"{holder}-key").read_text()

    def get(self, service: str, path: str) -> Answer:
        """Ask as the operator."""
        headers = {"Authorization": f"Bearer {self.key()}"}
        return http(f"{self.url(service)}{path}", headers=headers)

    def query(self, promql: str) -> list[dict[str, Any]]:
        """What Prometheus answers now."""
        asked = urllib.parse.urlencode({"query": promql})
        answer = http(f"{self.url('prometheus')}/api/v1/query?{asked}").json
        assert answer["status"] == "success", answer
        return list(answer["data"]["result"])

    def value(self, promql: str) -> float | None:
        """Of the first series, if there is any."""
        found = self.query(promql)
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> dict[str, dict[str, Any]]:
        """Alerts that Alertmanager holds, by their names."""
        alerts = http(f"{self.url('alertmanager')}/api/v2/alerts").json
        return {alert["labels"]["alertname"]: alert for alert in alerts}

    def logs(self, logql: str, *, minutes: float = 60.0) -> list[str]:
        """Lines that Loki has, oldest first."""
        now = time.time_ns()
        asked = urllib.parse.urlencode(
            {
                "query": logql,
                "start": now - int(minutes * 60e9),
                "end": now + int(60e9),
                "limit": 5000,
                "direction": "forward",
            }
        )
        answer = http(f"{self.url('loki')}/loki/api/v1/query_range?{asked}").json
        pairs = [pair for stream in answer["data"]["result"] for pair in stream["values"]]
        return [line for _, line in sorted(pairs, key=lambda pair: int(pair[0]))]

    def states(self) -> dict[str, str]:
        """Of each service: healthy, running, exited."""
        listed = self.compose("ps", "--all", "--format", "json").splitlines()
        found = [json.loads(line) for line in listed]
        return {each["Service"]: each["Health"] or each["State"] for each in found}
