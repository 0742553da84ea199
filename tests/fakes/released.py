"""A release with both colours in a fake API server: every object that a switch looks at."""

from __future__ import annotations

import base64
from pathlib import Path

from fakes import kubernetes_api
from fakes.api_server import KEY, ApiServer, DrainablePod

PODS = 3
PORTS = {"detection": 8000, "cop-gateway": 8001}


def released(api: ApiServer, *, active: str = "blue") -> None:
    """Three pods of each component in each colour; users are led to `active`."""
    secret = {"data": {"key": base64.b64encode(KEY.encode()).decode()}}
    api.add("Secret", "sightline-deployer", secret)
    for component in PORTS:
        for colour in ("blue", "green"):
            _colour(api, component, colour, drained=colour != active)
        idle = "green" if active == "blue" else "blue"
        for role, colour in (("active", active), ("preview", idle)):
            _service(api, component, role, colour)
    _sinks(api)


def _labels(component: str, colour: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": "sightline",
        "app.kubernetes.io/component": component,
        "colour": colour,
    }


def _colour(api: ApiServer, component: str, colour: str, *, drained: bool) -> None:
    name, labels = f"{component}-{colour}", _labels(component, colour)
    status = {"observedGeneration": 1, "updatedReplicas": PODS, "readyReplicas": PODS}
    api.add("Deployment", name, {
        "metadata": {"labels": labels, "generation": 1},
        "spec": {"replicas": PODS, "template": {"spec": {}}}, "status": status,
    })  # fmt: skip
    api.add("HorizontalPodAutoscaler", name, {
        "metadata": {"labels": labels, "annotations": {"sightline.io/min-replicas": str(PODS)}},
        "spec": {"minReplicas": PODS, "maxReplicas": 10}, "status": {"currentReplicas": PODS},
    })  # fmt: skip
    for number in range(PODS):
        pod = f"{name}-{number}"
        api.add("Pod", pod, {
            "metadata": {"labels": labels},
            "spec": {"containers": [{
                "name": component, "image": f"sightline-{component}:1",
                "env": [{"name": "SIGHTLINE_VERSION", "value": "1"}],
            }]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        })  # fmt: skip
        api.pods[pod] = DrainablePod(_report(component, colour, drained=drained))
    _service(api, component, colour, colour)


def _service(api: ApiServer, component: str, role: str, colour: str) -> None:
    name = f"{component}-{role}"
    api.add("Service", name, {"spec": {"selector": _labels(component, colour)}})
    api.add("EndpointSlice", f"{name}-x", {
        "metadata": {"labels": {"kubernetes.io/service-name": name}},
        "endpoints": [
            {"conditions": {"ready": True}, "targetRef": {"name": f"{component}-{colour}-{n}"}}
            for n in range(PODS)
        ],
    })  # fmt: skip


def _report(component: str, colour: str, *, drained: bool) -> dict:
    details: dict = {"models": [{"name": "demo", "sha256": "a" * 64}]}
    if component == "cop-gateway":
        details = {
            "shared_database": True, "undelivered": 0,
            "schema": {"code": 6, "database": 6, "oldest_code": 5},
            "sinks": [{"name": "tak", "state": "connected", "held": False, "lag_events": 0}],
        }  # fmt: skip
    return {
        "draining": drained, "since": None, "service": component, "version": "1",
        "colour": colour, "open_requests": 0, "connections": 1, "details": details,
    }  # fmt: skip


def _sinks(api: ApiServer) -> None:
    """The one sink is held by a gateway that is not drained."""
    gateways = [pod for name, pod in api.pods.items() if name.startswith("cop-gateway")]

    def hold() -> None:
        free = [each for each in gateways if not each.report["draining"]]
        held = [each for each in free if each.report["details"]["sinks"][0]["held"]]
        for each in gateways:
            each.report["details"]["sinks"][0]["held"] = each in (held or free)[:1]

    for each in gateways:
        each.moved = hold  # type: ignore[method-assign]
    hold()


def kubeconfig(api: ApiServer, folder: Path) -> Path:
    """A file that leads there."""
    return kubernetes_api.kubeconfig(api.url, folder, token="a-token")
