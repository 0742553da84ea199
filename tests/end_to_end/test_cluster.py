"""The cluster that other tests stand on does what a cluster does; and nothing stays of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kubernetes_cluster
from cluster import images, reachability
from cluster.objects import Namespace, deployment, leading, pod, web
from cluster.reachability import RESTRICTED, StandIn
from engine import program
from kubernetes_cluster import Cluster
from running import http, required, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    cluster.kubectl("create", "namespace", name)
    yield Namespace(cluster, name)
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def test_nodes_are_ready_in_three_zones(cluster: Cluster) -> None:
    assert len(cluster.ready()) == len(cluster.nodes) == 3
    listed = json.loads(cluster.kubectl("get", "nodes", "--output", "json"))["items"]
    assert len({node["metadata"]["labels"]["topology.kubernetes.io/zone"] for node in listed}) == 3
    print("\nup after, in seconds:", cluster.seconds)


def test_pods_on_all_nodes_answer_through_their_service(
    cluster: Cluster, namespace: Namespace
) -> None:
    namespace.apply(*web(), pod("asker"))
    namespace.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    namespace.wait("pod/asker")
    pods = namespace.get("pods", "--selector=app=web")["items"]
    assert len({each["spec"]["nodeName"] for each in pods}) == 3

    names = {each["metadata"]["name"] for each in pods}
    address = namespace.get("service", "web")["spec"]["clusterIP"]
    for url in (
        f"http://{address}",
        "http://web",
        f"http://web.{namespace.name}.svc.cluster.local",
    ):
        seen: set[str] = set()
        wait_for(
            lambda url=url, seen=seen: seen.add(namespace.ask("asker", url)) or seen >= names,
            what=f"every pod to answer at {url}",
        )
        assert seen == names

    # From a node's network, which is where tests run what clients run.
    get = [str(program("cluster-pod")), "get", f"http://{address}/"]
    said = subprocess.run(
        cluster.node_command(get), capture_output=True, text=True, check=True
    ).stdout.strip()
    assert said in names


CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 80), float(sys.argv[2]))"
NOBODY = "10.244.3.250"
"""Among the addresses of a node's pods; none of them has it."""


def test_who_is_led_to_a_lost_pod_is_led_to_another_soon(
    cluster: Cluster, namespace: Namespace
) -> None:
    """Else tests after a lost node would see requests fail, by chance, for two minutes."""
    if cluster.machine is None:
        required("only nodes of our own forget so soon")
    namespace.apply(*web(replicas=1), *leading("lost", NOBODY))
    namespace.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    (server,) = namespace.get("pods", "--selector=app=web")["items"]
    service = namespace.get("service", "lost")["spec"]["clusterIP"]

    def connecting(seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CONNECT, service, str(seconds)]
        return subprocess.Popen(cluster.node_command(command), stderr=subprocess.PIPE, text=True)

    wait_for(
        lambda: "TimeoutError" in connecting(0.5).communicate()[1], what="connections to be lost"
    )
    attempt = connecting(14.0)
    time.sleep(0.5)
    namespace.apply(*leading("lost", server["status"]["podIP"]))
    assert (attempt.communicate()[1], attempt.returncode) == ("", 0)


def test_logs_exec_and_a_port_forward(cluster: Cluster, namespace: Namespace) -> None:
    namespace.apply(*web(replicas=1))
    namespace.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    forward = cluster.kubectl_command(
        "--namespace", namespace.name, "port-forward", "service/web", ":80"
    )
    with subprocess.Popen(forward, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()  # type: ignore[union-attr]
        port = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert port, line
        answer = http(f"http://127.0.0.1:{port[1]}/forwarded")
        process.terminate()
    (name,) = (each["metadata"]["name"] for each in namespace.get("pods")["items"])
    assert answer.body.decode().strip() == name
    assert "GET /forwarded" in namespace.kubectl("logs", "deployment/web")
    assert namespace.ask("deployment/web", "http://127.0.0.1:8080") == name


def test_an_image_from_the_registry(cluster: Cluster, namespace: Namespace, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    images.of_program(program("cluster-pod"), archive, "whatever/it:was")
    name = cluster.push(archive, "tests/pushed:2")
    namespace.apply(pod("pulled", "serve", ":8080", container={"image": name}))
    namespace.wait("pod/pulled")
    assert namespace.ask("pulled", "http://127.0.0.1:8080") == "pulled"


def test_the_metrics_api_scales_a_deployment(namespace: Namespace) -> None:
    burning = {"resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "150m"}}}
    namespace.apply(
        deployment("busy", "burn", replicas=1, container=burning),
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "busy"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "busy"},
                "minReplicas": 1,
                "maxReplicas": 2,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "averageUtilization": 70},
                        },
                    }
                ],
            },
        },
    )
    began = time.monotonic()
    wait_for(
        lambda: namespace.get("deployment", "busy")["status"].get("readyReplicas") == 2,
        seconds=120,
        what="the second replica",
    )
    print(f"\nscaled after {time.monotonic() - began:.0f} s")
    assert re.search(r"busy-\S+ +\d+m", namespace.kubectl("top", "pods"))
    assert re.search(r"\d+%", namespace.cluster.kubectl("top", "nodes"))


