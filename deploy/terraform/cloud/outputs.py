"""From what Terraform gives to `environments/NAME.yaml` and the chart's values.

VALUES says which value of the chart comes from which output. ELSEWHERE says of every other value
that a site has to say for itself (its default is empty) where it comes from; a test holds the two
to values.yaml, so that a new value cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

Given = Mapping[str, Any]

POD_IDENTITY = "169.254.170.23/32"
"""Where EKS' agent on each node hands out credentials, over HTTP."""
PRIVATE = ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One value of the chart, and how it is made."""

    path: str
    needs: tuple[str, ...]
    """Dotted names in the output `sightline`."""
    make: Callable[..., Any]
    """Of what it needs, in that order."""


def _as_is(value: Any) -> Any:
    return value


def _blocks(cidrs: list[str]) -> list[dict[str, Any]]:
    return [{"ipBlock": {"cidr": each}} for each in cidrs]


def _way_to_bucket(_: str) -> list[dict[str, Any]]:
    """S3's own addresses are public and change: everything that is not private, by HTTPS."""
    return [
        {
            "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": list(PRIVATE)}}],
            "ports": [{"port": 443, "protocol": "TCP"}],
        },
        {
            "to": [{"ipBlock": {"cidr": POD_IDENTITY}}],
            "ports": [{"port": 80, "protocol": "TCP"}],
        },
    ]


VALUES = (
    Taken(path="image.registry", needs=("images.registry",), make=_as_is),
    # Nodes' own role pulls from ECR.
    Taken(path="image.pullSecrets", needs=("images.registry",), make=lambda _: []),
    Taken(path="database.mode", needs=("database.host",), make=lambda _: "external"),
    Taken(path="database.port", needs=("database.port",), make=_as_is),
    Taken(path="networkPolicies.database", needs=("database.cidrs",), make=_blocks),
    Taken(path="networkPolicies.backups", needs=("backups.bucket",), make=_way_to_bucket),
    Taken(path="backups.bucket.name", needs=("backups.bucket",), make=_as_is),
    Taken(path="backups.bucket.prefix", needs=("backups.prefix",), make=_as_is),
    Taken(path="backups.bucket.region", needs=("region",), make=_as_is),
    Taken(path="backups.bucket.objectLockDays", needs=("backups.lock_days",), make=_as_is),
    Taken(path="backups.bucket.objectLockMode", needs=("backups.lock_mode",), make=_as_is),
    Taken(
        path="deployer.subjects",
        needs=("cluster.deployers_group",),
        make=lambda group: [{"kind": "Group", "name": group}],
    ),
    Taken(
        path="detection.nodeSelector",
        needs=("cluster.gpu",),
        make=lambda gpu: gpu and gpu["node_selector"],
    ),
    Taken(
        path="detection.tolerations",
        needs=("cluster.gpu",),
        make=lambda gpu: gpu and gpu["tolerations"],
    ),
)

ELSEWHERE = {
    "image": "a release says tag and digest; image.registry is for all images",
    "settings": "the site's cameras, sinks and rules",
    "files": "the site's",
    "environment": "the site's",
    "claim": "models come as an image here",
    "configMap": "models come as an image here",
    "priorityClassName": "the cluster's other workloads decide",
    "runtimeClassName": "the GPU nodes' image has NVIDIA's runtime as its default",
    "nodeSelector": "the gateway runs on any node",
    "tolerations": "the gateway runs on any node",
    "podAnnotations": "the site's",
    "podLabels": "the site's",
    "parameters": "of the chart's own database, which is not there",
    "storageClassName": "the cluster's default, which the EBS driver makes",
    "existingClaim": "the chart makes the volume",
    "endpointUrl": "it is Amazon's",
    "credentialsSecret": "Pod Identity gives credentials",
    "caKey": "it is Amazon's",
    "recipients": "the site's age keys, whose secret half is not in the cloud",
    "identitySecret": "the site's age keys, whose secret half is not in the cloud",
    "from": "said when a backup is brought back",
    "ingress": "the controller of the platform, in the cluster",
    "tak": "the TAK servers' addresses",
    "collector": "the collector of the platform, in the cluster",
    "hosts": "the site's names",
    "annotations": "the site's",
    "parents": "the Gateway of the platform, in the cluster",
    "gatewayClassName": "the Gateway of the platform, in the cluster",
    "className": "the controller of the platform, in the cluster",
    "otlpEndpoint": "the collector of the platform, in the cluster",
    "labels": "what the operator of Prometheus in the cluster looks for",
    "detection": "what one colour has of its own is a release's business",
    "gateway": "what one colour has of its own is a release's business",
}
"""By the last key of the value's path, or of the map that it is in."""


