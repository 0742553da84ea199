"""What the parts that all services share refuse, for the descriptions of the calls behind them."""

from __future__ import annotations

from serving.openapi.operation import Header, Refusal

NO_STORE = Header(name="Cache-Control", meaning="Nobody may keep it: `no-store`.")
RETRY_AFTER = Header(
    name="Retry-After",
    meaning="Seconds after which to ask again.",
    schema={"type": "integer", "minimum": 1},
)
WWW_AUTHENTICATE = Header(name="WWW-Authenticate", meaning='`Bearer realm="sightline"`.')

UNAUTHORIZED = Refusal(
    status=401,
    type="unauthorized",
    meaning="Nobody knows who asks: no key or token, a wrong one, or one that has ended.",
    detail="an API key or a token is needed",
    headers=(WWW_AUTHENTICATE,),
)
TOO_MANY_FAILURES = Refusal(
    status=429,
    type="too-many-failures",
    meaning="Too many wrong keys or tokens came from this address. A right one is still let in.",
    detail="too many wrong keys or tokens came from this address",
    headers=(RETRY_AFTER,),
)
FORBIDDEN = Refusal(
    status=403,
    type="forbidden",
    meaning="It is known who asks, and they do not have the role.",
    detail="viewer has not the role operate (roles: read)",
)
TOO_MANY_REQUESTS = Refusal(
    status=429,
    type="too-many-requests",
    meaning="This client asks more often than the settings allow.",
    detail="drone-7 may ask 50 times a second on average",
    limit="50 a second",
    headers=(RETRY_AFTER,),
)
ACCESS = (UNAUTHORIZED, FORBIDDEN, TOO_MANY_REQUESTS, TOO_MANY_FAILURES)
"""Of every call that takes a role."""

NOT_FOUND = Refusal(
    status=404,
    type="not-found",
    meaning="No call has this path: a name in it is empty or has a slash in it.",
    detail="there is nothing at /v1/nothing",
)
INTERNAL_ERROR = Refusal(
    status=500,
    type="internal-error",
    meaning="A defect of the service; its log tells more under this `instance`.",
    detail="something went wrong here; the log tells more under this instance",
)

BODY = (
    Refusal(
        status=400,
        type="bad-request",
        meaning="Content-Length is not a number of bytes.",
        detail="Content-Length: '1e3' is not a number of bytes",
        field="Content-Length",
    ),
    Refusal(
        status=408,
        type="request-timeout",
        meaning="The body did not arrive in time.",
        detail="body: did not arrive within 60 seconds",
        field="body",
        limit="60 s",
        headers=(Header(name="Connection", meaning="`close`: this connection ends."),),
    ),
    Refusal(
        status=413,
        type="payload-too-large",
        meaning="The body is longer than the settings allow.",
        detail="body: is 9000000 bytes long; at most 8388608 bytes are taken",
        field="body",
        limit="8388608 bytes",
    ),
)
"""Of every call that reads a body."""

MESSAGE = (
    Refusal(
        status=400,
        type="malformed-json",
        meaning="It is not JSON, or nested too deeply.",
        detail="body: not JSON: unexpected character (byte 1)",
        field="body",
    ),
    Refusal(
        status=422,
        type="invalid-message",
        meaning="It is JSON, and not this message: `field` and `limit` say what is wrong.",
        detail="frame.sensor.attitude.pitch: -95 is outside -90..90",
        field="frame.sensor.attitude.pitch",
        limit="-90..90",
    ),
)
"""Of every call that reads a message."""
