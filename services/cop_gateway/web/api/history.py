"""What was committed, and what became of it."""

from __future__ import annotations

from cop_gateway.web import formats, history, retraction, stream
from cop_gateway.web.api.listings import LISTED
from cop_gateway.web.api.refusals import (
    COMMIT,
    DUPLICATE,
    INVALID_QUERY,
    NO_SUCH_TRACK,
    STORE_UNAVAILABLE,
)
from cop_gateway.web.queries import MOST_SEQUENCE, PLAIN
from serving.openapi import (
    Content,
    Header,
    Operation,
    Operations,
    Parameter,
    Refusal,
    Reply,
    json_reply,
    whole_number,
)
from serving.openapi.refusals import NO_STORE, RETRY_AFTER
from sightline.messages import AuditTrail, Event, Retraction
from sightline.messages import examples as example

_TEXT = {"type": "string"}
_PLAIN = {"type": "string", "pattern": PLAIN}
_NAME = {**_PLAIN, "minLength": 1}
_MOMENT = {"type": "string", "format": "date-time"}
_SEQUENCE = whole_number(0, MOST_SEQUENCE)

_UID = Parameter(name="uid", where="path", meaning="The CoT uid of a tracked object.", schema=_TEXT)
_CAMERA = Parameter(name="camera_id", meaning="Of this camera.", schema=_PLAIN)
_CLASS = Parameter(name="class", meaning="Of this class of object.", schema=_PLAIN)

