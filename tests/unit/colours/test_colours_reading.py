"""What is read of the API's objects, as a cluster of Kubernetes 1.34 wrote them."""

from __future__ import annotations

import pytest

from sightline.colours import reading

LABELS = {
    "app.kubernetes.io/name": "sightline",
    "app.kubernetes.io/component": "detection",
    "colour": "green",
}


def pod(*, states: list[dict] | None = None, conditions: list[dict] | None = None, **more) -> dict:
    return {
        "metadata": {"name": "detection-green-7d9f-x2x", "labels": LABELS, **more},
        "spec": {"containers": [{
            "name": "detection", "image": "registry.local/sightline-detection:1.1",
            "env": [{"name": "SIGHTLINE_COLOUR", "value": "green"},
                    {"name": "SIGHTLINE_VERSION", "value": "1.1.0"}],
        }]},
        "status": {
            "phase": "Running", "conditions": conditions or [], "containerStatuses": states or [],
        },
    }  # fmt: skip


READY = [{"type": "Ready", "status": "True"}]
RUNS = {"name": "detection", "restartCount": 0, "state": {"running": {}}, "lastState": {}}
CRASHED = {
    "name": "detection", "restartCount": 4,
    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 1m20s restarting"}},
    "lastState": {"terminated": {"exitCode": 2, "reason": "Error",
                                 "message": "models.toml:\n  demo: sha256 does not match"}},
}  # fmt: skip
PULL = {
    "name": "detection", "restartCount": 0,
    "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found: 9.9"}},
}  # fmt: skip
CREATING = {"name": "detection", "restartCount": 0,
            "state": {"waiting": {"reason": "ContainerCreating"}}}  # fmt: skip
NO_NODE = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/2 nodes are available: 2 Insufficient cpu."}]  # fmt: skip


def test_a_pod_that_serves():
    (found,) = reading.pods([pod(states=[RUNS], conditions=READY)])
    assert (found.component, found.colour, found.ready, found.ending) == (
        "detection", "green", True, False,
    )  # fmt: skip
    assert (found.version, found.image) == ("1.1.0", "registry.local/sightline-detection:1.1")
    assert found.trouble is None


@pytest.mark.parametrize(
    ("states", "conditions", "words"),
    [
        ([CRASHED], [], ("CrashLoopBackOff", "exit code 2", "demo: sha256 does not match")),
        ([PULL], [], ("ImagePullBackOff", "not found: 9.9")),
        ([], NO_NODE, ("Insufficient cpu",)),
        ([{**RUNS, "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}], [],
         ("exit code 137", "OOMKilled")),
    ],
)  # fmt: skip
def test_one_that_does_not_says_why(states, conditions, words):
    (found,) = reading.pods([pod(states=states, conditions=conditions)])
    assert not found.ready
    assert all(word in found.trouble for word in words), found.trouble
    assert "\n" not in found.trouble


def test_one_that_is_just_starting_is_no_trouble():
    (found,) = reading.pods([pod(states=[CREATING])])
    assert (found.ready, found.trouble) == (False, None)


def test_one_that_is_being_deleted_counts_no_more():
    (found,) = reading.pods([pod(conditions=READY, deletionTimestamp="2026-11-26T09:00:00Z")])
    assert found.ending


def test_what_is_of_neither_colour_is_left_out():
    foreign = pod()
    foreign["metadata"]["labels"] = {**LABELS, "app.kubernetes.io/component": "database"}
    plain = pod()
    plain["metadata"]["labels"] = {"app.kubernetes.io/component": "detection"}
    assert reading.pods([foreign, plain]) == ()


def test_a_service_of_two_address_families_has_each_pod_once():
    def of(family: str) -> dict:
        return {
            "metadata": {"labels": {"kubernetes.io/service-name": "detection-green"}},
            "addressType": family,
            "endpoints": [
                {"conditions": {"ready": True}, "targetRef": {"name": "a"}},
                {"conditions": {}, "targetRef": {"name": "b"}},
                {"conditions": {"ready": False}, "targetRef": {"name": "c"}},
            ],
        }

    assert reading.endpoints([of("IPv4"), of("IPv6")]) == {"detection-green": ("a", "b")}


def test_the_newest_warning_of_a_pod_is_its_reason():
    def warned(at: str, message: str) -> dict:
        return {"metadata": {}, "involvedObject": {"name": "p"}, "lastTimestamp": at,
                "reason": "Unhealthy", "message": message}  # fmt: skip

    said = reading.unhealthy(
        [
            warned("2026-11-26T09:02:00Z", "Readiness probe failed: 503"),
            warned("2026-11-26T09:01:00Z", "old"),
        ]
    )
    assert said == {"p": "Unhealthy: Readiness probe failed: 503"}


def test_an_autoscaler_says_what_is_configured_and_what_holds_now():
    (found,) = reading.autoscalers([{
        "metadata": {"labels": LABELS, "annotations": {"sightline.io/min-replicas": "3"}},
        "spec": {"minReplicas": 7, "maxReplicas": 10}, "status": {"currentReplicas": 7},
    }])  # fmt: skip
    assert (found.configured, found.minimum, found.maximum, found.current) == (3, 7, 10, 7)


def test_a_deployment_with_a_claim_has_a_database_of_its_own():
    def gateway(volume: dict) -> dict:
        return {
            "metadata": {"labels": {**LABELS, "app.kubernetes.io/component": "cop-gateway"},
                         "generation": 5},
            "spec": {"replicas": 1, "template": {"spec": {"volumes": [volume]}}},
            "status": {"observedGeneration": 4},
        }  # fmt: skip

    own, none = reading.rollouts(
        [
            gateway({"persistentVolumeClaim": {"claimName": "cop-gateway-green"}}),
            gateway({"emptyDir": {}}),
        ]
    )
    assert (own.own_volume, none.own_volume) == (True, False)
    assert (own.generation, own.observed, own.ready) == (5, 4, 0)
