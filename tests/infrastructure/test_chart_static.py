"""The chart by its linters, on both Helms, and by the schemas of each Kubernetes it is for."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import manifests
from chart import copies, reference, schema
from chart import manifests as committed
from manifests import CHART, ENVIRONMENTS, ROOT, rendered, run_helm
from running import required

CHECKS = ROOT / ".cache/checks/bin"
VERSIONS = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36")
FOREIGN = {"monitoring.coreos.com", "keda.sh", "gateway.networking.k8s.io"}
"""Kinds of others, whose schemas are not Kubernetes' own."""
EVERYTHING: dict[str, Any] = {
    "namespace": {"create": True},
    "priorityClasses": {"create": True},
    "image": {"pullSecrets": ["mirror"]},
    "exposure": {"kind": "ingress", "hosts": {"gateway": "a.example", "detection": "b.example"}},
    "networkPolicies": {"ingress": [{"podSelector": {}}]},
    "database": {"embedded": {"parameters": {"max_connections": 50}}},
}


def check(name: str) -> Path:
    program = CHECKS / name
    if not program.exists():
        required(f"{name} is not there: make tools")
    return program


@pytest.mark.parametrize("version", [4, 3])
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_helms_own_linter_has_nothing_to_say(environment, version):
    done = run_helm(
        *("lint", "--strict", CHART, "--values", CHART / f"values-{environment}.yaml"),
        version=version,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # That there is no icon is all.
    assert re.findall(r"\[(WARNING|ERROR)\].*", done.stdout) == []


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_helm_3_and_4_render_the_same(environment):
    ours, theirs = (rendered(environment=environment, version=v).objects for v in (4, 3))
    assert ours == theirs


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_committed_manifests_are_the_rendered_ones(environment):
    text = committed.render(manifests.helm(), environment)
    path = committed.FOLDER / f"{environment}.yaml"
    assert path.read_text() == text, "run `make manifests` and commit"


def test_what_the_chart_has_from_elsewhere_is_what_is_there():
    assert copies.strangers() == []
    for path, text in copies.copies().items():
        assert path.read_text() == text, f"{path}: run `make manifests` and commit"
    assert json.loads((CHART / "values.schema.json").read_text()) == schema.schema()
    page = ROOT / "docs/reference/values.md"
    assert page.read_text() == reference.page(), "run `make manifests` and commit"


def test_each_kubernetes_takes_what_is_rendered():
    objects = [
        each
        for all_ in (
            *(rendered(environment=environment) for environment in ENVIRONMENTS),
            rendered(EVERYTHING),
            rendered({"restore": {"enabled": True}}),
        )
        for each in all_.objects
        if each["apiVersion"].split("/")[0] not in FOREIGN
    ]
    unique = {json.dumps(each, sort_keys=True) for each in objects if "data" not in each}
    unique |= {json.dumps(each) for each in objects if "data" in each and len(str(each)) < 9_000}
    done = subprocess.run(
        [check("python"), ROOT / "tests/kubernetes_schemas.py", *VERSIONS],
        input=f"[{','.join(sorted(unique))}]",
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done.stdout[:3000] + done.stderr[-3000:]


def test_the_schemas_notice_what_is_wrong():
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"sandwiches": []}}
    done = subprocess.run(
        [check("python"), ROOT / "tests/kubernetes_schemas.py", "1.36"],
        input=json.dumps([pod]), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "sandwiches" in done.stdout


def test_checkov_has_nothing_to_say_but_what_is_explained(tmp_path):
    for environment in ENVIRONMENTS:
        all_ = [each for each in rendered(environment=environment).objects if "data" not in each]
        (tmp_path / f"{environment}.yaml").write_text(yaml.safe_dump_all(all_))
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(rendered(EVERYTHING).objects))
    done = subprocess.run(
        [
            *(check("checkov"), "--directory", tmp_path, "--output", "json"),
            *("--config-file", ROOT / "deploy/helm/checkov.yaml"),
        ],
        capture_output=True, text=True, check=False, env=dict(os.environ, LOG_LEVEL="ERROR"),
    )  # fmt: skip
    found = json.loads(done.stdout)
    failed = [
        (each["check_id"], each["resource"], each["check_name"])
        for each in found["results"]["failed_checks"]
    ]
    assert failed == [], "\n".join(sorted({" ".join(each) for each in failed}))
    assert found["summary"]["passed"] > 1000, "it looked at nothing"
    assert found["summary"]["parsing_errors"] == 0


def test_every_check_that_is_left_out_says_why():
    lines = (ROOT / "deploy/helm/checkov.yaml").read_text().splitlines()
    skipped = [i for i, line in enumerate(lines) if re.fullmatch(r"  - CKV\w+", line)]
    assert skipped
    assert all(lines[i - 1].lstrip().startswith("#") for i in skipped)
    beside = [
        text
        for each in rendered(EVERYTHING).objects
        for name, text in each["metadata"].get("annotations", {}).items()
        if name.startswith("checkov.io/skip")
    ]
    assert beside
    assert all(re.fullmatch(r"CKV\w+=.{10,}", text) for text in beside)


def test_names_and_labels_are_what_an_api_server_takes():
    for environment in ENVIRONMENTS:
        for each in rendered(environment=environment).objects:
            name = each["metadata"]["name"]
            assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", name)
            for value in each["metadata"].get("labels", {}).values():
                assert re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?", value)
            if each["kind"] != "Namespace":
                assert each["metadata"].get("namespace", "detection-system") == "detection-system"


def test_a_release_fits_into_the_secret_that_helm_keeps_it_in():
    """One MiB is the most; Helm keeps chart and manifest, packed, as text."""
    chart = b"".join(path.read_bytes() for path in sorted(CHART.rglob("*")) if path.is_file())
    text = rendered(environment="prod").text.encode()
    kept = base64.b64encode(base64.b64encode(gzip.compress(base64.b64encode(chart) + text)))
    assert len(kept) < 900_000


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_notes_say_what_to_type_next(environment):
    done = run_helm(
        *("install", "sightline", CHART, "--namespace", "detection-system", "--dry-run=client"),
        *("--values", CHART / f"values-{environment}.yaml"),
    )
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    assert "helm test sightline --namespace detection-system" in notes
    assert "Uninstalling leaves the volumes:" in notes
    assert ("sightline colours switch" in notes) is (environment != "dev")
    assert ("no TAK server can be reached" in notes) is (environment == "dev")
