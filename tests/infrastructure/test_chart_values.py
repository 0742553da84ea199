"""Values: each is used and explained; unknown ones and contradictions are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema
import pytest

import manifests
from chart import limits, schema, values
from manifests import CHART, at, merged, refused, rendered


def vector(name: str) -> Any:
    return values.load(manifests.ROOT / f"tests/vectors/chart/{name}.yaml")


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("detecton", {}, "additional properties 'detecton' not allowed"),
        ("detection.imge", {}, "at '/detection': additional properties 'imge' not allowed"),
        ("gateway.resources.request", {}, "additional properties 'request' not allowed"),
        ("colours.red", {}, "additional properties 'red' not allowed"),
        ("colours.blue.gateway.tag", "1", "additional properties 'tag' not allowed"),
        ("colours.blue.detection.settings.confidence", 2, "maximum: got 2, want 1"),
        (
            "gateway.settings.ground_hight_m",
            1,
            "additional properties 'ground_hight_m' not allowed",
        ),
        ("gateway.settings.ground_height_m", "high", "got string, want number"),
        ("gateway.settings.sinks", [{"name": "TAK 1", "url": "tcp://tak:8087"}], "/sinks/0/name"),
        ("gateway.settings.sinks", [{"url": "tcp://tak:8087"}], "missing property 'name'"),
        (
            "gateway.settings.database",
            "sqlite:///x",
            "additional properties 'database' not allowed",
        ),
        ("gateway.settings.port", 80, "additional properties 'port' not allowed"),
        ("gateway.settings.access", {"token_secret": "x"}, "'token_secret' not allowed"),
        ("detection.settings.gateway_key", "x", "additional properties 'gateway_key' not allowed"),
        ("activeColour", "red", "value must be one of 'blue', 'green'"),
        ("image.pullPolicy", "Sometimes", "value must be one of"),
        ("detection.image.tag", 1.1, "got number, want string"),
        ("gateway.image.digest", "sha256:abc", "does not match pattern"),
        ("gateway.autoscaling.minReplicas", 0, "minimum: got 0, want 1"),
        ("gateway.autoscaling.cpuPercent", 500, "maximum: got 500, want 100"),
        ("gateway.resources.requests.cpu", "lots", "does not match pattern"),
        ("gateway.spread.zones", "Never", "value must be one of"),
        ("gateway.environment", {"lower case": "x"}, "lower case"),
        ("database.mode", "mysql", "value must be one of"),
        ("database.sqlite.volume.size", "big", "does not match pattern"),
        ("backups.schedule", "at night", "does not match pattern"),
        ("backups.timeZone", "", "does not match pattern"),
        ("networkPolicies.tak", [{"to": []}], "/networkPolicies/tak/0"),
        ("networkPolicies.ingress", [{}], "minProperties"),
        ("networkPolicies.dns", [], "minItems: got 0, want 1"),
        ("exposure.kind", "loadBalancer", "value must be one of"),
        ("exposure.hosts.gateway", "https://x", "does not match pattern"),
        ("telemetry.otlpEndpoint", "collector:4318", "does not match pattern"),
        ("deployer.subjects", [{"kind": "Robot", "name": "x"}], "value must be one of"),
    ],
)
def test_the_schema_refuses(path, value, sentence):
    assert sentence in refused(at(path, value))


@pytest.mark.parametrize("case", vector("contradictions"), ids=lambda case: case["says"])
def test_what_contradicts_itself_is_refused_with_a_sentence(case):
    assert case["says"] in refused(case["values"])


def test_the_height_of_the_ground_must_be_stated():
    given = {"detection": {"models": {"claim": "zoo"}}, "database": {"mode": "embedded"}}
    assert "gateway (blue).settings.ground_height_m is missing" in refused(given, least=False)


def test_every_leaf_of_the_schema_is_in_the_values_and_the_other_way_round():
    given = values.load(CHART / "values.yaml")
    jsonschema.Draft7Validator.check_schema(schema.schema())
    assert list(jsonschema.Draft7Validator(schema.schema()).iter_errors(given)) == []
    ends = {
        end
        for path in values.leaves(given)
        for end in limits.LIMITS
        if ".".join(path).endswith(f".{end}") or ".".join(path) == end
    }
    assert ends == set(limits.LIMITS), "a limit of something that is not there"


def objects(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if part.get("type") == "object":
            yield part
        for each in part.values():
            yield from objects(each)
    elif isinstance(part, list):
        for each in part:
            yield from objects(each)


def test_no_map_of_the_schema_takes_unknown_keys_but_those_that_are_free():
    whole = schema.schema()
    whole["properties"].pop("global")
    for each in objects(whole):
        assert "additionalProperties" in each
        assert each["additionalProperties"] is False or "properties" not in each


OTHERS = vector("others")


def another(path: tuple[str, ...], default: Any) -> Any:
    """A value that may stand there and is not the default."""
    for start in range(len(path)):
        end = ".".join(path[start:])
        if end in OTHERS:
            return OTHERS[end]
    allowed = limits.limit(path)
    if "enum" in allowed:
        return next(each for each in allowed["enum"] if each != default)
    if allowed["type"] == "boolean":
        return not default
    if allowed["type"] == "integer":
        return default - 1 if default > allowed["minimum"] else default + 1
    return "x.other"


def test_every_value_has_an_effect():
    given = values.load(CHART / "values.yaml")
    situations = vector("situations")
    bases = [rendered(situation).text for situation in situations]

    def unused(leaf: values.Leaf) -> str | None:
        path = ".".join(leaf.path)
        change = at(path, another(leaf.path, leaf.default))
        for situation, base in zip(situations, bases, strict=True):
            done = manifests.run_helm(
                *("template", "sightline", CHART, "--namespace", manifests.NAMESPACE),
                values=merged(merged(manifests.LEAST, situation), change),
            )
            # Refused for what it contradicts is an effect, too; by the schema it is a bad sample.
            assert "schema" not in done.stderr, (path, done.stderr)
            if done.stdout != base:
                return None
        return path

    leaves = values.table()
    assert len(leaves) == len(list(values.leaves(given))) > 100
    with ThreadPoolExecutor(2) as pool:
        assert [path for path in pool.map(unused, leaves) if path] == []


def test_every_value_that_templates_ask_for_exists():
    given = values.load(CHART / "values.yaml")
    known = {
        ".".join(path[:depth]) for path in values.leaves(given) for depth in range(1, len(path) + 1)
    }
    asked = {
        found[1].rstrip(".")
        for template in (CHART / "templates").iterdir()
        for found in re.finditer(r"\.Values\.([A-Za-z.]+)", template.read_text())
    }
    assert asked
    assert asked <= known
    own = {key for section in manifests.COMPONENTS for key in paths(given[section])}
    added = {"section", "colour", "component", "name", "port", "prefix", "held"}
    for template in (CHART / "templates").iterdir():
        # $own is a service in a colour, in every template.
        for found in re.finditer(r"\$own\.([A-Za-z.]+)", template.read_text()):
            # What is in the settings is the services' own.
            name = found[1] if not found[1].startswith("settings.") else "settings"
            assert name in own | added, (template.name, found[0])


def paths(given: dict[str, Any]) -> Iterator[str]:
    for path in values.leaves(given):
        yield from (".".join(path[:depth]) for depth in range(1, len(path) + 1))


def test_every_value_says_what_it_is_for():
    silent = [
        ".".join(leaf.path)
        for leaf in values.table()
        if not leaf.comment and len(leaf.path) > 1 and leaf.path[-1] not in EXPLAINED
    ]
    assert silent == []


EXPLAINED = {
    "enabled", "create", "minReplicas", "maxReplicas", "resources", "size", "schedule", "timeZone",
    "repository", "tag", "priorityClassName", "runtimeClassName", "nodeSelector", "tolerations",
    "podAnnotations", "podLabels", "gateway", "detection", "annotations", "labels", "interval",
    "className", "accessModes",
}  # fmt: skip
"""Named as Kubernetes names them."""
