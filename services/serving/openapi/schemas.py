"""The schemas of every type in an API, each written once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from serving.openapi.operation import Api
from sightline.messages import Problem
from sightline.messages.schema import components

_AT = "#/components/schemas/{name}"


class Schemas:
    """What stands for each type of an API, and what that refers to (`components`)."""

    def __init__(self, api: Api) -> None:
        kinds = list(dict.fromkeys([Problem, *_kinds(api)]))
        references, self.components = components(kinds, at=_AT)
        self._references = dict(zip(kinds, references, strict=True))

    def of(self, schema: Any) -> Any:
        """The schema with a reference wherever a type stands in it."""
        if isinstance(schema, Mapping):
            return {name: self.of(each) for name, each in schema.items()}
        if isinstance(schema, list | tuple):
            return [self.of(each) for each in schema]
        if schema is None or isinstance(schema, str | int | float):
            return schema
        return self._references[schema]


def _kinds(api: Api) -> Iterator[Any]:
    """Every type that stands in a schema."""
    for operation in api.operations.values():
        contents = [
            *operation.body,
            *(part for each in operation.replies for part in each.contents),
        ]
        headers = [part for each in operation.replies for part in each.headers]
        headers += [part for each in operation.refusals for part in each.headers]
        for schemas in (
            [each.schema for each in operation.parameters],
            [each.schema for each in contents],
            [each.item for each in contents],
            [each.schema for each in headers],
        ):
            yield from _types(schemas)


def _types(schema: Any) -> Iterator[Any]:
    if isinstance(schema, Mapping):
        schema = list(schema.values())
    if isinstance(schema, list | tuple):
        for each in schema:
            yield from _types(each)
    elif schema is not None and not isinstance(schema, str | int | float):
        yield schema
