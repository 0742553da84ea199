"""Where the pods of an installation are, and how many of them are ready at any time."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

from deployment import COMPONENTS, Sightline

COLOURS = ("blue", "green")
WORKLOADS = tuple(f"{component}-{colour}" for component in COMPONENTS for colour in COLOURS)


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether it serves."""
    return "deletionTimestamp" not in pod["metadata"] and any(
        each["type"] == "Ready" and each["status"] == "True"
        for each in pod["status"].get("conditions", ())
    )


def placed(sightline: Sightline) -> dict[str, Counter[str]]:
    """By workload: how many ready pods are on each node."""
    found: dict[str, Counter[str]] = {name: Counter() for name in WORKLOADS}
    for pod in sightline.get("pods", labels="colour")["items"]:
        labels = pod["metadata"]["labels"]
        if is_ready(pod):
            name = f"{labels['app.kubernetes.io/component']}-{labels['colour']}"
            found[name][pod["spec"]["nodeName"]] += 1
    return found


def node_of_the_database(sightline: Sightline) -> int:
    """Its number."""
    return number(sightline.get("pod", "sightline-database-0")["spec"]["nodeName"])


def number(node: str) -> int:
    return int(node.rpartition("-")[2])


@contextlib.contextmanager
def fewest_ready(sightline: Sightline) -> Iterator[dict[str, int]]:
    """By workload: the fewest pods that were ready at any time from here to there, as watched."""
    fewest = dict.fromkeys(WORKLOADS, 1_000)
    path = 'jsonpath={.metadata.name}{" "}{.status.readyReplicas}{"\\n"}'
    command = sightline.cluster.kubectl_command(
        "--namespace", sightline.namespace, "get", "deployments", "--watch", "--output", path
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:

        def read() -> None:
            for line in watch.stdout or ():
                name, _, count = line.strip().partition(" ")
                fewest[name] = min(fewest[name], int(count or 0))

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        try:
            yield fewest
        finally:
            watch.terminate()
            thread.join(10)
    assert max(fewest.values()) < 1_000, "nothing was seen of some workload"


def rolled_out(sightline: Sightline) -> None:
    """All workloads anew, until only the new pods are ready."""
    names = [f"deployment/{name}" for name in WORKLOADS]
    sightline.kubectl("rollout", "restart", *names)
    for name in names:
        sightline.kubectl("rollout", "status", name, "--timeout=150s")