def test_a_volume_keeps_what_a_pod_wrote(namespace: Namespace) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "10Mi"}},
        },
    }
    keeper = pod(
        "keeper", "serve", ":8080", "/data/starts",
        securityContext={"runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001},
        container={"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
        volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    )  # fmt: skip
    for starts in (1, 2):
        namespace.apply(claim, keeper)
        namespace.wait("pod/keeper")
        said = wait_for(lambda: namespace.ask("keeper", "http://127.0.0.1:8080"))
        assert said == f"start {starts}"
        namespace.kubectl("delete", "pod", "keeper")

    # Nothing but fsGroup lets a user in who is not root: as on a disk that was just formatted.
    del keeper["spec"]["securityContext"]["fsGroup"]
    keeper["spec"]["restartPolicy"] = "Never"
    claim["metadata"]["name"] = "other"
    keeper["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] = "other"
    namespace.apply(claim, keeper)
    namespace.wait("pod/keeper", "jsonpath={.status.phase}=Failed")
    assert "permission denied" in namespace.kubectl("logs", "keeper")

    volume = namespace.get("persistentvolumeclaim", "data")["spec"]["volumeName"]
    namespace.kubectl("delete", "persistentvolumeclaim", "data")
    namespace.cluster.kubectl("wait", "persistentvolume", volume, "--for=delete", "--timeout=30s")


def test_pod_security_refuses_what_is_not_restricted(namespace: Namespace) -> None:
    namespace.cluster.kubectl(
        "label", "namespace", namespace.name, "pod-security.kubernetes.io/enforce=restricted"
    )
    privileged = json.dumps(pod("bad", container={"securityContext": {"privileged": True}}))
    said = namespace.kubectl("apply", "--filename", "-", input=privileged, check=False)
    assert 'violates PodSecurity "restricted' in said
    assert "privileged" in said
    namespace.apply(pod("good", container={"securityContext": RESTRICTED}))
    namespace.wait("pod/good")


def test_network_policies_are_enforced(cluster: Cluster, namespace: Namespace) -> None:
    pods = [
        StandIn(
            name=name,
            namespace=namespace.name,
            labels={"app": name},
            ports={"http": 8000, "other": 9000},
        )
        for name in ("server", "friend", "stranger")
    ]
    reachability.start(cluster, pods)
    everything = reachability.table(cluster, pods)
    assert len(everything) == 3 * 3 * 2
    assert all(everything.values())

    def policy(name: str, **spec: Any) -> dict[str, Any]:
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name},
            "spec": {"podSelector": {}, **spec},
        }

    def of(name: str) -> dict[str, Any]:
        return {"podSelector": {"matchLabels": {"app": name}}}

    namespace.apply(
        policy("nothing", policyTypes=["Ingress", "Egress"]),
        policy("out", **of("friend"), policyTypes=["Egress"], egress=[{"to": [of("server")]}]),
        policy(
            "in",
            **of("server"),
            policyTypes=["Ingress"],
            ingress=[{"from": [of("friend"), of("stranger")], "ports": [{"port": "http"}]}],
        ),
    )

    def others() -> set[tuple[str, str, str]]:
        # A pod always reaches itself.
        table = reachability.table(cluster, pods)
        return {pair for pair, is_open in table.items() if is_open and pair[0] != pair[1]}

    wait_for(lambda: others() == {("friend", "server", "http")}, seconds=20, what="the policies")
    assert others() == {("friend", "server", "http")}


def test_pods_move_away_from_a_lost_node(cluster: Cluster, namespace: Namespace) -> None:
    namespace.apply(*web(), pod("asker", nodeSelector={"kubernetes.io/hostname": "node-1"}))
    namespace.kubectl("rollout", "status", "deployment/web", "--timeout=60s")
    namespace.wait("pod/asker")

    def on_the_living() -> bool:
        pods = namespace.get("pods", "--selector=app=web")["items"]
        ready = [
            each["spec"]["nodeName"]
            for each in pods
            if any(
                condition["type"] == "Ready" and condition["status"] == "True"
                for condition in each["status"].get("conditions", ())
            )
            and "deletionTimestamp" not in each["metadata"]
        ]
        return len(ready) == 3 and "node-3" not in ready

    cluster.kill_node(3)
    began = time.monotonic()
    try:
        wait_for(lambda: "node-3" not in cluster.ready(), seconds=40, what="node-3 to be lost")
        lost = time.monotonic() - began
        wait_for(on_the_living, seconds=60, what="the pods to move")
        moved = time.monotonic() - began
        # A node's rules follow within a second or two of the endpoints, later where it is busy.
        wait_for(
            lambda: namespace.ask("asker", "http://web").startswith("web-"),
            what="rules that know of the lost pods",
        )
        for _ in range(5):
            assert namespace.ask("asker", "http://web").startswith("web-")
    finally:
        cluster.start_node(3)
    began = time.monotonic()
    wait_for(lambda: "node-3" in cluster.ready(), seconds=60, what="node-3 to be back")
    print(f"\nlost after {lost:.0f} s, moved {moved:.0f} s, back {time.monotonic() - began:.0f} s")

    namespace.apply(pod("new", nodeSelector={"kubernetes.io/hostname": "node-3"}))
    namespace.wait("pod/new")
    wait_for(
        lambda: namespace.ask("new", "http://web").startswith("web-"),
        what="Services to work on the node that is back",
    )


def test_nothing_stays_and_clusters_stand_side_by_side(tmp_path: Path) -> None:
    kubernetes_cluster.needs()
    small = Cluster(tmp_path / "small", workers=1)
    with small.running():
        assert small.ready() == ["node-1"]
        assert len(small.leftovers()) > 10
    assert small.leftovers() == []


def test_nothing_stays_of_a_start_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubernetes_cluster.needs()
    broken = Cluster(tmp_path / "broken", workers=1)
    monkeypatch.setattr(broken, "_manifests", lambda: "this is no manifest")
    with pytest.raises(AssertionError, match="kubectl apply"), broken.running():
        pytest.fail("it started")
    assert broken.leftovers() == []
