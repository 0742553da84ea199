"""What operators rely on of the two services in each colour, in each environment."""

from __future__ import annotations

import re

import pytest

import manifests
from manifests import COLOURS, COMPONENTS, ENVIRONMENTS, rendered, selects

AUTOSCALED = ("staging", "prod")
BOTH = [env for env in ENVIRONMENTS if env != "dev"]
WORKLOADS = [
    (env, component, colour)
    for env in ENVIRONMENTS
    for component in COMPONENTS.values()
    for colour in (COLOURS if env != "dev" else ("blue",))
]
every_workload = pytest.mark.parametrize(("environment", "component", "colour"), WORKLOADS)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_there_is_a_deployment_of_each_service_in_each_colour_and_nothing_else(environment):
    found = set(rendered(environment=environment).kind("Deployment"))
    assert found == {f"{c}-{colour}" for env, c, colour in WORKLOADS if env == environment}


@every_workload
def test_a_deployments_pods_are_its_own_and_its_colours_alone(environment, component, colour):
    all_ = rendered(environment=environment)
    selector = all_.one("Deployment", f"{component}-{colour}")["spec"]["selector"]["matchLabels"]
    assert selector == {
        "app.kubernetes.io/name": "sightline",
        "app.kubernetes.io/component": component,
        "colour": colour,
    }
    chosen = [pod.owner for pod in all_.pods() if selects(selector, pod.labels)]
    assert chosen == [f"Deployment/{component}-{colour}"]


