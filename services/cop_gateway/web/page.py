"""GET /: the latest tracks as a plain page. It loads nothing from anywhere else."""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def routes() -> list[Route]:
    """Where it is found."""
    page = files("cop_gateway.web").joinpath("page.html").read_bytes()

    async def show(_request: Request) -> Response:
        return Response(page, media_type="text/html", headers=_HEADERS)

    return [Route("/", show, methods=["GET"])]
