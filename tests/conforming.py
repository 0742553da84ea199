"""Answers held against what a service says of itself: status, media type, headers, body."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from running import Answer

_HOME = "urn:api"
_OF_HTTP = {"content-type", "content-length", "date", "connection", "transfer-encoding"}
"""Headers that every answer may have, described or not."""


@dataclass(frozen=True)
class Call:
    """One described call; `where` is its place in the document."""

    method: str
    path: str
    where: tuple[str, ...]
    described: dict[str, Any]


class Description:
    """An OpenAPI document, asked about calls and answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document

    @cached_property
    def _registry(self) -> Registry[Any]:
        resource = Resource(contents=self.document, specification=DRAFT202012)
        return Registry().with_resource(_HOME, resource)

    def calls(self) -> Iterator[Call]:
        for path, methods in self.document["paths"].items():
            for method, described in methods.items():
                yield Call(method.upper(), path, ("paths", path, method), described)

    def call(self, method: str, path: str) -> Call:
        """The call that a request goes to; `path` may have a query, and names filled in."""
        plain = path.partition("?")[0]
        found = [
            call
            for call in self.calls()
            if call.method == ("GET" if method == "HEAD" else method)
            and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", call.path), plain)
        ]
        assert found, f"{method} {plain} is not described"
        return min(found, key=lambda call: call.path.count("{"))

    def at(self, *where: str) -> tuple[Any, tuple[str, ...]]:
        """What is there, and where it really is when that is a reference."""
        value = self.document
        for step in where:
            value = value[step]
        if "$ref" in value:
            return self.at(*_steps(value["$ref"]))
        return value, where

    def validate(self, value: Any, *where: str) -> None:
        """Hold a value against the schema that is there."""
        pointer = "/".join(step.replace("~", "~0").replace("/", "~1") for step in where)
        Draft202012Validator(
            {"$ref": f"{_HOME}#/{pointer}"},
            registry=self._registry,
            format_checker=FormatChecker(),
        ).validate(value)

    def examples(self) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Where the schema of each example is, and its value."""
        yield from self._examples(self.document, ())

    def _examples(
        self, value: Any, where: tuple[str, ...]
    ) -> Iterator[tuple[tuple[str, ...], Any]]:
        if isinstance(value, dict):
            if "schema" in value and isinstance(value.get("examples"), dict):
                for each in value["examples"].values():
                    yield (*where, "schema"), each["value"]
            elif "schema" in value and "example" in value:
                yield (*where, "schema"), value["example"]
            for name, part in value.items():
                yield from self._examples(part, (*where, name))

    def check(self, method: str, path: str, answer: Answer) -> None:
        """Fail unless this answer to this request is described, in all its parts."""
        call = self.call(method, path)
        status = str(answer.status)
        assert status in call.described["responses"], f"{method} {path}: {status} {answer.body!r}"
        response, where = self.at(*call.where, "responses", status)
        self._check_headers(answer, response, where)
        if method == "HEAD":
            assert answer.body == b""
            return
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in response["content"], f"{method} {path}: {status} as {media_type}"
        media, at = response["content"][media_type], (*where, "content", media_type)
        self.validate(_read(media_type, answer.body), *at, "schema")
        for item in _items(media_type, answer.body) if "x-item-schema" in media else ():
            self.validate(item, *at, "x-item-schema")

    def _check_headers(
        self, answer: Answer, response: dict[str, Any], where: tuple[str, ...]
    ) -> None:
        sent = {name.lower(): value for name, value in answer.headers.items()}
        described = {name.lower(): name for name in response["headers"]}
        assert sent.keys() - described.keys() <= _OF_HTTP
        for lower, name in described.items():
            header, at = self.at(*where, "headers", name)
            if lower in sent:
                wants = header["schema"].get("type")
                value = int(sent[lower]) if wants == "integer" else sent[lower]
                self.validate(value, *at, "schema")
            else:
                assert not header["required"], f"{name} is missing"


def _steps(reference: str) -> list[str]:
    return [
        step.replace("~1", "/").replace("~0", "~")
        for step in reference.removeprefix("#/").split("/")
    ]


def _read(media_type: str, body: bytes) -> Any:
    """The body as its schema sees it."""
    if media_type.endswith("json") and "nd" not in media_type:
        return json.loads(body)
    if media_type.endswith("xml"):
        ET.fromstring(body)
    return body.decode()


def _items(media_type: str, body: bytes) -> Iterator[Any]:
    """Each message of a stream."""
    for line in body.decode().splitlines():
        if media_type != "text/event-stream":
            yield json.loads(line)
        elif line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))
