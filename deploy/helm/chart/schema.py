"""values.schema.json: the keys of values.yaml and no others, each within its limits.

`settings` is held to what the services' own settings are, so that a misspelt one is refused before
anything is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

import cop_gateway.settings
import detection.settings
from chart import values
from chart.limits import FLAG, Schema, limit, one
from telemetry.redaction import is_secret

SERVICES = {"detection": detection.settings.Settings, "gateway": cop_gateway.settings.Settings}
OWNED = frozenset(
    {
        "colour", "database", "drain_seconds", "gateway_url", "host", "models", "otlp_endpoint",
        "port", "shutdown_seconds", "version",
    }
)  # fmt: skip
"""Settings that the chart says itself."""


def schema() -> Schema:
    """The whole."""
    given = values.load(values.CHART / "values.yaml")
    definitions: Schema = {}
    for service, kind in SERVICES.items():
        definitions |= settings(service, kind)
        # A colour says what it has of its own: nothing is required there.
        definitions[service] = section(given[service], (service,))
    properties = {
        key: _ref(key) if key in SERVICES else at(value, (key,))
        for key, value in given.items()
        if key != "colours"
    }
    colour = one(["enabled"], enabled=FLAG, detection=_ref("detection"), gateway=_ref("gateway"))
    properties["colours"] = one(["blue", "green"], blue=colour, green=colour)
    # Helm hands it on to charts within charts; ours has none, and others may have ours.
    properties["global"] = {"type": "object"}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart sightline",
        "type": "object",
        "additionalProperties": False,
        "required": sorted(given),
        "properties": properties,
        "definitions": definitions,
    }


def section(given: Mapping[str, Any], path: tuple[str, ...]) -> Schema:
    """A map of values.yaml with its keys and no others."""
    return one(**{key: at(value, (*path, key)) for key, value in given.items()})


def at(value: Any, path: tuple[str, ...]) -> Schema:
    """What may stand at this path, of which the default is this value."""
    if path[-1] == "settings":
        return _ref(f"{path[0]}.Settings")
    try:
        return limit(path)
    except KeyError:
        if isinstance(value, dict) and value:
            return section(value, path)
        raise


def settings(service: str, kind: type[msgspec.Struct]) -> Schema:
    """A service's settings as definitions, without what the chart says and what is secret."""
    _, found = msgspec.json.schema_components(
        [kind], ref_template=f"#/definitions/{service}.{{name}}"
    )
    for name, each in found.items():
        if name == "Settings":
            # A colour lays its own over them; the service itself asks for what is required.
            each.pop("required", None)
        kept = {
            key: value
            for key, value in each.get("properties", {}).items()
            if not is_secret(key) and not (name == "Settings" and key in OWNED)
        }
        if "properties" in each:
            each["properties"] = kept
            each["additionalProperties"] = False
    return {f"{service}.{name}": _draft7(each) for name, each in found.items()}


def _draft7(part: Any) -> Any:
    """Tuples as draft 7 has them; without defaults and titles, which are in the reference."""
    if isinstance(part, list):
        return [_draft7(each) for each in part]
    if not isinstance(part, dict):
        return part
    made = {
        key: {name: _draft7(each) for name, each in value.items()}
        if key == "properties"
        else _draft7(value)
        for key, value in part.items()
        if key not in ("default", "title", "description") or isinstance(value, dict)
    }
    if "prefixItems" in made:
        made["items"] = made.pop("prefixItems")
        made["additionalItems"] = False
    return made


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}
