"""The roles, and which of them includes which: the whole table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

Role = Literal["detect", "read", "operate"]
"""Send frames and detections; see events, tracks and sinks; pause, resume, retry, reload."""

ROLES: tuple[Role, ...] = get_args(Role)

INCLUDES: Mapping[Role, frozenset[Role]] = {
    "detect": frozenset({"detect"}),
    "read": frozenset({"read"}),
    "operate": frozenset({"operate", "read"}),
}
"""An operator sees what they operate. A camera that was stolen must not show the map: detect is
detect alone."""


def allows(held: Iterable[Role], needed: Role) -> bool:
    """Whether one of these roles is or includes the needed one."""
    return any(needed in INCLUDES[role] for role in held)
