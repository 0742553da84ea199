"""The cluster's TAK server is gone for its clients, and comes back with a witness at it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator

from kubernetes_cluster import Cluster
from running import TakClient, wait_for


@contextlib.contextmanager
def outage(cluster: Cluster) -> Iterator[tuple[TakClient, Callable[[], None]]]:
    """Gateways lose it here. Gives a client that sees all of its new life, and what ends it."""

    def lead_to(app: str) -> None:
        patch = json.dumps({"spec": {"selector": {"app": app}}})
        cluster.kubectl("-n", "tak", "patch", "service", "tak", "--patch", patch)

    lead_to("nobody")
    try:
        # Connections that are there already do not ask the Service.
        cluster.kubectl("-n", "tak", "delete", "pod", "-l", "app=tak", "--grace-period=1")
        address = wait_for(lambda: _address(cluster), seconds=60, what="another TAK server")
        with cluster.door(address, 8087) as port:
            client = TakClient(port)
            try:
                yield client, lambda: lead_to("tak")
            finally:
                client.close()
    finally:
        lead_to("tak")


def _address(cluster: Cluster) -> str:
    """Of the pod that is ready, straight."""
    pods = json.loads(cluster.kubectl("-n", "tak", "get", "pods", "-l", "app=tak", "-o", "json"))
    for pod in pods["items"]:
        ready = [each["ready"] for each in pod["status"].get("containerStatuses", ())]
        if "deletionTimestamp" not in pod["metadata"] and ready == [True]:
            return str(pod["status"]["podIP"])
    return ""
