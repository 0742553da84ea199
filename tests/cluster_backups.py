"""Backups on a cluster, as an operator handles them: Jobs by hand, the volume, the database."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployment import FIRST, Sightline, merged
from engine import ROOT
from kubernetes_cluster import Cluster
from running import Answer, http, wait_for

POD = ROOT / "deploy/helm/examples/backups-pod.yaml"
IMAGE = "sightline-cli:0.1.0"
ONE_POD = {
    "replicas": 1, "autoscaling": {"enabled": False}, "disruptionBudget": {"enabled": False},
}  # fmt: skip


def small(cluster: Cluster, overlay: dict[str, Any]) -> dict[str, Any]:
    """Values of a site with one pod of each."""
    tag = {"image": {"tag": FIRST}}
    return merged(
        {
            "image": {"registry": cluster.registry},
            "colours": {each: {"detection": tag, "gateway": tag} for each in ("blue", "green")},
            "detection": ONE_POD,
            "gateway": ONE_POD,
        },
        overlay,
    )


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What became of a Job."""

    conditions: dict[str, str]
    """Those that hold, each with its reason."""
    words: str
    """What its last container said last, as `kubectl describe pod` shows it."""
    log: str
    seconds: float

    @property
    def succeeded(self) -> bool:
        return "Complete" in self.conditions

    @property
    def document(self) -> dict[str, Any]:
        assert self.succeeded, f"{self.conditions} {self.words}"
        # A pod's log has progress, too, which is on stderr.
        return dict(json.loads(self.log[self.log.index("{\n") :]))


def start(
    sightline: Sightline,
    cronjob: str = "sightline-backups",
    change: Callable[[dict[str, Any]], None] | None = None,
) -> str:
    """The command of the documentation; `change` alters the Job's pod before."""
    name = f"by-hand-{secrets.token_hex(3)}"
    command = ("create", "job", name, "--from", f"cronjob/{cronjob}")
    if change is None:
        sightline.kubectl(*command)
        return name
    job = json.loads(sightline.kubectl(*command, "--dry-run=client", "-o", "json"))
    job["spec"]["backoffLimit"] = 0
    change(job["spec"])
    sightline.kubectl("create", "-f", "-", given=json.dumps(job))
    return name


def end(sightline: Sightline, name: str, *, seconds: float = 120.0) -> Ended:
    """Once it is over; the Job goes, too."""

    def over() -> dict[str, str]:
        found = sightline.get("job", name)["status"].get("conditions", ())
        held = {each["type"]: each.get("reason", "") for each in found if each["status"] == "True"}
        return held if {"Complete", "Failed"} & set(held) else {}

    conditions = wait_for(over, seconds=seconds, what=f"the end of Job {name}")
    job = sightline.get("job", name)
    pods = pods_of(sightline, name)
    states = [
        status["state"].get("terminated", {})
        for pod in pods
        for status in pod["status"].get("containerStatuses", ())
    ]
    log = sightline.kubectl("logs", f"job/{name}", check=False)
    times = [job["status"]["startTime"], *(each["finishedAt"] for each in states if each)]
    sightline.kubectl("delete", "job", name, "--wait=false")
    return Ended(
        conditions=conditions,
        words="".join(each.get("message", "") for each in states),
        log=log,
        seconds=_seconds(times[-1]) - _seconds(times[0]),
    )


def by_hand(
    sightline: Sightline,
    cronjob: str = "sightline-backups",
    change: Callable[[dict[str, Any]], None] | None = None,
) -> Ended:
    """Start one and wait for its end."""
    return end(sightline, start(sightline, cronjob, change))


def restored(sightline: Sightline) -> Ended:
    """The Job that the chart makes for a restore, once it is over."""

    def made() -> list[str]:
        names = [each["metadata"]["name"] for each in sightline.get("jobs")["items"]]
        return [each for each in names if each.startswith("sightline-restore-")]

    (name,) = wait_for(made, what="the Job")
    return end(sightline, name)


def pods_of(sightline: Sightline, job: str) -> list[dict[str, Any]]:
    return list(sightline.get("pods", labels=f"job-name={job}")["items"])


def _seconds(moment: str) -> float:
    return time.mktime(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ"))


class Volume:
    """The volume of backups, through the pod of the documentation."""

    def __init__(self, sightline: Sightline) -> None:
        self._sightline = sightline

    def run(self, *command: str, check: bool = True) -> str:
        return self._sightline.kubectl("exec", "backups", "--", *command, check=check)

    def names(self, folder: str = "/backups") -> set[str]:
        """What is in a folder, hidden files as well."""
        return set(self.run("ls", "-A", folder).split())

    def manifest(self, name: str, folder: str = "/backups") -> dict[str, Any]:
        return dict(json.loads(self.run("cat", f"{folder}/{name}/manifest.json")))

    def carry_out(self, name: str, into: Path) -> None:
        self._sightline.kubectl("cp", f"backups:/backups/{name}", str(into / name))

    def carry_in(self, backup: Path) -> None:
        self._sightline.kubectl("cp", str(backup), f"backups:/backups/{backup.name}")


@contextlib.contextmanager
def volume(sightline: Sightline) -> Iterator[Volume]:
    """From here to there."""
    image = f"{sightline.cluster.registry}/sightline-cli:{FIRST}"
    sightline.kubectl("apply", "-f", "-", given=POD.read_text().replace(IMAGE, image))
    try:
        sightline.kubectl("wait", "--for=condition=ready", "pod/backups", "--timeout=60s")
        yield Volume(sightline)
    finally:
        sightline.kubectl("delete", "pod", "backups")


def rows(sightline: Sightline, query: str, *, pod: str = "sightline-database-0") -> list[list[str]]:
    """What the database in the cluster answers."""
    said = sightline.kubectl(
        "exec", pod, "--", "psql", "-U", "sightline", "-d", "sightline", "-AtXc", query
    )
    return [line.split("|") for line in said.splitlines()]


def counts(sightline: Sightline, tables: dict[str, int]) -> dict[str, int]:
    """Rows of each table."""
    query = " UNION ALL ".join(f"SELECT '{each}', count(*) FROM {each}" for each in tables)
    return {name: int(count) for name, count in rows(sightline, query)}


def ask(
    sightline: Sightline, path: str, *, body: Any = None, service: str = "cop-gateway-active"
) -> Answer:
    """A gateway's answer to an operator."""
    with sightline.cluster.door(sightline.address(service), 8001) as port:
        return http(
            f"http://127.0.0.1:{port}{path}",
            body=None if body is None else json.dumps(body).encode(),
            headers={"X-Api-Key": sightline.key("operator")},
        )


def metrics(sightline: Sightline, start_of_name: str) -> dict[str, float]:
    """A gateway's, by their names, without labels."""
    lines = ask(sightline, "/metrics").body.decode().splitlines()
    found = [line.rpartition(" ") for line in lines if line.startswith(start_of_name)]
    return {name.partition("{")[0]: float(value) for name, _, value in found}


def claims(sightline: Sightline) -> set[str]:
    """The volumes that the namespace has."""
    return {each["metadata"]["name"] for each in sightline.get("pvc")["items"]}


def template(sightline: Sightline, part: str) -> str:
    """`helm template` of one file of the chart, with the site's values."""
    return sightline.helm("template", "--show-only", f"templates/{part}")
