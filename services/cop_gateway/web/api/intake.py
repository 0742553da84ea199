"""Frames in."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from cop_gateway.web import batch, formats
from cop_gateway.web.api.listings import COT_EXAMPLE
from cop_gateway.web.api.refusals import COMMIT, DUPLICATE, STORE_UNAVAILABLE
from serving.openapi import Content, Operation, Operations, Refusal, Reply
from serving.openapi.refusals import BODY, MESSAGE, RETRY_AFTER
from sightline.messages import DetectionReport, Problem, Receipt, encode
from sightline.messages import examples as example

_LINE_PROBLEM = Problem(
    type="/problems/malformed-json",
    title="Malformed json",
    status=400,
    detail="body: not JSON: Input data was truncated",
    field="body",
)
_NEXT_FRAME = DetectionReport(
    frame=msgspec.structs.replace(
        example.FRAME,
        frame_id="000124",
        captured_at=example.CAPTURED_AT + timedelta(seconds=1),
    ),
    detections=example.DETECTION_REPORT.detections,
)


def _lines(*messages: object) -> str:
    return "".join(encode(message).decode() + "\n" for message in messages)


OPERATIONS: Operations = {
    ("POST", "/v1/detections"): Operation(
        name="reportDetections",
        tag="intake",
        summary="The detections of one frame; answered once they are committed",
        text="`camera_id` and `frame_id` name a frame for ever: sent again, it changes nothing and"
        " is answered the same, with `Sightline-Duplicate`. A detection that cannot be placed is"
        " kept, and answered with the reason. `captured_at` must be near the gateway's clock (how"
        " near is a setting). The body is JSON whatever its Content-Type says. With"
        " `Accept: application/xml` the answer is the CoT of what was placed.",
        body=(
            Content(
                media_type="application/json",
                schema=DetectionReport,
                examples={
                    "By box and by pixel": example.stated(example.DETECTION_REPORT),
                    "Nothing was seen": example.stated(example.NOTHING_SEEN),
                },
            ),
        ),
        replies=(
            Reply(
                status=201,
                meaning="The frame is on the disk: where each detection is, or why it has no"
                " place.",
                contents=(
                    Content(
                        media_type="application/json",
                        schema=Receipt,
                        examples={"One placed, one not": example.RECEIPT},
                    ),
                    Content(
                        media_type=formats.COT,
                        schema={"type": "string"},
                        examples={"CoT events": COT_EXAMPLE},
                    ),
                ),
                headers=(DUPLICATE,),
            ),
        ),
        refusals=(
            *BODY,
            *MESSAGE,
            Refusal(
                status=422,
                type="invalid-message",
                meaning="Or it cannot be meant: its time is far from the clock, a box is outside of"
                " the image, a class has no CoT type and the settings refuse it.",
                detail="frame.captured_at: 2026-11-24T13:00:00+00:00 is 10800 s in the future"
                " (limit 60 s); check the camera's clock",
                field="frame.captured_at",
                limit="60 s",
            ),
            *COMMIT,
            STORE_UNAVAILABLE,
            Refusal(
                status=507,
                type="insufficient-storage",
                meaning="The store has no room left; nothing is taken in.",
                detail="nothing is taken in: 12 MB are free and 64 MB are kept free",
                headers=(RETRY_AFTER,),
            ),
        ),
    ),
    ("POST", "/v1/detections/batch"): Operation(
        name="reportBatch",
        tag="intake",
        summary="Many frames in one request, one a line (NDJSON)",
        text="Each line is a body of `POST /v1/detections`, and is answered by a line, in the same"
        " order, as soon as it is committed: its receipt, or a problem document with the `status`"
        " that it would have had alone. A bad line does not hold up the others. The answer begins"
        " while the request is still being sent. Sending all of it again is safe.",
        body=tuple(
            Content(
                media_type=kind,
                schema={"type": "string"},
                item=DetectionReport,
                examples={
                    "Two frames": _lines(
                        *map(example.stated, (example.DETECTION_REPORT, _NEXT_FRAME))
                    ),
                },
            )
            for kind in batch.TAKEN
        ),
        replies=(
            Reply(
                meaning="A line for each line.",
                contents=(
                    Content(
                        media_type=batch.MEDIA_TYPE,
                        schema={"type": "string"},
                        item={"anyOf": [Receipt, Problem]},
                        examples={
                            "One committed, one that was no JSON": _lines(
                                example.RECEIPT, _LINE_PROBLEM
                            ),
                        },
                    ),
                ),
            ),
        ),
        refusals=(
            Refusal(
                status=415,
                type="unsupported-media-type",
                meaning="It is not announced as lines of JSON.",
                detail="Content-Type: 'application/json': send application/x-ndjson, one report a"
                " line",
                field="Content-Type",
                limit=batch.MEDIA_TYPE,
            ),
        ),
    ),
}
