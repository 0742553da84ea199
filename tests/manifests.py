"""The chart rendered, and what is in it: by kind and name, and pod by pod."""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from running import required

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy/helm/sightline"
NAMESPACE = "detection-system"
ENVIRONMENTS = ("dev", "staging", "prod", "edge")
COLOURS = ("blue", "green")
COMPONENTS = {"detection": "detection", "gateway": "cop-gateway"}
"""By the section of the values: what its workloads are called."""

HELMS = {version: ROOT / ".cache/tools/bin" / name for version, name in ((4, "helm"), (3, "helm3"))}

LEAST: Mapping[str, Any] = {
    "gateway": {"settings": {"ground_height_m": 455}},
    "detection": {"models": {"image": {"repository": "sightline-models"}}},
    "database": {"mode": "embedded"},
}
"""What nobody else can know."""


@dataclass(frozen=True, kw_only=True)
class Pod:
    """What a pod is made from, and by whom."""

    owner: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def main(self) -> Mapping[str, Any]:
        (only,) = self.spec["containers"]
        return only

    @property
    def environment(self) -> dict[str, str]:
        return {each["name"]: each["value"] for each in self.main.get("env", ())}

    def volume(self, name: str) -> Mapping[str, Any]:
        (found,) = (each for each in self.spec["volumes"] if each["name"] == name)
        return found


class Manifests:
    """The objects of a rendered chart."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.objects: list[dict[str, Any]] = [
            each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each
        ]

    def kind(self, kind: str) -> dict[str, dict[str, Any]]:
        """All of a kind, by name."""
        return {o["metadata"]["name"]: o for o in self.objects if o["kind"] == kind}

    def one(self, kind: str, name: str) -> dict[str, Any]:
        return self.kind(kind)[name]

    def has(self, kind: str, name: str) -> bool:
        return name in self.kind(kind)

    def pods(self) -> Iterator[Pod]:
        for each in self.objects:
            template = _template(each)
            if template is not None:
                metadata = template.get("metadata", {})
                yield Pod(
                    owner=f"{each['kind']}/{each['metadata']['name']}",
                    labels=metadata.get("labels", {}),
                    annotations=metadata.get("annotations", {}),
                    spec=template["spec"],
                )

    def pod(self, owner: str) -> Pod:
        (found,) = (pod for pod in self.pods() if pod.owner == owner)
        return found


def _template(each: Mapping[str, Any]) -> Mapping[str, Any] | None:
    match each["kind"]:
        case "Pod":
            return each
        case "CronJob":
            return each["spec"]["jobTemplate"]["spec"]["template"]
        case "Deployment" | "StatefulSet" | "DaemonSet" | "Job":
            return each["spec"]["template"]
    return None


def helm(version: int = 4) -> Path:
    """The program; skips (or fails, where all is required) where it is not there."""
    if not HELMS[version].exists():
        required(f"helm {version} is not there: make tools")
    return HELMS[version]


def run_helm(
    *arguments: str | Path, version: int = 4, values: Mapping[str, Any] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command of helm, with these values on its standard input."""
    given = ["--values", "-"] if values is not None else []
    return subprocess.run(
        [helm(version), *arguments, *given],
        input=json.dumps(values) if values is not None else None,
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def rendered(
    values: Mapping[str, Any] | None = None,
    *,
    environment: str | None = None,
    least: bool = True,
    version: int = 4,
    arguments: tuple[str, ...] = (),
) -> Manifests:
    """The chart with these values over those of an environment, or over the least there must be."""
    own = values or {}
    if environment is None and least:
        own = merged(LEAST, own)
    return _rendered(json.dumps(own, sort_keys=True), environment, version, arguments)


@functools.lru_cache(maxsize=64)
def _rendered(
    values: str, environment: str | None, version: int, arguments: tuple[str, ...]
) -> Manifests:
    named = ["--values", CHART / f"values-{environment}.yaml"] if environment else []
    done = run_helm(
        *("template", "sightline", CHART, "--namespace", NAMESPACE, *named, *arguments),
        version=version,
        values=json.loads(values),
    )
    assert done.returncode == 0, done.stderr
    return Manifests(done.stdout)


def refused(values: Mapping[str, Any], *, least: bool = True) -> str:
    """What helm says to values that it does not take."""
    done = run_helm(
        *("template", "sightline", CHART, "--namespace", NAMESPACE),
        values=merged(LEAST, values) if least else values,
    )
    assert done.returncode != 0, "helm took them"
    return done.stderr


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Maps within maps, as Helm lays values over values."""
    made = dict(base)
    for key, value in over.items():
        below = made.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        made[key] = merged(below, value) if both else value
    return made


def at(path: str, value: Any) -> dict[str, Any]:
    """{"a": {"b": value}} for "a.b"."""
    made: Any = value
    for key in reversed(path.split(".")):
        made = {key: made}
    return made


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()
