"""What several calls of the gateway refuse."""

from __future__ import annotations

from serving.openapi import Refusal
from serving.openapi.refusals import RETRY_AFTER

INVALID_QUERY = Refusal(
    status=422,
    type="invalid-query",
    meaning="A parameter is unknown or wrong; `field` names it.",
    detail="limit: 5000 is outside 1..1000",
    field="limit",
    limit="1..1000",
)
STORE_UNAVAILABLE = Refusal(
    status=503,
    type="store-unavailable",
    meaning="The store cannot be read or written now.",
    detail="the store could not read the history: couldn't get a connection after 5.00 sec",
    headers=(RETRY_AFTER,),
)
