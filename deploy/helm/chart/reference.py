"""docs/reference/values.md: what can be set, as a page."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

from chart import values
from chart.limits import Schema, limit

HEAD = """# Values of the Helm chart

Written from `deploy/helm/sightline/values.yaml` by `make manifests`; do not edit. What they are
for, and how to choose them, is in [chart.md](chart.md).

Whatever `detection` and `gateway` have can be said for one colour alone, under
`colours.blue.detection` and so on. A name that is not here is refused, and so is a value beyond
its limit.
"""


def page() -> str:
    """The page."""
    parts = [HEAD]
    said = values.comments((values.CHART / "values.yaml").read_text(encoding="utf-8"))
    for section, found in groupby(values.table(), key=lambda leaf: leaf.path[0]):
        parts.append(f"\n## `{section}`\n")
        own = list(found)
        if (section,) in said and own[0].path != (section,):
            parts.append(said[(section,)] + "\n")
        parts.append("| value | default | limits | meaning |\n|---|---|---|---|")
        parts += [
            f"| `{'.'.join(leaf.path)}` | {_default(leaf.default)} "
            f"| {_limits(leaf.path)} | {_cell(leaf.comment)} |"
            for leaf in own
        ]
    return "\n".join(parts) + "\n"


def _default(value: Any) -> str:
    if value in ("", [], {}):
        return "none"
    return f"`{_cell(value if isinstance(value, str) else json.dumps(value))}`"


def _limits(path: tuple[str, ...]) -> str:
    if path[-1] == "settings":
        return "[settings](settings.md)"
    if path[0] == "colours" and path[-1] != "enabled":
        return f"as `{path[-1]}`"
    return _words(limit(path))


def _words(schema: Schema) -> str:
    if schema.get("type") == "array":
        item = schema["items"]
        return f"a list of {_choices(item)}" if "enum" in item else "a list"
    if "enum" in schema:
        return _choices(schema)
    if "minimum" in schema:
        return f"from {schema['minimum']} to {schema['maximum']}"
    if schema["type"] == "boolean":
        return "`true`, `false`"
    return str(schema.get("title", "a map"))


def _choices(schema: Schema) -> str:
    return ", ".join(f"`{each}`" for each in schema["enum"])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
