"""Pod Security `restricted`, accounts and rights, told by rules that are not the chart's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import manifests
from manifests import COMPONENTS, ENVIRONMENTS, Manifests, Pod, rendered

VARIANTS: dict[str, dict[str, Any]] = {
    "least": {},
    "restore": {"restore": {"enabled": True}},
    "external": {
        "database": {"mode": "external"},
        "networkPolicies": {"database": [{"podSelector": {}}]},
    },
}
CASES = [*ENVIRONMENTS, *VARIANTS]
every_case = pytest.mark.parametrize("case", CASES)

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
    "projected", "secret",
}  # fmt: skip


def of(case: str) -> Manifests:
    return rendered(environment=case) if case in ENVIRONMENTS else rendered(VARIANTS[case])


def violations(pod: Pod) -> Iterator[str]:
    """What Pod Security Standards, profile `restricted`, has against a pod (policy of 1.36)."""
    spec, context = pod.spec, pod.spec.get("securityContext", {})
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield name
    for volume in spec.get("volumes", ()):
        if set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume}"
    if context.get("sysctls") or context.get("supplementalGroupsPolicy") == "Privileged":
        yield "sysctls"
    for container in pod.containers:
        for what in of_container(container, context):
            yield f"{container['name']}: {what}"


def of_container(container: Mapping[str, Any], context: Mapping[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    both = {**context, **own}
    capabilities = own.get("capabilities", {})
    probes = [container.get(f"{probe}Probe", {}) for probe in ("liveness", "readiness", "startup")]
    broken = {
        "privileged": own.get("privileged") or own.get("procMount", "Default") != "Default",
        "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is not False,
        "root": both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0,
        "seccomp": both.get("seccompProfile", {}).get("type")
        not in ("RuntimeDefault", "Localhost"),
        "capabilities": "ALL" not in capabilities.get("drop", ()),
        "added capabilities": set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"},
        "hostPort": any(port.get("hostPort") for port in container.get("ports", ())),
        "a probe of another host": any("host" in each.get("httpGet", {}) for each in probes),
    }
    yield from (what for what, found in broken.items() if found)


@every_case
def test_every_pod_is_within_pod_security_restricted(case):
    pods = list(of(case).pods())
    assert pods
    assert {pod.owner: list(violations(pod)) for pod in pods} == {pod.owner: [] for pod in pods}


def test_the_rules_notice_what_is_forbidden():
    """The rules above are worth something: a pod of root's fails in each."""
    bad = Pod(
        owner="x",
        labels={},
        annotations={},
        spec={
            "hostNetwork": True,
            "volumes": [{"name": "v", "hostPath": {"path": "/"}}],
            "containers": [{"name": "c", "securityContext": {"privileged": True, "runAsUser": 0}}],
        },
    )
    assert len(list(violations(bad))) == 7


@every_case
def test_no_container_can_write_into_its_image(case):
    for pod in of(case).pods():
        for container in pod.containers:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, pod.owner


@every_case
def test_what_can_be_written_is_bounded(case):
    for pod in of(case).pods():
        for volume in pod.spec.get("volumes", ()):
            if "emptyDir" in volume:
                assert volume["emptyDir"]["sizeLimit"], (pod.owner, volume["name"])


@every_case
def test_no_pod_holds_a_token_and_each_workload_has_an_account_of_its_own(case):
    all_ = of(case)
    accounts = all_.kind("ServiceAccount")
    assert all(each["automountServiceAccountToken"] is False for each in accounts.values())
    used: dict[str, set[str]] = {}
    for pod in all_.pods():
        assert pod.spec["automountServiceAccountToken"] is False, pod.owner
        assert pod.spec["serviceAccountName"] in accounts, pod.owner
        used.setdefault(pod.spec["serviceAccountName"], set()).add(pod.owner)
    assert "sightline-deployer" not in used
    bound = {
        subject["name"]
        for binding in all_.kind("RoleBinding").values()
        for subject in binding["subjects"]
    }
    assert not bound & set(used), "no workload has any right"
    assert not all_.kind("ClusterRole")
    assert not all_.kind("ClusterRoleBinding")


@every_case
def test_no_pod_is_told_of_the_services_beside_it(case):
    assert all(pod.spec["enableServiceLinks"] is False for pod in of(case).pods())


@pytest.mark.parametrize("component", COMPONENTS.values())
def test_a_services_files_belong_to_its_user(component):
    context = rendered().pod(f"Deployment/{component}-blue").spec["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (10001,) * 3
    assert context["fsGroupChangePolicy"] == "OnRootMismatch"


RIGHTS = {
    ("get", "list", "watch"): {
        ("", "pods"), ("", "services"), ("", "configmaps"), ("", "events"),
        ("", "persistentvolumeclaims"), ("apps", "deployments"), ("apps", "replicasets"),
        ("discovery.k8s.io", "endpointslices"), ("events.k8s.io", "events"),
        ("autoscaling", "horizontalpodautoscalers"),
    },
    ("patch",): {("autoscaling", "horizontalpodautoscalers")},
    ("get",): {("", "pods/log"), ("", "pods/portforward")},
    ("create",): {("", "configmaps"), ("", "pods/portforward")},
}  # fmt: skip
NAMED = {
    *(
        ("patch", "deployments/scale", f"{component}-{colour}")
        for component in ("detection", "cop-gateway")
        for colour in ("blue", "green")
    ),
    ("patch", "services", "detection-active"),
    ("patch", "services", "detection-preview"),
    ("patch", "services", "cop-gateway-active"),
    ("patch", "services", "cop-gateway-preview"),
    ("update", "configmaps", "sightline-colours"),
    ("patch", "configmaps", "sightline-colours"),
    ("get", "secrets", "sightline-deployer"),
}


def test_the_deployer_may_do_what_a_switch_needs_and_nothing_more():
    rules = rendered().one("Role", "sightline-deployer")["rules"]
    named = {
        (verb, resource, name)
        for rule in rules
        for verb in rule["verbs"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", ())
    }
    assert named == NAMED
    free = {
        (verb, group, resource)
        for rule in rules
        if "resourceNames" not in rule
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert free == {
        (verb, *what) for verbs, all_ in RIGHTS.items() for verb in verbs for what in all_
    }


def test_the_deployers_role_can_be_given_to_people():
    subjects = [
        {"kind": "Group", "name": "platform"},
        {"kind": "ServiceAccount", "name": "runner", "namespace": "ci"},
    ]
    binding = rendered(manifests.at("deployer.subjects", subjects)).one(
        "RoleBinding", "sightline-deployer"
    )
    assert [s["name"] for s in binding["subjects"]] == ["sightline-deployer", "platform", "runner"]
    assert binding["subjects"][1]["apiGroup"] == "rbac.authorization.k8s.io"
    assert binding["subjects"][2]["namespace"] == "ci"
    assert not rendered(manifests.at("deployer.enabled", False)).kind("Role")


def test_the_namespace_enforces_restricted_and_outlives_the_chart():
    assert not rendered().kind("Namespace")
    made = rendered(manifests.at("namespace.create", True)).one("Namespace", "detection-system")
    labels = made["metadata"]["labels"]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
    assert made["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
