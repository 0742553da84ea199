"""GET /v1/openapi.json: the description of the service that answers."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.answers import NOT_KEPT
from serving.openapi.operation import Operation, Operations, json_reply
from serving.openapi.refusals import NO_STORE
from sightline.messages import encode

PATH = "/v1/openapi.json"

OPERATIONS: Operations = {
    ("GET", PATH): Operation(
        name="describeApi",
        tag="service",
        summary="This document",
        text="Every call of this service as OpenAPI 3.1. It holds no secret and loads nothing.",
        replies=(json_reply({"type": "object"}, "The document.", headers=(NO_STORE,)),),
    )
}


def routes(describe: Callable[[], Mapping[str, Any]]) -> list[Route]:
    """Where it is found. It is written when somebody first asks, not while the service starts."""

    @functools.cache
    def written() -> bytes:
        return encode(describe())

    async def show(_request: Request) -> Response:
        body = await asyncio.to_thread(written)
        return Response(body, media_type="application/json", headers=NOT_KEPT)

    return [Route(PATH, show, methods=["GET"])]
