"""Kubernetes objects in files: read as YAML or JSON, lists laid open, written again. Pure."""

from __future__ import annotations

import base64
import binascii
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sightline.secrets.errors import FormatError

Object = dict[str, Any]
MOST_BYTES = 1024 * 1024
"""What a Secret may hold, by Kubernetes' own limit."""
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """A Secret with its values as bytes. Its text form leaves the values out."""

    name: str
    namespace: str | None
    data: Mapping[str, bytes]
    type: str = "Opaque"
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    immutable: bool | None = None

    def __repr__(self) -> str:
        return f"<Secret {self.namespace}/{self.name}: {', '.join(sorted(self.data))}>"

    def manifest(self) -> Object:
        """As Kubernetes takes it."""
        metadata: Object = {"name": self.name}
        if self.namespace:
            metadata["namespace"] = self.namespace
        for field, value in (("labels", self.labels), ("annotations", self.annotations)):
            if value:
                metadata[field] = dict(value)
        made: Object = {"apiVersion": "v1", "kind": "Secret", "type": self.type}
        if self.immutable is not None:
            made["immutable"] = self.immutable
        encoded = {key: base64.b64encode(self.data[key]).decode() for key in sorted(self.data)}
        return {**made, "metadata": metadata, "data": encoded}


def objects(text: str, *, name: str) -> list[Object]:
    """All objects of a file, those of its lists too. Raises FormatError."""
    found: list[Object] = []
    try:
        documents = (
            [json.loads(text)]
            if text.lstrip().startswith("{")
            else list(YAML(typ="safe", pure=True).load_all(text))
        )
    except (YAMLError, ValueError) as error:
        # What a parser quotes of a file of secrets may be one.
        where = getattr(error, "problem_mark", None)
        line = f", line {where.line + 1}" if where is not None else ""
        raise FormatError(f"{name}: neither YAML nor JSON{line}") from None
    for each in documents:
        if each is None:
            continue
        if not isinstance(each, dict) or not isinstance(each.get("kind"), str):
            raise FormatError(f"{name}: kind is missing: this is no Kubernetes object")
        if each["kind"].endswith("List") and isinstance(each.get("items"), list):
            found += [item for item in each["items"] if isinstance(item, dict)]
        else:
            found.append(each)
    return found


def is_secret(value: Mapping[str, Any]) -> bool:
    """Whether this is a Secret, and not a sealed one."""
    return value.get("apiVersion") == "v1" and value.get("kind") == "Secret"


def secret(value: Mapping[str, Any], *, name: str) -> Secret:
    """Read a Secret. Raises FormatError that names file, Secret and field, never a value."""
    metadata = value.get("metadata") or {}
    called = metadata.get("name")
    if not isinstance(called, str) or not called:
        raise FormatError(f"{name}: metadata.name is missing of a Secret")
    where = f"{name}: Secret {called}"
    data: dict[str, bytes] = {}
    for key, encoded in _strings(value.get("data"), f"{where}: data").items():
        try:
            data[key] = base64.b64decode("".join(encoded.split()), validate=True)
        except (ValueError, binascii.Error):
            raise FormatError(f"{where}: data.{key} is not base64") from None
    for key, plain in _strings(value.get("stringData"), f"{where}: stringData").items():
        data[key] = plain.encode()
    if sum(map(len, data.values())) > MOST_BYTES:
        raise FormatError(f"{where}: more than {MOST_BYTES} bytes: the most that a Secret may hold")
    annotations = _strings(metadata.get("annotations"), f"{where}: metadata.annotations")
    # kubectl apply puts the whole Secret in there.
    annotations.pop(_LAST_APPLIED, None)
    return Secret(
        name=called,
        namespace=metadata.get("namespace") or None,
        data=data,
        type=value.get("type") or "Opaque",
        labels=_strings(metadata.get("labels"), f"{where}: metadata.labels"),
        annotations=annotations,
        immutable=value.get("immutable"),
    )


def written(values: Sequence[Mapping[str, Any]]) -> str:
    """YAML, a document for each."""
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 10**9
    text = io.StringIO()
    for index, each in enumerate(values):
        if index:
            text.write("---\n")
        yaml.dump(dict(each), text)
    return text.getvalue()


def listed(values: Iterable[Mapping[str, Any]]) -> Object:
    """One object that holds them all."""
    return {"apiVersion": "v1", "kind": "List", "items": list(values)}


def _strings(value: Any, where: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(
        isinstance(key, str) and isinstance(inner, str | None) for key, inner in value.items()
    ):
        raise FormatError(f"{where}: strings by name are expected")
    # What is written in Go has null for empty bytes.
    return {key: inner or "" for key, inner in value.items()}
