"""Errors as answers: RFC 9457 problem documents, mapped from exceptions in this one place."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ExceptionHandler

from serving import identity
from serving.errors import ServingError
from sightline.messages import MessageError, Problem, encode
from sightline.messages.problem import MEDIA_TYPE
from telemetry import logs
from telemetry.redaction import SECRETS

log = logs.get("serving.problems")


class HttpProblem(ServingError):  # noqa: N818 - RFC 9457 calls it a problem
    """An answer that is an error: raise it anywhere below a request."""

    def __init__(
        self,
        *,
        status: int,
        type: str,  # noqa: A002 - the member's name in RFC 9457
        detail: str,
        title: str | None = None,
        field: str | None = None,
        limit: str | None = None,
        reason: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.type = type if type.startswith("/") else f"/problems/{type}"
        self.title = title or _title(self.type)
        self.detail = detail
        self.field = field
        self.limit = limit
        self.reason = reason
        self.headers = dict(headers or {})

    @property
    def slug(self) -> str:
        """The end of its type: one of few words, fit for a label."""
        return self.type.rpartition("/")[2]


def retry_after(seconds: float) -> dict[str, str]:
    """The header that tells a client when to come back: whole seconds, at least one."""
    return {"Retry-After": str(max(1, round(seconds)))}


def of_message_error(error: MessageError) -> HttpProblem:
    """A body that breaks the contract: 400 when it is not JSON at all, else 422."""
    if error.reason.startswith(("not JSON", "nested too deeply")):
        return HttpProblem(
            status=400, type="malformed-json", detail=str(error), field=error.field or None
        )
    return HttpProblem(
        status=422,
        type="invalid-message",
        detail=str(error),
        field=error.field or None,
        limit=error.limit,
    )


def of_http_exception(error: HTTPException, request: Request) -> HttpProblem:
    """What the router refuses: no such path, or not by this method."""
    status = error.status_code
    detail = error.detail
    headers = error.headers
    if status == HTTPStatus.NOT_FOUND:
        detail = f"there is nothing at {request.url.path}"
    elif status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = _allowed(request) or (headers or {}).get("Allow", "")
        headers = {**(headers or {}), "Allow": allowed}
        detail = f"{request.method} is not possible here" + (f"; {allowed} is" if allowed else "")
    title = HTTPStatus(status).phrase
    return HttpProblem(
        status=status,
        type=title.lower().replace(" ", "-"),
        title=title,
        detail=detail,
        headers=headers,
    )


def _allowed(request: Request) -> str:
    """Every method of this path: Starlette names those of the first of its routes only."""
    routes = getattr(request.scope.get("router"), "routes", ())
    here = [each for each in routes if each.matches(request.scope)[0] is not Match.NONE]
    return ", ".join(
        sorted({method for each in here for method in getattr(each, "methods", None) or ()})
    )


def internal() -> HttpProblem:
    """An error of ours: the log has the stack trace under the same request id."""
    return HttpProblem(
        status=500,
        type="internal-error",
        detail="something went wrong here; the log tells more under this instance",
    )


def document(problem: HttpProblem) -> Problem:
    """The problem document of the request at hand; it quotes no secret, whoever raised it."""
    return Problem(
        type=problem.type,
        title=problem.title,
        status=problem.status,
        detail=SECRETS.text(problem.detail),
        instance=identity.current.get(),
        field=_clean(problem.field),
        limit=_clean(problem.limit),
        reason=_clean(problem.reason),
    )


def _clean(text: str | None) -> str | None:
    return None if text is None else SECRETS.text(text)


def respond(problem: HttpProblem) -> Response:
    """The answer to the request at hand."""
    return Response(
        encode(document(problem)),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )


def handlers() -> dict[Any, ExceptionHandler]:
    """Starlette's exception handlers; any other exception is for `requests` to answer with 500."""

    # These are coroutines because Starlette would run plain functions in a thread.
    async def problem(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HttpProblem)
        if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.warning("refused", type=error.type, status=error.status, detail=error.detail)
        return respond(error)

    async def message_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, MessageError)
        return respond(of_message_error(error))

    async def http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return respond(of_http_exception(error, request))

    return {HttpProblem: problem, MessageError: message_error, HTTPException: http_exception}


def _title(type_: str) -> str:
    return type_.rsplit("/", 1)[-1].replace("-", " ").capitalize()
