"""What is said of one call: what it takes, what it answers, what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Schema = Any
"""A type that msgspec knows, or a JSON Schema; types may stand anywhere within a schema."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """Something in the path, the query or the head of a request."""

    name: str
    meaning: str
    schema: Schema
    where: Literal["path", "query", "header"] = "query"
    required: bool = False
    example: Any = None
    exploded: bool = True
    """Whether a list repeats the name; else its values stand in one, with commas between."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """A header of an answer."""

    name: str
    meaning: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})
    always: bool = True
    """Whether every such answer has it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """A body of one media type."""

    media_type: str
    schema: Schema
    item: Schema = None
    """Of each line, or of each event's data, where the body is a stream of messages."""
    examples: Mapping[str, Any] = field(default_factory=dict)
    """By what they show; messages, or plain JSON, or text."""
    part_types: Mapping[str, str] = field(default_factory=dict)
    """Of a form: the media type of each part."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An answer to what was asked, in each of the media types in which it can be had."""

    meaning: str
    contents: tuple[Content, ...]
    status: int = 200
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """An answer that is a problem document (RFC 9457)."""

    status: int
    type: str
    """Without the `/problems/` that all have."""
    meaning: str
    detail: str = ""
    """An example of the sentence; the meaning where there is none."""
    field: str | None = None
    limit: str | None = None
    headers: tuple[Header, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ErrorBody:
    """How a call writes what it refuses, where that is no problem document."""

    schema: Schema
    of: Callable[[str], Any]
    """The body with this sentence in it."""
    media_type: str = "application/json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One call. What every call has in common is not said again: request ids, access, defects."""

    name: str
    """Unique, for those who generate clients: listEvents."""
    tag: str
    summary: str
    replies: tuple[Reply, ...]
    text: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: tuple[Content, ...] = ()
    body_required: bool = True
    refusals: tuple[Refusal, ...] = ()
    error: ErrorBody | None = None
    """Instead of a problem document, for whatever is refused."""
    shows_key: bool = False
    """Whether a key must be shown although no role is asked for."""


Operations = Mapping[tuple[str, str], Operation]
"""By method and route."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Api:
    """All calls of one service."""

    title: str
    text: str
    tags: Mapping[str, str]
    operations: Operations


def whole_number(low: int, high: int, *, default: int | None = None) -> dict[str, Any]:
    """The schema of a whole number from low to high."""
    schema: dict[str, Any] = {"type": "integer", "minimum": low, "maximum": high}
    if high > 2**31:
        schema["format"] = "int64"
    return schema if default is None else {**schema, "default": default}


def json_reply(
    schema: Schema,
    meaning: str,
    *,
    examples: Mapping[str, Any] | None = None,
    status: int = 200,
    headers: tuple[Header, ...] = (),
) -> Reply:
    """An answer that can be had as JSON only."""
    content = Content(media_type="application/json", schema=schema, examples=examples or {})
    return Reply(meaning=meaning, contents=(content,), status=status, headers=headers)
