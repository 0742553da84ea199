"""What a call answers, in an OpenAPI document: its replies, and whatever it refuses. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from serving.openapi.operation import Content, ErrorBody, Header, Refusal, Reply
from serving.openapi.schemas import Schemas
from serving.problems import HttpProblem
from serving.problems import document as problem_document
from sightline.messages import Problem
from sightline.messages.problem import MEDIA_TYPE

_INSTANCE = "0f3a9d2e6b7c4d1f8a5e3c2b1d0f9e8a"


def responses_of(
    replies: Iterable[Reply],
    refusals: Sequence[Refusal],
    error: ErrorBody | None,
    schemas: Schemas,
) -> dict[str, Any]:
    """Every answer by its status; `error` says how refusals are written."""
    found: dict[str, Any] = {
        str(reply.status): {
            "description": reply.meaning,
            "headers": _headers(reply.headers, schemas),
            "content": contents_of(reply.contents, schemas),
        }
        for reply in replies
    }
    for status in sorted({refusal.status for refusal in refusals}):
        group = [refusal for refusal in refusals if refusal.status == status]
        problem = _refused(status, group, error, schemas)
        other = found.get(str(status))
        if other is not None:
            problem["description"] = f"{other['description']}\n\n{problem['description']}"
            for name, header in other["headers"].items():
                if name != "X-Request-Id":
                    problem["headers"][name] = {**header, "required": False}
            for media_type, content in other["content"].items():
                there = problem["content"].setdefault(media_type, content)
                there["examples"] = {**content.get("examples", {}), **there.get("examples", {})}
        found[str(status)] = problem
    return found


def _refused(
    status: int, group: Sequence[Refusal], error: ErrorBody | None, schemas: Schemas
) -> dict[str, Any]:
    """All refusals of one status. What may be the same type for several reasons is told once."""
    types = list(dict.fromkeys(refusal.type for refusal in group))
    lines = []
    for type_ in types:
        reasons = dict.fromkeys(refusal.meaning for refusal in group if refusal.type == type_)
        named = "" if error is not None else f"`/problems/{type_}`: "
        lines.append(f"- {named}{' '.join(reasons)}")
    headers = {header.name: header for refusal in group for header in refusal.headers}
    always = {
        name: all(name in {each.name for each in refusal.headers} for refusal in group)
        for name in headers
    }
    return {
        "description": "\n".join(lines),
        "headers": {
            "X-Request-Id": {"$ref": "#/components/headers/RequestId"},
            **{
                name: header_of(header, schemas, always=always[name] and header.always)
                for name, header in headers.items()
            },
        },
        "content": _problems(status, group, schemas)
        if error is None
        else {
            error.media_type: {
                "schema": schemas.of(error.schema),
                "examples": {
                    each.type: {"value": msgspec.to_builtins(error.of(each.detail or each.meaning))}
                    for each in group
                },
            }
        },
    }


def _problems(status: int, group: Sequence[Refusal], schemas: Schemas) -> dict[str, Any]:
    """Problem documents of one status."""
    first = {each.type: each for each in reversed(group)}
    types = list(dict.fromkeys(each.type for each in group))
    return {
        MEDIA_TYPE: {
            "schema": {
                "allOf": [schemas.of(Problem)],
                "properties": {
                    "type": {"enum": [f"/problems/{type_}" for type_ in types]},
                    "status": {"const": status},
                },
            },
            "examples": {type_: {"value": _example(first[type_])} for type_ in types},
        }
    }


def _example(refusal: Refusal) -> Any:
    problem = problem_document(
        HttpProblem(
            status=refusal.status,
            type=refusal.type,
            detail=refusal.detail or refusal.meaning,
            field=refusal.field,
            limit=refusal.limit,
        )
    )
    return msgspec.to_builtins(msgspec.structs.replace(problem, instance=_INSTANCE))


def contents_of(contents: Iterable[Content], schemas: Schemas) -> dict[str, Any]:
    """Bodies by their media types."""
    found: dict[str, Any] = {}
    for content in contents:
        media = found[content.media_type] = {"schema": schemas.of(content.schema)}
        if content.item is not None:
            # OpenAPI 3.2 has itemSchema for this; 3.1 has no word for it.
            media["x-item-schema"] = schemas.of(content.item)
        if content.part_types:
            media["encoding"] = {
                part: {"contentType": kind} for part, kind in content.part_types.items()
            }
        if content.examples:
            media["examples"] = {
                _key(name): {"summary": name, "value": msgspec.to_builtins(value)}
                for name, value in content.examples.items()
            }
    return found


def _headers(headers: Iterable[Header], schemas: Schemas) -> dict[str, Any]:
    return {
        "X-Request-Id": {"$ref": "#/components/headers/RequestId"},
        **{each.name: header_of(each, schemas, always=each.always) for each in headers},
    }


def header_of(header: Header, schemas: Schemas, *, always: bool) -> dict[str, Any]:
    """One header of an answer."""
    return {
        "description": header.meaning,
        "required": always,
        "schema": schemas.of(header.schema),
    }


def _key(name: str) -> str:
    """A component's key: letters, digits and `.-_` only."""
    return "-".join(re.findall("[a-z0-9]+", name.lower()))