@every_workload
def test_a_pod_is_alive_by_health_and_takes_requests_by_ready(environment, component, colour):
    main = rendered(environment=environment).pod(f"Deployment/{component}-{colour}").main
    probes = {name: main[name]["httpGet"]["path"] for name in main if name.endswith("Probe")}
    assert probes == {
        "startupProbe": "/ready",
        "readinessProbe": "/ready",
        "livenessProbe": "/health",
    }
    startup = main["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 120, "a model takes a while"


@every_workload
def test_a_pod_is_out_of_its_endpoints_before_it_stops_and_is_not_killed(
    environment, component, colour
):
    all_ = rendered(environment=environment)
    pod = all_.pod(f"Deployment/{component}-{colour}")
    assert pod.main["lifecycle"]["preStop"] == {"sleep": {"seconds": 5}}
    assert pod.spec["terminationGracePeriodSeconds"] == 45
    (settings,) = (
        text
        for name, text in all_.one("ConfigMap", f"{component}-{colour}")["data"].items()
        if name.endswith(".toml")
    )
    found = dict(re.findall(r"^(drain_seconds|shutdown_seconds) = (\d+)$", settings, re.MULTILINE))
    assert found == {"drain_seconds": "5", "shutdown_seconds": "20"}


@every_workload
def test_pods_are_spread_over_zones_and_nodes_by_revision(environment, component, colour):
    pod = rendered(environment=environment).pod(f"Deployment/{component}-{colour}")
    if environment == "edge" and component == "cop-gateway":
        # Its volumes must be on one node: test_chart_store.py.
        assert "topologySpreadConstraints" not in pod.spec
        return
    spread = {each["topologyKey"]: each for each in pod.spec["topologySpreadConstraints"]}
    assert set(spread) == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    for each in spread.values():
        assert each["maxSkew"] == 1
        assert each["matchLabelKeys"] == ["pod-template-hash"]
        assert each["nodeTaintsPolicy"] == "Honor", "a lost node is no place that lacks a pod"
        assert selects(each["labelSelector"]["matchLabels"], pod.labels)
    hard = environment == "prod"
    assert (spread["kubernetes.io/hostname"]["whenUnsatisfiable"] == "DoNotSchedule") is hard
    (term,) = pod.spec["affinity"]["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert term["podAffinityTerm"]["matchLabelKeys"] == ["pod-template-hash"]


@every_workload
def test_what_a_pod_needs_and_may_take_is_stated(environment, component, colour):
    for container in (
        rendered(environment=environment).pod(f"Deployment/{component}-{colour}").containers
    ):
        for name in ("cpu", "memory", "ephemeral-storage"):
            assert container["resources"]["requests"][name]
            assert container["resources"]["limits"][name]


@every_workload
def test_log_lines_and_metrics_say_colour_and_version(environment, component, colour):
    all_ = rendered(environment=environment)
    pod = all_.pod(f"Deployment/{component}-{colour}")
    tag = pod.main["image"].rpartition(":")[2]
    assert pod.environment["SIGHTLINE_COLOUR"] == colour
    assert pod.environment["SIGHTLINE_VERSION"] == tag


@every_workload
def test_no_secret_is_in_an_environment_or_a_config_map(environment, component, colour):
    all_ = rendered(environment=environment)
    pod = all_.pod(f"Deployment/{component}-{colour}")
    for name, value in pod.environment.items():
        if re.search("PASSWORD|SECRET|KEY|TOKEN|DATABASE", name):
            assert name.endswith("_FILE")
            assert value.startswith(("/run/secrets/", "/etc/sightline/database-url"))
    assert pod.volume("secrets")["secret"] == {
        "secretName": f"sightline-{component}",
        "defaultMode": 0o440,
    }
    assert not all_.kind("Secret"), "Secrets are made outside the chart"


@pytest.mark.parametrize("environment", AUTOSCALED)
@pytest.mark.parametrize("component", COMPONENTS.values())
@pytest.mark.parametrize("colour", COLOURS)
def test_where_it_is_autoscaled_nobody_else_says_how_many(environment, component, colour):
    all_ = rendered(environment=environment)
    name = f"{component}-{colour}"
    assert "replicas" not in all_.one("Deployment", name)["spec"]
    scaler = all_.one("HorizontalPodAutoscaler", name)
    spec = scaler["spec"]
    assert scaler["apiVersion"] == "autoscaling/v2"
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    most = {"prod": 10, "staging": 6}[environment]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, most)
    targets = {
        m["resource"]["name"]: m["resource"]["target"]["averageUtilization"]
        for m in spec["metrics"]
    }
    assert targets == {"cpu": 70, "memory": 75}
    assert scaler["metadata"]["annotations"]["sightline.io/min-replicas"] == "3"


@pytest.mark.parametrize("component", COMPONENTS.values())
def test_it_grows_at_once_and_shrinks_slowly(component):
    behaviour = rendered(environment="prod").one("HorizontalPodAutoscaler", f"{component}-blue")[
        "spec"
    ]["behavior"]
    assert behaviour["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behaviour["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert behaviour["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]


@pytest.mark.parametrize("environment", ["dev", "edge"])
def test_where_it_is_not_autoscaled_there_is_one_of_each(environment):
    all_ = rendered(environment=environment)
    assert not all_.kind("HorizontalPodAutoscaler")
    assert {d["spec"]["replicas"] for d in all_.kind("Deployment").values()} == {1}


@pytest.mark.parametrize("environment", AUTOSCALED)
@pytest.mark.parametrize("component", COMPONENTS.values())
@pytest.mark.parametrize("colour", COLOURS)
def test_a_drain_takes_one_pod_of_a_colour_at_a_time(environment, component, colour):
    all_ = rendered(environment=environment)
    budget = all_.one("PodDisruptionBudget", f"{component}-{colour}")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    pod = all_.pod(f"Deployment/{component}-{colour}")
    assert budget["selector"]["matchLabels"].items() <= pod.labels.items()


@pytest.mark.parametrize("environment", AUTOSCALED)
def test_a_roll_out_never_has_fewer_pods_than_before(environment):
    for deployment in rendered(environment=environment).kind("Deployment").values():
        strategy = deployment["spec"]["strategy"]
        assert strategy == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
        }


@pytest.mark.parametrize("environment", BOTH)
def test_a_colour_is_a_whole_stack_of_its_own(environment):
    all_ = rendered(environment=environment)
    for colour, other in (COLOURS, reversed(COLOURS)):
        settings = all_.one("ConfigMap", f"detection-{colour}")["data"]["detection.toml"]
        assert f'gateway_url = "http://cop-gateway-{colour}:8001"' in settings
        assert other not in settings


@pytest.mark.parametrize("environment", BOTH)
@pytest.mark.parametrize("component", COMPONENTS.values())
def test_the_colours_share_no_volume_that_can_be_written(environment, component):
    all_ = rendered(environment=environment)
    used = [
        {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in all_.pod(f"Deployment/{component}-{colour}").spec["volumes"]
            if "persistentVolumeClaim" in volume
            and not volume["persistentVolumeClaim"].get("readOnly")
        }
        for colour in COLOURS
    ]
    assert not used[0] & used[1]


def test_one_colours_overlay_changes_that_colour_alone():
    before = rendered()
    after = rendered(
        {
            "colours": {
                "green": {
                    "detection": {"image": {"tag": "9.9.9"}, "settings": {"confidence": 0.4}},
                    "gateway": {
                        "autoscaling": {"enabled": False},
                        "replicas": 5,
                        "settings": {"simulated": False},
                    },
                }
            }
        }
    )
    changed = {(o["kind"], o["metadata"]["name"]) for o in after.objects if o not in before.objects}
    assert changed == {
        ("Deployment", "detection-green"),
        ("Deployment", "cop-gateway-green"),
        ("ConfigMap", "detection-green"),
        ("ConfigMap", "cop-gateway-green"),
        # Green's code is migrated to before it starts.
        ("ConfigMap", "sightline-migration"),
    }
    assert not after.has("HorizontalPodAutoscaler", "cop-gateway-green"), "false lays over true"
    assert after.one("Deployment", "cop-gateway-green")["spec"]["replicas"] == 5


def test_a_changed_setting_starts_that_colours_pods_anew():
    def sums(values):
        named = {
            pod.owner: pod.annotations.get("checksum/config") for pod in rendered(values).pods()
        }
        return {owner: sum_ for owner, sum_ in named.items() if sum_}

    changed = manifests.at("colours.blue.gateway.settings.stale_seconds", 90)
    differ = {owner for owner, sum_ in sums(changed).items() if sums({})[owner] != sum_}
    assert differ == {"Deployment/cop-gateway-blue"}


CLAIMED = {"persistentVolumeClaim": {"claimName": "zoo", "readOnly": True}}
MAPPED = {"configMap": {"name": "zoo", "defaultMode": 0o444}}


@pytest.mark.parametrize(
    ("source", "volume"),
    [
        ({"image": {"repository": ""}, "claim": "zoo"}, CLAIMED),
        ({"image": {"repository": ""}, "configMap": "zoo"}, MAPPED),
        ({"image": {"repository": "zoo", "tag": "7"}}, {"emptyDir": {"sizeLimit": "4Gi"}}),
    ],
)
def test_models_come_from_an_image_a_claim_or_a_config_map(source, volume):
    pod = rendered({"detection": {"models": source}}).pod("Deployment/detection-blue")
    assert pod.volume("models") == {"name": "models", **volume}
    mounted = next(m for m in pod.main["volumeMounts"] if m["name"] == "models")
    assert (mounted["mountPath"], mounted["readOnly"]) == ("/models", True)
    copies = [each["image"] for each in pod.spec.get("initContainers", ())]
    assert copies == (["zoo:7"] if "emptyDir" in volume else [])


def test_an_image_is_named_by_registry_tag_and_digest():
    digest = "sha256:" + "a" * 64
    all_ = rendered(
        {
            "image": {"registry": "registry.example.org/team", "pullSecrets": ["mirror"]},
            "detection": {"image": {"tag": "1.2.3", "digest": digest}},
            "gateway": {"image": {"registry": "other.example.org"}},
        }
    )
    images = {
        name: all_.pod(f"Deployment/{name}-blue").main["image"] for name in COMPONENTS.values()
    }
    assert images == {
        "detection": f"registry.example.org/team/sightline-detection:1.2.3@{digest}",
        "cop-gateway": "other.example.org/sightline-cop-gateway:0.1.0",
    }
    assert {str(pod.spec["imagePullSecrets"]) for pod in all_.pods()} == {"[{'name': 'mirror'}]"}


def test_priority_classes_are_made_only_when_asked_and_then_used():
    assert not rendered().kind("PriorityClass")
    all_ = rendered(manifests.at("priorityClasses.create", True))
    value = {name: each["value"] for name, each in all_.kind("PriorityClass").items()}
    assert (
        value["sightline-database"] > value["sightline-cop-gateway"] > value["sightline-detection"]
    )
    for component in COMPONENTS.values():
        spec = all_.pod(f"Deployment/{component}-green").spec
        assert spec["priorityClassName"] == f"sightline-{component}"


@pytest.mark.parametrize(
    ("section", "metric"),
    [
        ("detection", "sightline_detection_queue_depth"),
        ("gateway", "sightline_gateway_intake_waiting_frames"),
    ],
)
def test_what_waits_can_be_what_it_scales_by(section, metric):
    name = f"{COMPONENTS[section]}-blue"
    by_metric = rendered(manifests.at(f"{section}.autoscaling.queueDepth.source", "metric"))
    (pods,) = (
        m
        for m in by_metric.one("HorizontalPodAutoscaler", name)["spec"]["metrics"]
        if m["type"] == "Pods"
    )
    assert pods["pods"]["metric"]["name"] == metric

    keda = rendered(manifests.at(f"{section}.autoscaling.queueDepth.source", "keda"))
    assert not keda.has("HorizontalPodAutoscaler", name), "two would fight over the same pods"
    scaled = keda.one("ScaledObject", name)
    spec = scaled["spec"]
    assert spec["advanced"]["horizontalPodAutoscalerConfig"]["name"] == name
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (3, 10)
    assert [t["type"] for t in spec["triggers"]] == ["cpu", "memory", "prometheus"]
    query = spec["triggers"][2]["metadata"]["query"]
    assert query == f'sum({metric}{{namespace="detection-system", colour="blue"}})'
    documented = (manifests.ROOT / "docs/reference/metrics.md").read_text()
    assert f"| `{metric}` | gauge |" in documented
