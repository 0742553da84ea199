"""The formats in which sightings can be had, each with an example that its own writer wrote."""

from __future__ import annotations

from typing import Any

import msgspec

from cop_gateway.cot import CotEvent, Point, to_xml
from cop_gateway.web import formats
from serving.openapi import Content
from sightline.messages import Event, EventList
from sightline.messages import examples as example

_TEXT = {"type": "string"}

COT_EXAMPLE = formats.cot(
    [
        to_xml(
            CotEvent(
                uid=example.EVENT.uid,
                type=example.EVENT.cot_type,
                how="m-i",
                time=example.EVENT.captured_at,
                stale=example.EVENT.stale_at,
                point=Point(
                    latitude=example.EVENT.position.latitude,
                    longitude=example.EVENT.position.longitude,
                    hae=example.EVENT.position.hae,
                    ce=example.EVENT.ce90_m,
                    le=example.EVENT.le90_m,
                ),
                detail={"contact": {"callsign": "car 2f1d"}},
            )
        )
    ]
)


def _geojson() -> dict[str, Any]:
    """A FeatureCollection; each property is the event's field of the same name."""
    fields = msgspec.json.schema(Event)["$defs"]["Event"]["properties"]
    feature = {
        "type": "object",
        "properties": {
            "type": {"const": "Feature"},
            "id": fields["sequence"],
            "geometry": {
                "type": "object",
                "properties": {
                    "type": {"const": "Point"},
                    "coordinates": {
                        "description": "Longitude, latitude, metres above the ellipsoid.",
                        "type": "array",
                        "items": {"type": "number"},
                        "minItems": 3,
                        "maxItems": 3,
                    },
                },
                "required": ["type", "coordinates"],
            },
            "properties": {
                "type": "object",
                "properties": {name: fields[name] for name in formats.PROPERTIES},
                "required": list(formats.PROPERTIES),
            },
        },
        "required": ["type", "id", "geometry", "properties"],
    }
    return {
        "type": "object",
        "properties": {
            "type": {"const": "FeatureCollection"},
            "features": {"type": "array", "items": feature},
        },
        "required": ["type", "features"],
    }


LISTED = (
    Content(
        media_type=formats.JSON,
        schema=EventList,
        examples={"A page": example.EVENT_LIST},
    ),
    Content(
        media_type=formats.GEOJSON,
        schema=_geojson(),
        examples={"A feature": msgspec.json.decode(formats.geojson([example.EVENT]))},
    ),
    Content(media_type=formats.COT, schema=_TEXT, examples={"CoT events": COT_EXAMPLE}),
    Content(
        media_type=formats.KML,
        schema=_TEXT,
        examples={"A placemark": formats.kml([example.EVENT])},
    ),
    Content(
        media_type=formats.CSV,
        schema=_TEXT,
        examples={"A row": formats.table([example.EVENT])},
    ),
)
