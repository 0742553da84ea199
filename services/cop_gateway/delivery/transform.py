"""What a sink's events say differently from the stored ones: access, groups, callsigns. Pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Transform:
    """Changes to each event; the default changes nothing.

    `groups` are those of a TAK server: they become `marti/dest` elements, by which it routes.
    """

    access: str | None = None
    caveat: str | None = None
    releasable_to: str | None = None
    groups: tuple[str, ...] = ()
    callsign_prefix: str = ""

    @property
    def is_none(self) -> bool:
        """Whether events stay as they are."""
        return self == Transform()

    def apply(self, event: str) -> str:
        """The event as this sink gets it."""
        if self.is_none:
            return event
        root = ET.fromstring(event)  # noqa: S314 - our own event, out of the outbox
        for name, value in (
            ("access", self.access),
            ("caveat", self.caveat),
            ("releasableTo", self.releasable_to),
        ):
            if value is not None:
                root.set(name, value)
        detail = root.find("detail")
        if detail is None:
            detail = ET.SubElement(root, "detail")
        contact = detail.find("contact")
        if self.callsign_prefix and contact is not None:
            contact.set("callsign", self.callsign_prefix + contact.get("callsign", ""))
        if self.groups:
            marti = ET.SubElement(detail, "marti")
            for group in self.groups:
                ET.SubElement(marti, "dest", group=group)
        return ET.tostring(root, encoding="unicode")
