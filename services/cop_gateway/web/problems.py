"""How an error of the store is answered when a call reads or changes something in it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from cop_gateway.outbox.errors import StoreFailedError
from serving.problems import HttpProblem, respond, retry_after
from telemetry import logs

_RETRY_SECONDS = 1.0

log = logs.get("cop_gateway.web.problems")


def handlers() -> dict[type[Exception], ExceptionHandler]:
    """Starlette's exception handlers for this package's errors."""

    async def store_failed(_request: Request, error: Exception) -> Response:
        log.warning("store failed", error=str(error))
        return respond(
            HttpProblem(
                status=503,
                type="store-unavailable",
                detail=str(error),
                headers=retry_after(_RETRY_SECONDS),
            )
        )

    return {StoreFailedError: store_failed}
