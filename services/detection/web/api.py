"""What the detection service says of its calls."""

from __future__ import annotations

from detection.errors import (
    DeadlineError,
    DetectionError,
    FormError,
    GatewayUnavailableError,
    ImageError,
    ImageTypeError,
    LaneError,
    ModelError,
    ModelNotFoundError,
    ParameterError,
    QueueFullError,
)
from detection.gateway import REFUSED
from detection.image import TAKEN
from detection.tensors import api as tensors
from detection.web.detect import Index
from detection.web.problems import ANSWERS
from detection.web.submission import IMAGE_TYPES, LARGEST_TILE, LEAST_TILE
from serving.openapi import Api, Content, Operation, Operations, Parameter, Refusal, json_reply
from serving.openapi.refusals import BODY, MESSAGE, RETRY_AFTER
from sightline.messages import BatchResult, DetectResult, Frame, ModelInfo, ModelList
from sightline.messages import examples as example
from sightline.messages.inference import TIMEOUT_HEADER

_BYTES = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
_FORM = {
    "type": "object",
    "properties": {"image": _BYTES, "frame": Frame},
    "required": ["image"],
    "additionalProperties": False,
}
_BATCH = {
    "type": "object",
    "properties": {
        "image": {"type": "array", "items": _BYTES, "minItems": 1},
        "frames": {"type": "array", "items": {"anyOf": [Frame, {"type": "null"}]}},
    },
    "required": ["image"],
    "additionalProperties": False,
}


def _refusals(*kinds: type[DetectionError]) -> tuple[Refusal, ...]:
    """Those of the table of answers that are of these kinds, in the words of their classes."""
    return tuple(
        Refusal(
            status=status,
            type=kind,
            meaning=(error.__doc__ or kind).splitlines()[0],
            field="image" if issubclass(error, ImageError) else None,
            headers=(
                (RETRY_AFTER,) if issubclass(error, LaneError | GatewayUnavailableError) else ()
            ),
        )
        for error, status, kind in ANSWERS
        if issubclass(error, kinds) and error is not DetectionError
    )


_OF_MODELS = _refusals(ModelError, ModelNotFoundError)
_OF_IMAGES = tuple(each for each in _refusals(DetectionError) if each not in _OF_MODELS)
_OF_BATCHES = _refusals(FormError, ImageTypeError, ParameterError, QueueFullError, DeadlineError)
"""Of the request as a whole; what else an image may meet is its item's."""

_GATEWAYS = tuple(
    Refusal(
        status=status,
        type="gateway-refused",
        meaning="The gateway refused the frame, in words that cannot be read.",
        detail=f"the gateway refused the frame with status {status}",
    )
    for status in sorted(REFUSED)
)

_PARAMETERS = (
    Parameter(
        name="confidence",
        meaning="Objects that score less are left out. Default: the model's thresholds.",
        schema={"type": "number", "minimum": 0, "maximum": 1},
        example=0.25,
    ),
    Parameter(
        name="model",
        meaning="Which loaded model looks: a name of /v1/models. Default: the first.",
        schema={"type": "string"},
    ),
    Parameter(
        name="tiles",
        meaning="Whether to cut a large image into tiles that are looked at one by one: of so many"
        " pixels to a side, of the model's own size (`auto`), or not at all (`off`). Default: a"
        " setting, which a camera may have of its own.",
        schema={
            "anyOf": [
                {"enum": ["auto", "off"]},
                {"type": "integer", "minimum": LEAST_TILE, "maximum": LARGEST_TILE},
            ]
        },
        example="auto",
    ),
    Parameter(
        name="timings",
        meaning="Whether the answer tells how long each stage took.",
        schema={"enum": ["true", "false"], "default": "true"},
    ),
    Parameter(
        name=TIMEOUT_HEADER,
        where="header",
        meaning="How many seconds the sender waits for the answer: what cannot be done by then is"
        " refused early. Default: a setting, and another one is the most that counts.",
        schema={"type": "number", "exclusiveMinimum": 0},
        example=2.5,
    ),
)
_PART_TYPES = {"image": ", ".join(IMAGE_TYPES)}

