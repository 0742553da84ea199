"""What several calls of the gateway refuse, and how they say that they had answered before."""

from __future__ import annotations

from serving.openapi import Header, Refusal
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
NO_SUCH_TRACK = Refusal(
    status=404,
    type="no-such-track",
    meaning="Nothing was seen of it, or too long ago to be kept.",
    detail="nothing was seen of 'sightline-2f1d'",
)
COMMIT = (
    Refusal(
        status=503,
        type="busy",
        meaning="Too much waits for its commit, or the gateway is stopping.",
        detail="1024 frames wait already (limit 1024)",
        headers=(RETRY_AFTER,),
    ),
    Refusal(
        status=503,
        type="not-stored",
        meaning="The commit failed. Nothing was stored; ask again.",
        detail="nothing was stored: the store could not commit: database is locked",
        headers=(RETRY_AFTER,),
    ),
)
"""Of every call that is answered once it is committed."""

DUPLICATE = Header(
    name="Sightline-Duplicate",
    meaning="`true` when it had been committed before; the answer is the same.",
    schema={"const": "true"},
    always=False,
)
