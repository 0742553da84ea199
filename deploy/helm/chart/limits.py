"""What each value of the chart may be, by its path in values.yaml. Draft 7, which Helm 3 reads too.

A path may end where several sections have the same: the longest end that is listed counts.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_NAME = "[a-z0-9]([-a-z0-9.]*[a-z0-9])?"
_HOST = "[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_REGISTRY = "[a-z0-9]([-a-z0-9._:/]*[a-z0-9/])?"
_REPOSITORY = "[a-z0-9]([-a-z0-9._/]*[a-z0-9])?"
_SCHEDULE = (
    "(@(hourly|daily|weekly|monthly)|([0-9*/,-]+ ){2}([0-9*/,A-Za-z?-]+ ){2}[0-9*/,A-Za-z?-]+)"
)
_QUANTITY = "^[0-9]+([.][0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"


def text(title: str, pattern: str, *, empty: bool = False) -> Schema:
    """A text of this pattern, or nothing at all. The page says the title."""
    pattern = f"^({pattern})?$" if empty else f"^{pattern}$"
    return {"title": title, "type": "string", "pattern": pattern}


def whole(low: int, high: int) -> Schema:
    """A whole number from one limit to the other."""
    return {"type": "integer", "minimum": low, "maximum": high}


def choice(*names: str) -> Schema:
    """One of these."""
    return {"type": "string", "enum": list(names)}


def many(item: Schema, *, least: int = 0) -> Schema:
    """A list."""
    return {"type": "array", "items": item, "minItems": least}


def one(required: list[str] | None = None, **properties: Schema) -> Schema:
    """A map with these keys and no others."""
    made: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return made | ({"required": required} if required else {})


def named(value: Schema, pattern: str = "") -> Schema:
    """A map with keys of one's own."""
    keys: Schema = {"propertyNames": {"pattern": pattern}} if pattern else {}
    return {"type": "object", "additionalProperties": value, **keys}


FLAG: Schema = {"type": "boolean"}
NAME = text("a name", _NAME)
OPTIONAL_NAME = text("a name", _NAME, empty=True)
COLOUR = choice("blue", "green")
QUANTITY: Schema = {"type": ["string", "number"], "pattern": _QUANTITY}
SIZE: Schema = {
    "title": "a size, such as 10Gi",
    "type": "string",
    "pattern": "^[0-9]+([.][0-9]+)?(Mi|Gi|Ti|M|G|T)$",
}
LABELS = named({"type": "string", "maxLength": 63, "pattern": "^([A-Za-z0-9][-A-Za-z0-9_.]*)?$"})
ANNOTATIONS = named({"type": "string"})
SELECTOR = one(
    matchLabels=LABELS,
    matchExpressions=many(
        one(
            ["key", "operator"],
            key={"type": "string"},
            operator=choice("In", "NotIn", "Exists", "DoesNotExist"),
            values=many({"type": "string"}),
        )
    ),
)
CIDR = text("a range of addresses", "[0-9a-fA-F.:]+/[0-9]+")
PEER = one(
    podSelector=SELECTOR,
    namespaceSelector=SELECTOR,
    ipBlock=one(["cidr"], cidr=CIDR, **{"except": many(CIDR)}),
) | {"minProperties": 1}
PORT = whole(1, 65535)
RULE = one(
    ["to", "ports"],
    to=many(PEER, least=1),
    ports=many(one(["port"], port=PORT, protocol=choice("TCP", "UDP", "SCTP")), least=1),
)
RESOURCES = one(requests=named(QUANTITY), limits=named(QUANTITY))
SECONDS = whole(1, 604_800)