_DETECT = Operation(
    name="detect",
    tag="detection",
    summary="Objects in one image; with a frame, committed at the gateway",
    text="An image alone is looked at and forgotten. With a frame, and where a gateway is"
    " configured, the answer comes only once the gateway has committed what was seen:"
    " `committed` is then true, and each object has its `event`. Sending the same frame"
    " again is safe. What an image is, its first bytes decide, not its announced type."
    " A refusal of the gateway (400, 409, 413, 422) is passed on in its own words.",
    parameters=_PARAMETERS,
    body=(
        *(Content(media_type=kind, schema=_BYTES) for kind in IMAGE_TYPES),
        Content(
            media_type="multipart/form-data",
            schema=_FORM,
            part_types={**_PART_TYPES, "frame": "application/json"},
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
                "With timings=false": example.WITHOUT_TIMINGS,
            },
        ),
    ),
    refusals=(*BODY, *MESSAGE, *_OF_IMAGES, *_GATEWAYS),
)

_DETECT_BATCH = Operation(
    name="detectBatch",
    tag="detection",
    summary="Objects in several images, an answer for each",
    text="A part named `image` for each of them, in order. Each is looked at, and its frame"
    " committed, as if it had been sent alone: one that is refused has its problem in its place,"
    " and the others their results. `frames` is a list with a frame or null for each image. The"
    " deadline is the whole request's.",
    parameters=_PARAMETERS,
    body=(
        Content(
            media_type="multipart/form-data",
            schema=_BATCH,
            part_types={**_PART_TYPES, "frames": "application/json"},
            examples={
                "Two images, one with its frame": {
                    "image": [f"(the bytes of a {TAKEN})", f"(the bytes of a {TAKEN})"],
                    "frames": [example.stated(example.FRAME), None],
                }
            },
        ),
    ),
    replies=(
        json_reply(
            BatchResult,
            "What became of each image, in the request's order.",
            examples={"One of two was none": example.BATCH_RESULT},
        ),
    ),
    refusals=(*BODY, *MESSAGE, *_OF_BATCHES),
)

_OPERATIONS: Operations = {
    ("POST", "/v1/detect"): _DETECT,
    ("POST", "/v1/detect/batch"): _DETECT_BATCH,
    ("GET", "/v1/models"): Operation(
        name="listModels",
        tag="models",
        summary="Every loaded model, the default one first",
        replies=(json_reply(ModelList, "The models.", examples={"One model": example.MODEL_LIST}),),
    ),
    ("POST", "/v1/models/{name}/reload"): Operation(
        name="reloadModel",
        tag="models",
        summary="Serve what the model's file is now",
        text="The folder's manifest and the file are read anew, checked and warmed beside the model"
        " that is served; only then the new one takes over, and whoever began with the old one ends"
        " with it. No request is lost. Where the new one is refused, the old one stays. The body is"
        " not read. SIGHUP does the same for all models.",
        parameters=(
            Parameter(
                name="name",
                where="path",
                meaning="A model of the folder, loaded already or not.",
                schema={"type": "string"},
                example="demo",
            ),
        ),
        replies=(
            json_reply(
                ModelInfo,
                "What is served from now on.",
                examples={"A model": example.MODEL_INFO},
            ),
        ),
        refusals=_OF_MODELS,
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
}

API = Api(
    title="Sightline detection",
    text="Finds objects in images; has frames committed at the CoP gateway. Calls below `/v2` are"
    ' the Open Inference Protocol\'s, and so are their errors: `{"error": "a sentence"}`.',
    tags={
        "detection": "Images in, objects out.",
        "models": "Which models look, and new versions of them.",
        **tensors.TAGS,
    },
    operations={**_OPERATIONS, **tensors.OPERATIONS},
)
