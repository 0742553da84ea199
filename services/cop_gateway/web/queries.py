"""What the calls over HTTP share: numbers in queries, and answers."""

from __future__ import annotations

from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from serving.answers import NOT_KEPT, json_answer
from serving.problems import HttpProblem

MOST_SEQUENCE = 2**63 - 1
"""The largest place in the outbox."""

PLAIN = r"^[^\x00]*$"
"""What text in a query is: not every store can be asked for a NUL."""


def text(request: Request, name: str) -> str | None:
    """A text of the query; None where it is not there."""
    found = request.query_params.get(name)
    if found is not None and "\0" in found:
        raise bad(name, f"{found[:40]!r} has a NUL in it")
    return found


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


def moment(request: Request, name: str) -> datetime | None:
    """An aware time of the query; None where it is not there."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise bad(name, f"{text[:40]!r} is not a time such as 2026-11-25T10:00:00Z") from None
    if found.tzinfo is None:
        raise bad(name, f"{text[:40]!r} has no time zone: add Z or an offset")
    return found


def bounding_box(request: Request, name: str) -> tuple[float, float, float, float] | None:
    """South, west, north, east of west,south,east,north (RFC 7946); None where it is not there."""
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        raise bad(name, f"{text[:60]!r} is not west,south,east,north in degrees") from None
    if not (-90 <= south <= north <= 90 and -180 <= west <= 180 and -180 <= east <= 180):
        raise bad(
            name,
            f"{text[:60]!r} is no box: west,south,east,north",
            limit="-180..180, -90..90, south below north",
        )
    return south, west, north, east


def only(request: Request, names: tuple[str, ...]) -> None:
    """Refuse parameters that nobody reads: most likely they are misspelt."""
    for name in request.query_params:
        if name not in names:
            raise bad(name, f"is not a filter (known: {', '.join(names)})")


def bad(name: str, reason: str, *, limit: str | None = None) -> HttpProblem:
    """A parameter of the query is wrong."""
    return HttpProblem(
        status=422, type="invalid-query", detail=f"{name}: {reason}", field=name, limit=limit
    )


def answer(value: object) -> Response:
    """A message as JSON that nobody keeps."""
    return json_answer(value, headers=NOT_KEPT)
