"""The record of switches: what the ConfigMap `sightline-colours` holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from sightline.colours.colour import COLOURS, Colour, Component, Fact
from sightline.colours.receipt import Receipt

NAME = "sightline-colours"
MOST_RECEIPTS = 20


class Intent(Fact, frozen=True, kw_only=True):
    """A switch that is under way; or was, if whoever made it died."""

    id: str
    from_: Colour
    to: Colour
    components: tuple[Component, ...]
    who: str
    began: datetime
    until: datetime
    """By then it is over, or its maker is dead."""
    floors: dict[str, int] = msgspec.field(default_factory=dict)
    """By autoscaler: the minimum before this switch raised it."""


class Record(Fact, frozen=True, kw_only=True):
    """What is known of switches; empty before the first."""

    active: Colour | None = None
    previous: Colour | None = None
    receipts: tuple[Receipt, ...] = ()
    """The newest last."""
    intent: Intent | None = None
    broken: str | None = None
    """What of it could not be read, and was left out."""
    resource_version: str | None = None
    """Of the ConfigMap; None where there is none."""

    @property
    def floors(self) -> dict[str, int]:
        """Minima that are to be put back."""
        return {} if self.intent is None else self.intent.floors

    def with_receipt(self, receipt: Receipt) -> Record:
        """The switch is over: `receipt` says how."""
        return msgspec.structs.replace(
            self, receipts=(*self.receipts, receipt)[-MOST_RECEIPTS:], intent=None
        )


def read(data: Mapping[str, str], resource_version: str | None) -> Record:
    """What a ConfigMap's data says. What cannot be read is left out, and `broken` says so.

    A rollback must not fail because somebody edited a ConfigMap.
    """
    broken: list[str] = []
    receipts: tuple[Receipt, ...] = ()
    intent: Intent | None = None
    if data.get("receipts"):
        try:
            receipts = msgspec.json.decode(data["receipts"], type=tuple[Receipt, ...])
        except msgspec.DecodeError as error:
            broken.append(f"receipts: {error}")
    if data.get("intent"):
        try:
            intent = msgspec.json.decode(data["intent"], type=Intent)
        except msgspec.DecodeError as error:
            broken.append(f"intent: {error}")
    return Record(
        active=_colour(data, "active", broken),
        previous=_colour(data, "previous", broken),
        receipts=receipts,
        intent=intent,
        broken=f"ConfigMap {NAME}: {'; '.join(broken)}" if broken else None,
        resource_version=resource_version,
    )


def _colour(data: Mapping[str, str], name: str, broken: list[str]) -> Colour | None:
    found = data.get(name)
    for colour in COLOURS:
        if found == colour:
            return colour
    if found:
        broken.append(f"{name}: {found!r} is not one of {', '.join(COLOURS)}")
    return None


def written(record: Record) -> dict[str, str]:
    """A record as a ConfigMap's data."""
    data = {"receipts": msgspec.json.encode(record.receipts).decode()}
    if record.active is not None:
        data["active"] = record.active
    if record.previous is not None:
        data["previous"] = record.previous
    if record.intent is not None:
        data["intent"] = msgspec.json.encode(record.intent).decode()
    return data
