"""The collector's and Loki's configuration is good in their eyes, and alike where it must be."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from engine import program
from observing import COLLECTOR, LOKI

pytestmark = pytest.mark.e2e


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text())


@pytest.mark.parametrize("forward", [False, True], ids=["to a file", "to a trace store as well"])
@pytest.mark.parametrize("variant", ["docker", "kubernetes"])
def test_the_collector_takes_its_configuration(variant: str, forward: bool, tmp_path: Path) -> None:
    (tmp_path / "authorization").write_text("Bearer of-the-site")
    names = ["collector.yaml", f"collector-{variant}.yaml"]
    names += ["traces-forward.yaml"] if forward else []
    done = subprocess.run(
        [
            program("otelcol"),
            "validate",
            "--feature-gates=stanza.synchronousLogEmitter",
            *(f"--config={COLLECTOR / name}" for name in names),
        ],
        env=os.environ
        | {
            "TRACES_URL": "http://127.0.0.1:4318",
            "TRACES_AUTHORIZATION": str(tmp_path / "authorization"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_loki_takes_its_configuration(tmp_path: Path) -> None:
    done = subprocess.run(
        [program("loki"), f"-config.file={LOKI}", "-config.expand-env=true", "-verify-config"],
        env=os.environ | {"LOKI_FOLDER": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def operators(variant: str) -> list[dict[str, Any]]:
    document = read(COLLECTOR / f"collector-{variant}.yaml")
    found: list[dict[str, Any]] = document["receivers"]["file_log/containers"]["operators"]
    return found


def test_lines_are_read_alike_from_docker_and_from_kubernetes() -> None:
    tails = []
    for variant in ("docker", "kubernetes"):
        steps = operators(variant)
        at = [step["id"] for step in steps].index("parse")
        tails.append(steps[at:])
    assert tails[0] == tails[1]
    assert len(tails[0]) > 5


def test_nothing_holds_lines_in_memory() -> None:
    document = read(COLLECTOR / "collector.yaml")
    pipeline = document["service"]["pipelines"]["logs"]
    assert pipeline["processors"] == ["memory_limiter", "transform/once"]
    (exporter,) = pipeline["exporters"]
    assert document["exporters"][exporter]["sending_queue"]["storage"] == "file_storage"
    assert document["exporters"][exporter]["sending_queue"]["block_on_overflow"] is True
    assert document["exporters"][exporter]["retry_on_failure"]["max_elapsed_time"] == "0s"


def test_what_is_a_label_has_few_values() -> None:
    limits = read(LOKI)["limits_config"]
    (labels,) = limits["otlp_config"]["resource_attributes"]["attributes_config"]
    assert labels["action"] == "index_label"
    assert set(labels["attributes"]) == {"service.name", "colour", "k8s.namespace.name"}
    assert limits["otlp_config"]["resource_attributes"]["ignore_defaults"] is True
    assert limits["shard_streams"]["enabled"] is False
