"""The base of every value on the wire, and the plain kinds that they share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

Identifier = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@/+-]*$",
        description="letters, digits and ._:@/+-, beginning with a letter or a digit",
    ),
]
ClassName = Annotated[
    str,
    # PostgreSQL cannot hold a NUL.
    Meta(min_length=1, max_length=64, pattern=r"^[^\x00]*$", description="any text without NUL"),
]
Timestamp = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset")]
Confidence = Annotated[float, Meta(ge=0, le=1)]
PixelCount = Annotated[int, Meta(ge=1, le=65_536)]
PixelCoordinate = Annotated[float, Meta(ge=-65_536, le=131_072, description="pixels")]
Latitude = Annotated[float, Meta(ge=-90, le=90, description="WGS84 degrees, north positive")]
Longitude = Annotated[float, Meta(ge=-180, le=180, description="WGS84 degrees, east positive")]


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a sender states: an unknown field is an error, most likely a misspelt one."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a service answers: readers ignore fields that they do not know, so that it can grow."""