OPERATIONS: Operations = {
    ("GET", "/v1/events"): Operation(
        name="listEvents",
        tag="history",
        summary="Committed sightings, as JSON, GeoJSON, CoT, KML or CSV",
        text="Newest first; `next` is the `before` of the following page. With `since`, oldest"
        " first: what is new since then, `next` is the `since` of the following page, and"
        " `retracted` are the tracks that were taken back since. All filters must hold. The format"
        " is that of `format`, else of the Accept header.",
        parameters=(
            Parameter(
                name="limit",
                meaning="How many at most.",
                schema=whole_number(1, history.MOST_EVENTS, default=history.EVENTS),
            ),
            Parameter(name="before", meaning="Of lower sequence than this.", schema=_SEQUENCE),
            Parameter(name="since", meaning="Of higher sequence than this.", schema=_SEQUENCE),
            Parameter(name="uid", meaning="Of this tracked object.", schema=_PLAIN),
            _CAMERA,
            _CLASS,
            Parameter(name="from", meaning="Captured then or later.", schema=_MOMENT),
            Parameter(name="to", meaning="Captured before then.", schema=_MOMENT),
            Parameter(
                name="bbox",
                meaning="Within west,south,east,north (RFC 7946), degrees; south not above north;"
                " west may be above east, across the antimeridian.",
                schema={
                    "type": "array",
                    "prefixItems": [
                        {"type": "number", "minimum": -limit, "maximum": limit}
                        for limit in (180, 90, 180, 90)
                    ],
                    "minItems": 4,
                    "maxItems": 4,
                },
                exploded=False,
                example=[8.5, 47.3, 8.6, 47.4],
            ),
            Parameter(
                name="format",
                meaning="Goes before the Accept header.",
                schema={"type": "string", "enum": list(formats.NAMES)},
            ),
        ),
        replies=(
            Reply(
                meaning="A page of sightings.",
                contents=LISTED,
                headers=(
                    NO_STORE,
                    Header(
                        name="Link",
                        meaning='The following page (RFC 8288, `rel="next"`), where there may be'
                        " one, and the format is not JSON.",
                        always=False,
                    ),
                ),
            ),
        ),
        refusals=(INVALID_QUERY, STORE_UNAVAILABLE),
    ),
    ("GET", "/v1/events/{uid}"): Operation(
        name="getEvent",
        tag="history",
        summary="The newest sighting of one object",
        parameters=(_UID,),
        replies=(
            json_reply(
                Event, "The sighting.", examples={"A car": example.EVENT}, headers=(NO_STORE,)
            ),
        ),
        refusals=(
            NO_SUCH_TRACK,
            STORE_UNAVAILABLE,
        ),
    ),
    ("DELETE", "/v1/events/{uid}"): Operation(
        name="retractTrack",
        tag="history",
        summary="Take a track back: its marker vanishes from every map",
        text="Answered once it is committed; every sink is told to delete the marker, and the uid"
        " is not used again. What was seen stays in the history, with `retracted_at`. A track that"
        " was taken back before is answered as it was then, with `Sightline-Duplicate`.",
        parameters=(
            _UID,
            Parameter(
                name="reason",
                meaning="Why, for the history.",
                schema={**_PLAIN, "maxLength": retraction.MOST_REASON},
                example=example.RETRACTION.reason,
            ),
        ),
        replies=(
            json_reply(
                Retraction,
                "It is taken back.",
                examples={"A shadow": example.RETRACTION},
                headers=(DUPLICATE,),
            ),
        ),
        refusals=(INVALID_QUERY, NO_SUCH_TRACK, *COMMIT, STORE_UNAVAILABLE),
    ),
    ("GET", "/v1/events.kml"): Operation(
        name="linkEvents",
        tag="history",
        summary="A KML network link: opened once, it keeps itself up to date",
        replies=(
            Reply(
                meaning="The link, for Google Earth and its kin.",
                contents=(
                    Content(
                        media_type=formats.KML,
                        schema=_TEXT,
                        examples={
                            "A link": formats.kml_link(
                                "http://127.0.0.1:8001/v1/events?format=kml&limit=500"
                            )
                        },
                    ),
                ),
                headers=(NO_STORE,),
            ),
        ),
    ),
    ("GET", "/v1/stream"): Operation(
        name="streamEvents",
        tag="history",
        summary="Sightings and retractions as they are committed (server-sent events)",
        text="From now on, or after `since`; a client that connects again sends Last-Event-ID, and"
        " nothing between is left out. Each message has the event's sequence as its `id`; it is"
        " named `sighting`, or `retraction` where a track was taken back; its `data` is an event as"
        " JSON. A comment comes every 15 seconds where nothing else does. The stream ends when the"
        " service shuts down.",
        parameters=(
            Parameter(name="since", meaning="Of higher sequence than this.", schema=_SEQUENCE),
            _CAMERA,
            _CLASS,
            Parameter(
                name="Last-Event-ID",
                where="header",
                meaning="Goes before `since`.",
                schema=_SEQUENCE,
            ),
        ),
        replies=(
            Reply(
                meaning="The stream. It does not end by itself.",
                contents=(
                    Content(
                        media_type="text/event-stream",
                        schema=_TEXT,
                        item=Event,
                        examples={
                            "The beginning": "retry: 2000\n\n"
                            + stream.message(example.EVENT).decode()
                        },
                    ),
                ),
                headers=(
                    NO_STORE,
                    Header(name="X-Accel-Buffering", meaning="`no`: proxies must not wait."),
                ),
            ),
        ),
        refusals=(
            INVALID_QUERY,
            Refusal(
                status=503,
                type="too-many-watchers",
                meaning="So many watch already that nobody else can.",
                detail=f"{stream.MOST_WATCHERS} watch already",
                headers=(RETRY_AFTER,),
            ),
        ),
    ),
    ("GET", "/v1/audit"): Operation(
        name="auditFrame",
        tag="history",
        summary="What happened to the detections of a frame, from intake to each sink",
        parameters=(
            Parameter(name="camera_id", meaning="The camera.", schema=_NAME, required=True),
            Parameter(name="frame_id", meaning="The frame.", schema=_NAME, required=True),
            Parameter(
                name="index",
                meaning="Only this detection of it, from 0.",
                schema=whole_number(0, history.MOST_INDEX),
            ),
        ),
        replies=(
            json_reply(
                AuditTrail,
                "The detections, in their order.",
                examples={"Delivered to one sink": example.AUDIT_TRAIL},
                headers=(NO_STORE,),
            ),
        ),
        refusals=(
            INVALID_QUERY,
            Refusal(
                status=404,
                type="no-such-frame",
                meaning="It is not known, or no longer kept.",
                detail="frame 000123 of camera drone-1 is not known",
            ),
            STORE_UNAVAILABLE,
        ),
    ),
}