def values(given: Given) -> dict[str, Any]:
    """The chart's values, of what Terraform gave."""
    made: dict[str, Any] = {}
    for each in VALUES:
        value = each.make(*(_at(given, name) for name in each.needs))
        if value is None:
            continue
        *above, last = each.path.split(".")
        place = made
        for key in above:
            place = place.setdefault(key, {})
        place[last] = value
    return made


def values_file(given: Given) -> str:
    """The same as a file."""
    head = (
        f"# Written by `make terraform-outputs ENV={given['environment']}`, of what Terraform made;"
        " do not edit.\n"
    )
    return head + _text(values(given))


def environment_file(text: str, given: Given, *, values_path: str) -> str:
    """The environment's file with what Terraform knows; all else, and comments, as they were."""
    yaml = _yaml()
    document: CommentedMap = yaml.load(text)
    cluster = _section(document, "cluster")
    _put(cluster, "context", _at(given, "cluster.name"))
    _put(cluster, "namespace", _at(given, "cluster.namespace"))
    chart = _section(document, "chart")
    # Last: what there really is goes before what was planned.
    others = [each for each in chart.get("values", []) if each != values_path]
    _put(chart, "values", [*others, values_path])
    images = _section(document, "images")
    _put(images, "registry", _at(given, "images.registry"))
    # What the nodes are.
    _put(images, "platforms", ["linux/amd64"])
    for other in ("insecure", "reached_as"):
        images.pop(other, None)
    backups = _section(document, "backups")
    _put(backups, "target", f"s3://{_at(given, 'backups.bucket')}/{_at(given, 'backups.prefix')}")
    _put(backups, "object_lock_days", _at(given, "backups.lock_days"))
    backups.pop("endpoint_url", None)
    return _text(document)


ENVIRONMENT_NEEDS = (
    "backups.bucket",
    "backups.lock_days",
    "backups.prefix",
    "cluster.name",
    "cluster.namespace",
    "images.registry",
)


def next_steps(given: Given) -> str:
    """What a person does with the rest."""
    database = given["database"]
    name, region = _at(given, "cluster.name"), given["region"]
    return "\n".join(
        (
            f"kubeconfig:   aws eks update-kubeconfig --name {name} --alias {name}"
            f" --region {region}",
            f"API server:   {_at(given, 'cluster.endpoint')}",
            f"database:     {database['host']}:{database['port']}/{database['name']}",
            f"its master:   {database['master_secret_arn']} (Secrets Manager)",
            f"we appear as: {', '.join(given['network']['outside_addresses'])}, for TAK's firewall",
            f"load balancers speak from {', '.join(given['network']['load_balancer_cidrs'])}",
        )
    )


TOLD = (
    "cluster.endpoint",
    "database.name",
    "database.master_secret_arn",
    "environment",
    "network.load_balancer_cidrs",
    "network.outside_addresses",
)
"""What next_steps tells, and the file names say."""


def _at(given: Given, name: str) -> Any:
    value: Any = given
    for key in name.split("."):
        value = value[key]
    return value


def _put(section: Any, name: str, value: Any) -> None:
    """Only what changes, so that the rest keeps its looks and its comments."""
    if section.get(name) == value:
        return
    if isinstance(value, list):
        value = CommentedSeq(value)
        value.fa.set_flow_style()
    section[name] = value


def _section(document: CommentedMap, name: str) -> Any:
    if name not in document:
        document[name] = CommentedMap()
    return document[name]


def _yaml() -> YAML:
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 120
    return yaml


def _text(document: Any) -> str:
    stream = StringIO()
    _yaml().dump(document, stream)
    return stream.getvalue()
