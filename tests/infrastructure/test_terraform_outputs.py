"""What Terraform made becomes environments/NAME.yaml and the chart's values."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chart import values as chart_values
from cloud import outputs
from cloud.hcl import blocks, keys
from cloud_emulator import ENVIRONMENTS, ROOT, TERRAFORM
from manifests import CHART, run_helm
from sightline import environments

REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/sightline-prod"


def given(name: str = "prod", gpu: Any = None) -> dict[str, Any]:
    """As `terraform output -json` has it."""
    return {
        "environment": name,
        "region": "eu-central-1",
        "cluster": {
            "name": f"sightline-{name}",
            "endpoint": "https://eks.example",
            "namespace": "detection-system",
            "deployers_group": "sightline-deployers",
            "gpu": gpu,
        },
        "images": {"registry": REGISTRY},
        "database": {
            "host": "db.example",
            "port": 5432,
            "name": "sightline",
            "master_secret_arn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:x",
            "cidrs": ["10.40.12.0/24", "10.40.13.0/24"],
        },
        "backups": {
            "bucket": f"sightline-{name}-backups",
            "prefix": "gateway",
            "lock_days": 30,
            "lock_mode": "compliance",
        },
        "network": {"load_balancer_cidrs": ["10.40.0.0/22"], "outside_addresses": ["192.0.2.7"]},
    }


def checkout(folder: Path, name: str) -> Path:
    (folder / "environments").mkdir()
    shutil.copy(ROOT / f"environments/{name}.yaml", folder / "environments")
    (folder / "deploy").mkdir()
    (folder / "deploy/helm").symlink_to(ROOT / "deploy/helm")
    return folder


def take(folder: Path, name: str, of: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """`make terraform-outputs`, on outputs in a file."""
    file = folder / "outputs.json"
    file.write_text(json.dumps({"sightline": {"value": of}}))
    return subprocess.run(
        [sys.executable, "-m", "cloud", "outputs", name, "--from", file, "--checkout", folder],
        env=os.environ | {"PYTHONPATH": str(TERRAFORM)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_every_value_that_a_site_must_say_comes_from_the_cloud_or_says_from_where():
    taken = {each.path for each in outputs.VALUES}
    for leaf in chart_values.table():
        path = ".".join(leaf.path)
        if path in taken or leaf.default not in ("", [], {}, None):
            continue
        assert {*leaf.path[-2:]} & set(outputs.ELSEWHERE), (
            f"{path} is empty by default: give it a row in VALUES or in ELSEWHERE of outputs.py"
        )


def test_what_is_said_to_come_from_elsewhere_is_a_value():
    known = {key for leaf in chart_values.table() for key in leaf.path}
    assert set(outputs.ELSEWHERE) <= known
    assert {each.path for each in outputs.VALUES} <= {
        ".".join(leaf.path) for leaf in chart_values.table()
    }


def test_every_output_is_there_and_used():
    (block,) = (
        each
        for each in blocks(TERRAFORM / "modules/platform")
        if each.kind == "output" and each.name == "sightline"
    )
    there = set(keys(block))
    used = {name for each in outputs.VALUES for name in each.needs}
    used |= {*outputs.ENVIRONMENT_NEEDS, *outputs.TOLD}
    assert there == used


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_environment_is_written_and_can_be_read(name, tmp_path):
    folder = checkout(tmp_path, name)
    before = environments.load(name, root=folder)
    done = take(folder, name, given(name))
    assert done.returncode == 0, done.stderr
    after = environments.load(name, root=folder)
    assert after.images.registry == REGISTRY
    assert not after.images.insecure
    assert after.backups.target == f"s3://sightline-{name}-backups/gateway"
    assert after.backups.object_lock_days == 30
    assert (after.cluster.context, after.cluster.namespace) == (
        f"sightline-{name}",
        "detection-system",
    )
    assert after.chart.values == (*before.chart.values, f"environments/cloud/{name}.yaml")
    assert (after.guards, after.watch, after.git, after.approvals) == (
        before.guards, before.watch, before.git, before.approvals,
    )  # fmt: skip
    assert "db.example:5432/sightline" in done.stdout


def test_comments_stay_and_a_second_time_changes_nothing(tmp_path):
    folder = checkout(tmp_path, "prod")
    file = folder / "environments/prod.yaml"
    comments = [line for line in file.read_text().splitlines() if line.lstrip().startswith("#")]
    take(folder, "prod", given())
    once = file.read_text(), (folder / "environments/cloud/prod.yaml").read_text()
    take(folder, "prod", given())
    assert once == (file.read_text(), (folder / "environments/cloud/prod.yaml").read_text())
    assert comments == [line for line in once[0].splitlines() if line.lstrip().startswith("#")]


def test_outputs_of_another_environment_are_refused_and_nothing_is_written(tmp_path):
    folder = checkout(tmp_path, "prod")
    before = (folder / "environments/prod.yaml").read_text()
    done = take(folder, "prod", given("staging"))
    assert done.returncode == 1
    assert "staging" in done.stderr
    assert (folder / "environments/prod.yaml").read_text() == before
    assert not (folder / "environments/cloud").exists()


def test_outputs_that_lack_something_are_refused_and_nothing_is_written(tmp_path):
    folder = checkout(tmp_path, "prod")
    of = given()
    del of["backups"]["lock_mode"]
    assert take(folder, "prod", of).returncode == 1
    assert not (folder / "environments/cloud/prod.yaml").exists()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_chart_takes_them_and_shows_them(name, tmp_path):
    file = tmp_path / "cloud.yaml"
    file.write_text(outputs.values_file(given(name)))
    done = run_helm(
        *("template", "sightline", CHART, "--namespace", "detection-system"),
        *("--values", CHART / f"values-{name}.yaml", "--values", file),
    )
    assert done.returncode == 0, done.stderr
    images = {
        line.split("image: ")[1].strip(' "')
        for line in done.stdout.splitlines()
        if "image: " in line
    }
    assert images
    assert all(each.startswith(f"{REGISTRY}/") for each in images), images
    for expected in (
        f"--target=s3://sightline-{name}-backups/gateway",
        "--object-lock-days=30",
        "--object-lock-mode=compliance",
        "--region=eu-central-1",
        "10.40.12.0/24",
        outputs.POD_IDENTITY,
        "sightline-deployers",
    ):
        assert expected in done.stdout
    assert "imagePullSecrets" not in done.stdout


def test_detection_goes_to_gpu_nodes_where_there_are_some():
    gpu = {
        "node_selector": {"sightline.io/gpu": "true"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    }
    made = outputs.values(given(gpu=gpu))
    assert made["detection"]["nodeSelector"] == gpu["node_selector"]
    assert "detection" not in outputs.values(given())


def test_the_pods_that_get_rights_are_those_of_the_chart():
    """Pod Identity goes by name: a renamed ServiceAccount would be without rights."""
    main = (TERRAFORM / "modules/platform/main.tf").read_text()
    done = run_helm("template", "sightline", CHART, "--values", CHART / "values-prod.yaml")
    assert "${var.namespace}/sightline-backups" in main
    assert "name: sightline-backups\n" in done.stdout
    assert "serviceAccountName: sightline-backups" in done.stdout
    assert environments.Environment(name="x").cluster.namespace == "detection-system"
