"""What the calls over HTTP share: numbers in queries, and answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from serving.problems import HttpProblem
from sightline.messages import encode


def number(request: Request, name: str, low: int, high: int) -> int | None:
    """A whole number of the query; None where it is not there."""
    text = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise bad(name, f"{text[:40]!r} is not a whole number")
    if not low <= int(text) <= high:
        raise bad(name, f"{int(text)} is outside {low}..{high}", limit=f"{low}..{high}")
    return int(text)


def bad(name: str, reason: str, *, limit: str | None = None) -> HttpProblem:
    """A parameter of the query is wrong."""
    return HttpProblem(
        status=422, type="invalid-query", detail=f"{name}: {reason}", field=name, limit=limit
    )


def answer(value: object) -> Response:
    """A message as JSON that nobody keeps."""
    return Response(
        encode(value), media_type="application/json", headers={"Cache-Control": "no-store"}
    )
