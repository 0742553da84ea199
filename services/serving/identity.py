"""The id of a request: the caller's own where it is sane, echoed, logged and sent on."""

from __future__ import annotations

import random
import re
from contextvars import ContextVar

from telemetry.redaction import SECRETS

HEADER = "x-request-id"

_random = random.Random()  # noqa: S311 - seeded by the operating system, and no secret

_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/+=-]{0,127}", re.ASCII)

current: ContextVar[str | None] = ContextVar("sightline_request_id", default=None)
"""The id of the request that this task works for."""


def accepted(header: str | None) -> str:
    """The caller's id, or a new one where there is none, it is a secret or could corrupt a log."""
    if header is not None and _SANE.fullmatch(header) and SECRETS.text(header) == header:
        return header
    # Unique, and no secret: the operating system need not be asked for each.
    return f"{_random.getrandbits(128):032x}"
