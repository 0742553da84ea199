"""Answers in JSON."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from sightline.messages import encode

NOT_KEPT = {"Cache-Control": "no-store"}
"""Nobody may keep it."""


def json_answer(
    body: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Any message, or list of them."""
    return Response(
        encode(body), status_code=status, media_type="application/json", headers=headers
    )
