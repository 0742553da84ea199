"""The contract as JSON Schema (2020-12), generated from the values themselves."""

from __future__ import annotations

import ast
import functools
import inspect
import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sightline.messages.detection import DetectionReport
from sightline.messages.frame import Frame
from sightline.messages.inference import BatchResult, DetectResult, ModelInfo, ModelList
from sightline.messages.problem import Problem
from sightline.messages.receipt import EventList, Receipt, Retraction
from sightline.messages.sink import DeadLetterList, Retry, SinkList

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "frame": Frame,
    "detection-report": DetectionReport,
    "receipt": Receipt,
    "detect-result": DetectResult,
    "batch-result": BatchResult,
    "model-list": ModelList,
    "model-info": ModelInfo,
    "event-list": EventList,
    "retraction": Retraction,
    "sink-list": SinkList,
    "dead-letter-list": DeadLetterList,
    "retry": Retry,
    "problem": Problem,
}
"""Every document that travels as a whole, by the name of its schema and of its golden examples."""


def json_schemas() -> dict[str, dict[str, Any]]:
    """Each document's JSON Schema."""
    found = {}
    for name, kind in DOCUMENTS.items():
        schema = msgspec.json.schema(kind)
        _explain([kind], schema["$defs"])
        found[name] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": name,
            **_cleaned(schema),
        }
    return found


def components(kinds: Sequence[Any], *, at: str) -> tuple[list[Any], dict[str, Any]]:
    """A schema for each of these types, and by name those of the structs that they refer to.

    `at` is where the latter will be found, such as `#/components/schemas/{name}`.
    """
    schemas, named = msgspec.json.schema_components(kinds, ref_template=at)
    _explain(kinds, named)
    return list(schemas), _cleaned(dict(sorted(named.items())))


@functools.cache
def meanings(kind: type[msgspec.Struct]) -> Mapping[str, str]:
    """By the name of a field on the wire: the string below it in the source, on one line."""
    names = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
    body = _classes(kind.__module__)[kind.__name__].body
    return {
        names[field.target.id]: " ".join(str(below.value.value).split())
        for field, below in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
    }


@functools.cache
def _classes(module: str) -> Mapping[str, ast.ClassDef]:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {each.name: each for each in tree.body if isinstance(each, ast.ClassDef)}


def _explain(kinds: Sequence[Any], named: Mapping[str, Any]) -> None:
    """Put the meaning of each field beside its schema, where that says none itself."""
    for kind in _structs(msgspec.inspect.multi_type_info(kinds), set()):
        properties = named[kind.__name__].get("properties", {})
        for name, meaning in meanings(kind).items():
            if name in properties:
                properties[name] = {"description": meaning, **properties[name]}


def _structs(
    nodes: Iterable[msgspec.inspect.Type], seen: set[type]
) -> Iterator[type[msgspec.Struct]]:
    """Every struct in these types, once."""
    for node in nodes:
        if isinstance(node, msgspec.inspect.StructType):
            if node.cls in seen:
                continue
            seen.add(node.cls)
            yield node.cls
            yield from _structs((field.type for field in node.fields), seen)
        elif isinstance(node, msgspec.inspect.UnionType):
            yield from _structs(node.types, seen)
        elif isinstance(node, msgspec.inspect.TupleType):
            yield from _structs(node.item_types, seen)
        elif isinstance(node, msgspec.inspect.VarTupleType | msgspec.inspect.ListType):
            yield from _structs((node.item_type,), seen)
        elif isinstance(node, msgspec.inspect.DictType):
            yield from _structs((node.value_type,), seen)
        elif isinstance(node, msgspec.inspect.Metadata):
            yield from _structs((node.type,), seen)


def _cleaned(schema: Any) -> Any:
    """Descriptions without their indentation, which Python keeps up to 3.12 and drops from 3.13."""
    if isinstance(schema, dict):
        return {
            name: inspect.cleandoc(value)
            if name == "description" and isinstance(value, str)
            else _cleaned(value)
            for name, value in schema.items()
        }
    return [_cleaned(each) for each in schema] if isinstance(schema, list | tuple) else schema
