"""A page about a service's settings, written from the settings themselves."""

from __future__ import annotations

import typing
from typing import Any

import msgspec

from sightline.messages.schema import meanings


def settings_page(kind: type[msgspec.Struct], *, prefix: str | None) -> str:
    """Markdown: a table of every setting, and one for each table of settings in it.

    A setting's meaning is the string below it in the source. `prefix` is that of the variables,
    None where there are none.
    """
    definitions: dict[str, Any] = msgspec.json.schema(kind)["$defs"]
    parts = [_table(kind, definitions[kind.__name__], prefix=prefix)]
    for name, section, many in _sections(kind):
        parts.append(f"### `[[{name}]]`\n\n" if many else f"### `[{name}]`\n\n")
        inner = None if many or prefix is None else f"{prefix}{name.upper()}__"
        parts.append(_table(section, definitions[section.__name__], prefix=inner))
        for below, part, _ in _sections(section):
            if part.__name__ in definitions and part.__module__ == section.__module__:
                parts.append(f"### `[{name}.{below}]`\n\n")
                parts.append(_table(part, definitions[part.__name__], prefix=None))
    return "".join(parts)


def _sections(kind: type[msgspec.Struct]) -> list[tuple[str, type[msgspec.Struct], bool]]:
    """Fields that are a table of their own, or (True) an array of tables, in TOML."""
    found = []
    for field in msgspec.structs.fields(kind):
        many = typing.get_origin(field.type) is tuple
        inner = typing.get_args(field.type)[0] if many else field.type
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            found.append((field.encode_name, inner, many))
    return found


def _table(kind: type[msgspec.Struct], schema: dict[str, Any], *, prefix: str | None) -> str:
    meaning_of = meanings(kind)
    required = schema.get("required", [])
    variable = " variable |" if prefix else ""
    lines = [f"| setting |{variable} default | limits | meaning |"]
    lines.append("|---" * (5 if prefix else 4) + "|")
    for name, property_ in schema["properties"].items():
        column = f" `{prefix}{name.upper()}` |" if prefix else ""
        default = "**required**" if name in required else _default(property_)
        lines.append(
            f"| `{name}` |{column} {default} | {_limits(property_)}"
            f" | {meaning_of.get(name) or property_.get('description', '')} |"
        )
    return "\n".join(lines) + "\n\n"


def _default(property_: dict[str, Any]) -> str:
    if "$ref" in property_:
        return ""
    if "default" not in property_:
        return "the release's version"
    value = property_["default"]
    if value in (None, "", [], ()):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _limits(property_: dict[str, Any]) -> str:
    kinds = [each for each in property_.get("anyOf", [property_]) if each.get("type") != "null"]
    return " or ".join(_limits_of(kind, among=property_) for kind in kinds)


def _limits_of(kind: dict[str, Any], *, among: dict[str, Any]) -> str:
    if "$ref" in kind:
        name = kind["$ref"].rsplit("/", 1)[-1].lower()
        return "a table, see below" if kind is among else f"a {name}, as in the wire contract"
    if kind.get("type") == "array":
        return _list_limits(kind)
    bounds = _choices(kind) or _bounds(kind)
    if not bounds and "pattern" in kind:
        bounds = f"`{kind['pattern']}`".replace("|", "\\|")
    plain = {"boolean": "`true`, `false`", "string": "text", "object": "a table"}
    return bounds or plain.get(kind.get("type", ""), "")


def _list_limits(kind: dict[str, Any]) -> str:
    if "prefixItems" in kind:
        return f"{len(kind['prefixItems'])} numbers"
    if kind["items"].get("type") == "integer":
        return f"a list of {kind.get('minItems', 'any number')} of them"
    listed = _choices(kind["items"])
    if kind["items"].get("type") == "string":
        return f"a list of {listed or 'texts'}"
    return f"a list of {listed}" if listed else "tables, see below"


def _choices(kind: dict[str, Any]) -> str:
    return ", ".join(f"`{value}`" for value in kind.get("enum", ()))


def _bounds(kind: dict[str, Any]) -> str:
    low = kind.get("minimum", kind.get("exclusiveMinimum"))
    high = kind.get("maximum", kind.get("exclusiveMaximum"))
    parts = []
    if low is not None:
        parts.append(("above " if "exclusiveMinimum" in kind else "from ") + _number(low))
    if high is not None:
        parts.append("to " + _number(high))
    return " ".join(parts)


def _number(value: float) -> str:
    return f"{value:.0f}" if float(value).is_integer() else f"{value:g}"
