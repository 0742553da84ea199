"""The OpenAPI 3.1 document of an API (OpenAPI Specification 3.1.1). Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from access import ROLES, Role
from access.roles import INCLUDES
from serving.openapi.answers import contents_of, header_of, responses_of
from serving.openapi.operation import Api, Header, Operation, Parameter
from serving.openapi.refusals import ACCESS, INTERNAL_ERROR, NOT_FOUND
from serving.openapi.schemas import Schemas
from sightline.messages import VERSION

RoleOf = Callable[[str, str], Role | None]
"""Method and route → the role that the call takes."""


_ABOUT = """

**Access.** Where keys are configured, show an API key or a token: `Authorization: Bearer ...` or
`X-Api-Key: ...`. Each call says which role it takes. What those may do who show nothing is a
setting; on one machine and without keys, everything.

**Errors** are problem documents (RFC 9457, `application/problem+json`). Programs go by `type`,
which is stable, and by `field` and `limit`; `instance` is the request's id, as in the log. A path
that does not exist answers 404 `/problems/not-found`, another method than those here 405
`/problems/method-not-allowed` with `Allow`; what is not HTTP at all, 400 and a line of text.

Every `GET` answers `HEAD` as well. An answer may grow: ignore fields that you do not know. An
unknown field in a request is an error.
"""

_REQUEST_ID = Parameter(
    name="X-Request-Id",
    where="header",
    meaning="The request's id: echoed, logged and sent on. There is a new one where none is sent,"
    " or one of more than 128 characters, or of others than letters, digits and `._:@/+=-`.",
    schema={"type": "string"},
)
_TRACEPARENT = Parameter(
    name="traceparent",
    where="header",
    meaning="W3C Trace Context: logged and sent on, and kept in the audit trail.",
    schema={"type": "string"},
    example="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
_ECHO = Header(name="X-Request-Id", meaning="The request's id, as in the log.")


def document(api: Api, role: RoleOf) -> dict[str, Any]:
    """The whole document; `role` is the guard's."""
    schemas = Schemas(api)
    paths: dict[str, dict[str, Any]] = {}
    for (method, path), operation in api.operations.items():
        described = _operation(operation, path, role(method, path), schemas)
        paths.setdefault(path, {})[method.lower()] = described
    return {
        "openapi": "3.1.1",
        "info": {
            "title": api.title,
            "description": api.text.strip() + _ABOUT,
            "version": str(VERSION),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document was found."}],
        "tags": [{"name": name, "description": text} for name, text in api.tags.items()],
        "paths": paths,
        "components": {
            "responses": _shared(paths),
            "parameters": {
                "RequestId": _parameter(_REQUEST_ID, schemas),
                "Traceparent": _parameter(_TRACEPARENT, schemas),
            },
            "headers": {"RequestId": header_of(_ECHO, schemas, always=True)},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "API key (sl_...) or JWT",
                    "description": "An API key, a token of `POST /v1/auth/token`, or a token of the"
                    " configured identity provider.",
                },
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Api-Key",
                    "description": "The same in a header of its own; it goes before the other.",
                },
            },
            "schemas": schemas.components,
        },
    }


def _operation(
    operation: Operation, path: str, role: Role | None, schemas: Schemas
) -> dict[str, Any]:
    parameters = [_parameter(each, schemas) for each in operation.parameters]
    parameters += [
        {"$ref": f"#/components/parameters/{name}"} for name in ("RequestId", "Traceparent")
    ]
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": "\n\n".join(
            part for part in (operation.text.strip(), _who(role, operation)) if part
        ),
        "security": _security(role, operation),
        "parameters": parameters,
    }
    if operation.body:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": contents_of(operation.body, schemas),
        }
    refusals = (
        *operation.refusals,
        *((NOT_FOUND,) if "{" in path else ()),
        *(ACCESS if role is not None else ()),
        INTERNAL_ERROR,
    )
    responses = responses_of(operation.replies, refusals, operation.error, schemas)
    described["responses"] = dict(sorted(responses.items()))
    return described


def _who(role: Role | None, operation: Operation) -> str:
    if role is None:
        return "" if operation.shows_key else "Role: none; everybody may."
    others = [each for each in ROLES if each != role and role in INCLUDES[each]]
    return f"Role: `{role}`" + "".join(f" (`{other}` includes it)" for other in others) + "."


def _security(role: Role | None, operation: Operation) -> list[dict[str, list[str]]]:
    if role is None and not operation.shows_key:
        return []
    roles: list[str] = [] if role is None else [role]
    return [{"bearer": roles}, {"apiKey": roles}]


def _parameter(parameter: Parameter, schemas: Schemas) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.where,
        "description": parameter.meaning,
        "required": parameter.required or parameter.where == "path",
        "schema": schemas.of(parameter.schema),
        **({} if parameter.exploded else {"style": "form", "explode": False}),
        **({} if parameter.example is None else {"example": parameter.example}),
    }


def _shared(paths: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Answers that several calls give alike, moved out of `paths`: for each status the most usual.

    Without it half of the document would be the same four answers about keys.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for responses in _all_responses(paths):
        counts.update((status, json.dumps(each)) for status, each in responses.items())
    named: dict[str, Any] = {}
    for (status, text), count in counts.most_common():
        name = f"Problem{status}"
        if count < 3 or name in named:
            continue
        named[name] = json.loads(text)
        for responses in _all_responses(paths):
            if json.dumps(responses.get(status)) == text:
                responses[status] = {"$ref": f"#/components/responses/{name}"}
    return dict(sorted(named.items()))


def _all_responses(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for methods in paths.values():
        for operation in methods.values():
            yield operation["responses"]
