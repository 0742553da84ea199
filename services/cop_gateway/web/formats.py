"""Sightings as other programs read them: GeoJSON, KML, CSV and CoT. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from cop_gateway.cot.xml import escape
from sightline.messages import Event

GEOJSON, KML, CSV, COT, JSON = (
    "application/geo+json",
    "application/vnd.google-earth.kml+xml",
    "text/csv",
    "application/xml",
    "application/json",
)
NAMES = {"json": JSON, "geojson": GEOJSON, "kml": KML, "csv": CSV, "cot": COT}

COLUMNS = (
    "sequence", "uid", "cot_type", "class", "confidence", "camera_id", "frame_id", "index",
    "captured_at", "committed_at", "latitude", "longitude", "hae", "ce90_m", "le90_m", "flag",
    "course", "speed_mps",
)  # fmt: skip
"""Of a table."""
PROPERTIES = tuple(name for name in COLUMNS if name not in ("latitude", "longitude", "hae"))
"""Of a GeoJSON feature: what its geometry does not say."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_KML_COLOURS = {"GREEN": "ff34a853", "YELLOW": "ff00c8ff", "RED": "ff2222cc"}
"""aabbggrr."""


def wanted(accept: str, name: str | None) -> str | None:
    """The media type that is asked for: by name, else the first known one of an Accept header."""
    if name is not None:
        return NAMES.get(name)
    for part in accept.split(","):
        kind = part.partition(";")[0].strip().lower()
        if kind in NAMES.values():
            return kind
    return JSON


def geojson(events: Sequence[Event]) -> str:
    """A FeatureCollection (RFC 7946): longitude, latitude, metres above the ellipsoid."""
    features = [
        {
            "type": "Feature",
            "id": event.sequence,
            "geometry": {
                "type": "Point",
                "coordinates": [
                    event.position.longitude, event.position.latitude, event.position.hae,
                ],
            },
            "properties": _row(event),
        }
        for event in events
    ]  # fmt: skip
    return json.dumps(
        {"type": "FeatureCollection", "features": features},
        ensure_ascii=False,
        separators=(",", ":"),
    )


def kml(events: Sequence[Event]) -> str:
    """A document of placemarks, on the ground: KML knows no heights above the ellipsoid."""
    styles = "".join(
        f'<Style id="{flag}"><IconStyle><color>{colour}</color></IconStyle></Style>'
        for flag, colour in _KML_COLOURS.items()
    )
    marks = "".join(
        f'<Placemark id="e{event.sequence}"><name>{escape(event.class_name)}'
        f" {escape(event.uid[-4:])}</name><description>{escape(_sentence(event))}</description>"
        f"<TimeStamp><when>{event.captured_at.isoformat()}</when></TimeStamp>"
        f"<styleUrl>#{event.flag}</styleUrl><Point><coordinates>"
        f"{event.position.longitude:.7f},{event.position.latitude:.7f}"
        "</coordinates></Point></Placemark>"
        for event in events
    )
    return _kml(f"<Document><name>Sightline</name>{styles}{marks}</Document>")


def kml_link(href: str, *, seconds: int = 5) -> str:
    """A network link: what a user opens once, and it stays up to date."""
    return _kml(
        f"<NetworkLink><name>Sightline</name><Link><href>{escape(href)}</href>"
        f"<refreshMode>onInterval</refreshMode><refreshInterval>{seconds}</refreshInterval>"
        "</Link></NetworkLink>"
    )


def table(events: Sequence[Event]) -> str:
    """Comma-separated values with a head (RFC 4180)."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for event in events:
        position = event.position
        row = {
            **_row(event),
            "latitude": position.latitude,
            "longitude": position.longitude,
            "hae": position.hae,
        }
        writer.writerow({name: _cell(value) for name, value in row.items()})
    return out.getvalue()


def cot(events: Sequence[str]) -> str:
    """CoT events under one root."""
    return "<events>" + "".join(events) + "</events>"


def _kml(inside: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><kml xmlns="http://www.opengis.net/kml/2.2">'
        f"{inside}</kml>"
    )


def _cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula gets an apostrophe before it."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value


def _row(event: Event) -> dict[str, object]:
    return {
        "sequence": event.sequence,
        "uid": event.uid,
        "cot_type": event.cot_type,
        "class": event.class_name,
        "confidence": event.confidence,
        "camera_id": event.camera_id,
        "frame_id": event.frame_id,
        "index": event.index,
        "captured_at": event.captured_at.isoformat(),
        "committed_at": event.committed_at.isoformat(),
        "ce90_m": event.ce90_m,
        "le90_m": event.le90_m,
        "flag": event.flag,
        "course": event.course,
        "speed_mps": event.speed_mps,
    }


def _sentence(event: Event) -> str:
    return (
        f"{event.confidence:.0%}, CE90 {event.ce90_m:.1f} m, seen by {event.camera_id}"
        f" at {event.captured_at:%Y-%m-%d %H:%M:%S} UTC"
    )
