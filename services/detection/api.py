"""What the detection service says of its calls."""

from __future__ import annotations

from detection.errors import GatewayUnavailableError, ImageError, LaneError
from detection.gateway import REFUSED
from detection.image import TAKEN
from detection.problems import ANSWERS
from detection.submission import IMAGE_TYPES
from detection.web import Index
from serving.openapi import Api, Content, Operation, Parameter, Refusal, json_reply
from serving.openapi.refusals import BODY, MESSAGE, RETRY_AFTER
from sightline.messages import DetectResult, Frame, ModelList
from sightline.messages import examples as example

_BYTES = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
_FORM = {
    "type": "object",
    "properties": {"image": _BYTES, "frame": Frame},
    "required": ["image"],
    "additionalProperties": False,
}

_OWN = tuple(
    Refusal(
        status=status,
        type=kind,
        meaning=(error.__doc__ or kind).splitlines()[0],
        field="image" if issubclass(error, ImageError) else None,
        headers=((RETRY_AFTER,) if issubclass(error, LaneError | GatewayUnavailableError) else ()),
    )
    for error, status, kind in ANSWERS
    if status != 500
)
"""Each error in the table of answers, in the words of its class."""

_GATEWAYS = tuple(
    Refusal(
        status=status,
        type="gateway-refused",
        meaning="The gateway refused the frame, in words that cannot be read.",
        detail=f"the gateway refused the frame with status {status}",
    )
    for status in sorted(REFUSED)
)

API = Api(
    title="Sightline detection",
    text="Finds objects in images; has frames committed at the CoP gateway.",
    tags={"detection": "Images in, objects out."},
    operations={
        ("POST", "/v1/detect"): Operation(
            name="detect",
            tag="detection",
            summary="Objects in one image; with a frame, committed at the gateway",
            text="An image alone is looked at and forgotten. With a frame, and where a gateway is"
            " configured, the answer comes only once the gateway has committed what was seen:"
            " `committed` is then true, and each object has its `event`. Sending the same frame"
            " again is safe. What an image is, its first bytes decide, not its announced type."
            " A refusal of the gateway (400, 409, 413, 422) is passed on in its own words.",
            parameters=(
                Parameter(
                    name="confidence",
                    meaning="Objects that score less are left out. Default: a setting.",
                    schema={"type": "number", "minimum": 0, "maximum": 1},
                    example=0.25,
                ),
                Parameter(
                    name="model",
                    meaning="Which loaded model looks: a name of /v1/models. Default: the first.",
                    schema={"type": "string"},
                ),
            ),
            body=(
                *(Content(media_type=kind, schema=_BYTES) for kind in IMAGE_TYPES),
                Content(
                    media_type="multipart/form-data",
                    schema=_FORM,
                    part_types={
                        "image": ", ".join(IMAGE_TYPES),
                        "frame": "application/json",
                    },
                    examples={
                        "An image and its frame": {
                            "image": f"(the bytes of a {TAKEN})",
                            "frame": example.stated(example.FRAME),
                        }
                    },
                ),
            ),
            replies=(
                json_reply(
                    DetectResult,
                    "What was seen, and where it is on the map.",
                    examples={
                        "With a frame, committed": example.DETECT_RESULT,
                        "An image alone": example.IMAGE_ONLY,
                    },
                ),
            ),
            refusals=(*BODY, *MESSAGE, *_OWN, *_GATEWAYS),
        ),
        ("GET", "/v1/models"): Operation(
            name="listModels",
            tag="detection",
            summary="Every loaded model, the default one first",
            replies=(
                json_reply(ModelList, "The models.", examples={"One model": example.MODEL_LIST}),
            ),
        ),
        ("GET", "/"): Operation(
            name="index",
            tag="service",
            summary="Who answers here",
            replies=(
                json_reply(
                    Index,
                    "The service and its release.",
                    examples={"A release": Index(service="detection", version="0.1.0")},
                ),
            ),
        ),
    },
)