LIMITS: dict[str, Schema] = {
    "registry": text("a registry, with a folder in it", _REGISTRY, empty=True),
    "repository": text("an image's name", _REPOSITORY),
    "models.image.repository": text("an image's name", _REPOSITORY, empty=True),
    # A number would lose its zeros: 1.10.
    "tag": text("an image's tag, in quotes", "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", empty=True),
    "digest": text("`sha256:` and 64 digits", "sha256:[0-9a-f]{64}", empty=True),
    "image.pullPolicy": choice("Always", "IfNotPresent", "Never"),
    "image.pullSecrets": many(NAME),
    "activeColour": COLOUR,
    "enabled": FLAG,
    "create": FLAG,
    "models.claim": OPTIONAL_NAME,
    "models.configMap": OPTIONAL_NAME,
    "files": named({"type": "string"}, r"^[A-Za-z0-9][A-Za-z0-9._-]*$"),
    "environment": named({"type": ["string", "number", "boolean"]}, "^[A-Z_][A-Z0-9_]*$"),
    "secret": NAME,
    "takSecret": NAME,
    "replicas": whole(0, 100),
    "minReplicas": whole(1, 100),
    "maxReplicas": whole(1, 1000),
    "cpuPercent": whole(10, 100),
    "memoryPercent": whole(10, 100),
    "scaleDownSeconds": whole(0, 3600),
    "queueDepth.source": choice("off", "metric", "keda"),
    "queueDepth.target": whole(1, 100_000),
    "queueDepth.prometheusAddress": text("an address", r"https?://[^\s]+"),
    "maxUnavailable": whole(1, 100),
    "resources": RESOURCES,
    "preStopSeconds": whole(0, 600),
    "drainSeconds": whole(0, 600),
    "shutdownSeconds": whole(1, 3600),
    "terminationGracePeriodSeconds": whole(1, 7200),
    "startupSeconds": whole(10, 3600),
    "spread.zones": choice("DoNotSchedule", "ScheduleAnyway"),
    "spread.nodes": choice("DoNotSchedule", "ScheduleAnyway"),
    "priorityClassName": OPTIONAL_NAME,
    "runtimeClassName": OPTIONAL_NAME,
    "nodeSelector": LABELS,
    "tolerations": many(
        one(
            key={"type": "string"},
            operator=choice("Exists", "Equal"),
            value={"type": "string"},
            effect=choice("NoSchedule", "PreferNoSchedule", "NoExecute"),
            tolerationSeconds=whole(0, 2**31),
        )
    ),
    "podAnnotations": ANNOTATIONS,
    "podLabels": LABELS,
    "database.mode": choice("external", "embedded", "sqlite"),
    "database.port": PORT,
    "database.embedded.user": whole(1, 2**31),
    "database.embedded.parameters": named({"type": ["string", "number", "boolean"]}, "^[a-z_.]+$"),
    "volume.size": SIZE,
    "volume.storageClassName": OPTIONAL_NAME,
    "volume.existingClaim": OPTIONAL_NAME,
    "volume.accessModes": many(
        choice("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"), least=1
    ),
    "deadlineSeconds": SECONDS,
    "startingDeadlineSeconds": whole(10, 86_400),
    "schedule": text("as cron has it", _SCHEDULE),
    "timeZone": text("a time zone", "[A-Za-z]+(/[A-Za-z0-9_+-]+)*"),
    "successfulHistory": whole(0, 100),
    "failedHistory": whole(0, 100),
    "bucket.name": text("a bucket's name", "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", empty=True),
    "bucket.prefix": text("a path", "[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", empty=True),
    "bucket.endpointUrl": text("an address", r"https?://[^\s]+", empty=True),
    "bucket.region": text("a region", "[a-z0-9-]+", empty=True),
    "bucket.credentialsSecret": OPTIONAL_NAME,
    "bucket.caKey": text("a Secret's key", "[A-Za-z0-9._-]+", empty=True),
    "bucket.objectLockDays": whole(0, 36_500),
    "bucket.objectLockMode": choice("compliance", "governance"),
    "encryption.recipients": many(text("a public key of age", "age1[a-z0-9]+")),
    "encryption.identitySecret": OPTIONAL_NAME,
    "prune.last": whole(0, 10_000),
    "prune.daily": whole(0, 10_000),
    "prune.weekly": whole(0, 10_000),
    "prune.monthly": whole(0, 10_000),
    "restore.from": text("a backup's id", "[A-Za-z0-9][A-Za-z0-9._-]*", empty=True),
    "restore.colour": COLOUR,
    "networkPolicies.dns": many(PEER, least=1),
    "networkPolicies.ingress": many(PEER),
    "networkPolicies.clients": many(PEER),
    "networkPolicies.prometheus": many(PEER),
    "networkPolicies.database": many(PEER),
    "networkPolicies.tak": many(RULE),
    "networkPolicies.collector": many(RULE),
    "networkPolicies.backups": many(RULE),
    "exposure.kind": choice("none", "httpRoute", "ingress"),
    "exposure.hosts.gateway": text("a host name", _HOST, empty=True),
    "exposure.hosts.detection": text("a host name", _HOST, empty=True),
    "exposure.tlsSecret": NAME,
    "annotations": ANNOTATIONS,
    "exposure.httpRoute.parents": many(
        one(["name"], name=NAME, namespace=NAME, sectionName=NAME, port=PORT)
    ),
    "exposure.httpRoute.gatewayClassName": OPTIONAL_NAME,
    "exposure.ingress.className": OPTIONAL_NAME,
    "telemetry.otlpEndpoint": text("an address", r"https?://[^/?#\s]+(/[^?#\s]*)?", empty=True),
    "serviceMonitors.interval": text("such as `15s`", "[0-9]+(ms|s|m)"),
    "labels": LABELS,
    "priorityClasses.value": whole(-1_000_000_000, 999_000_000),
    "deployer.subjects": many(
        one(
            ["kind", "name"],
            kind=choice("User", "Group", "ServiceAccount"),
            name={"type": "string", "minLength": 1},
            namespace=NAME,
        )
    ),
}  # fmt: skip


def limit(path: tuple[str, ...]) -> Schema:
    """What the value at this path may be. Raises KeyError where nothing says so."""
    for start in range(len(path)):
        end = ".".join(path[start:])
        if end in LIMITS:
            return LIMITS[end]
    raise KeyError(f"limits.py does not say what {'.'.join(path)} may be")
