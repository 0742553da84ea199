"""A Cursor on Target event and its XML.

Source: MITRE MTR-04B0000 (CoT), the field's rules as TAK clients read them: hae above the WGS84
ellipsoid, ce and le the radius and half-height that hold 90 % (see docs/decisions/0004), uid the
tracked object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cop_gateway.cot.xml import attributes, degrees, escape, metres, timestamp


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """Where: WGS84 degrees, metres above the ellipsoid; None is unknown."""

    latitude: float
    longitude: float
    hae: float | None
    ce: float | None
    le: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """Attributes of the event itself. Source: MITRE Event.xsd."""

    access: str = "Undefined"
    """Who may see it, in words of the operation."""
    qos: str | None = None
    """Priority 0..9, overtaking (r, f or i) and assurance (g, d or c), such as 5-r-d."""
    opex: str | None = None
    """o for operations, e-NAME for an exercise, s-NAME for a simulation."""

    @property
    def xml(self) -> str:
        """The attributes with a leading space each."""
        given = {"access": self.access, "qos": self.qos, "opex": self.opex}
        return attributes({name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True, kw_only=True, slots=True)
class CotEvent:
    """One event. `detail` maps element names to their attributes; `remarks` is for people.

    `marks` is what every event of an operation says alike: access, quality of service, exercise.
    """

    uid: str
    type: str
    how: str
    time: datetime
    stale: datetime
    point: Point
    detail: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    remarks: str = ""
    marks: Marks = Marks()


def to_xml(event: CotEvent) -> str:
    """The event as one line of XML without a declaration, as a TAK stream carries it."""
    when = timestamp(event.time)
    point = event.point
    detail = "".join(f"<{name}{attributes(values)}/>" for name, values in event.detail.items())
    remarks = f"<remarks>{escape(event.remarks)}</remarks>" if event.remarks else ""
    return (
        f'<event version="2.0" uid="{escape(event.uid)}" type="{escape(event.type)}"'
        f' how="{event.how}" time="{when}" start="{when}" stale="{timestamp(event.stale)}"'
        f"{event.marks.xml}>"
        f'<point lat="{degrees(point.latitude)}" lon="{degrees(point.longitude)}"'
        f' hae="{metres(point.hae)}" ce="{metres(point.ce)}" le="{metres(point.le)}"/>'
        f"<detail>{detail}{remarks}</detail></event>"
    )
