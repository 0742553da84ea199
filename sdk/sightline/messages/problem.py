"""Errors on the wire: RFC 9457 problem documents (application/problem+json)."""

from __future__ import annotations

import msgspec

from sightline.messages.value import Answer

MEDIA_TYPE = "application/problem+json"


class Problem(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, for people (`detail`) and for programs (`type`, `field`, `limit`)."""

    type: str
    """Stable and relative, such as /problems/invalid-message."""
    title: str
    status: int
    detail: str
    instance: str | None = None
    """The request's id, as in the logs."""
    field: str | None = None
    limit: str | None = None
    reason: str | None = msgspec.field(default=None)
