"""What the detection service says of the calls of the Open Inference Protocol."""

from __future__ import annotations

from detection.tensors.compression import TAKEN
from detection.tensors.reply import (
    Failure,
    IndexedModel,
    InferredTensor,
    InferReply,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    TensorMetadata,
)
from detection.tensors.request import HEADER_LENGTH
from detection.tensors.routes import INDEX, MODEL, VERSION
from detection.tensors.schema import ASKED, BINARY_REPLY, BINARY_REQUEST, BYTES, REQUEST
from serving.openapi import (
    Content,
    ErrorBody,
    Header,
    Operation,
    Operations,
    Parameter,
    Reply,
    json_reply,
    whole_number,
)
from serving.openapi.refusals import RETRY_AFTER

TAG = "tensors"
TAGS = {TAG: "Tensors in, tensors out: the Open Inference Protocol, version 2 (KServe, Triton)."}

_NAME = Parameter(
    name="name",
    where="path",
    meaning="A loaded model, as GET /v1/models names it.",
    schema={"type": "string"},
    example="yolo11n",
)
_VERSION = Parameter(
    name="version",
    where="path",
    meaning="The version that the model must have.",
    schema={"type": "string"},
    example="1",
)
_JSON_LENGTH = Parameter(
    name=HEADER_LENGTH,
    where="header",
    meaning="How many bytes of the body are JSON, where bytes of tensors follow them.",
    schema={"type": "integer", "minimum": 1},
)
_ENCODING = Parameter(
    name="Content-Encoding",
    where="header",
    meaning=f"How the whole body is packed: {TAKEN}.",
    schema={"type": "string", "enum": ["gzip", "x-gzip", "deflate", "identity"]},
)
_WANTED_ENCODING = Parameter(
    name="Accept-Encoding",
    where="header",
    meaning="With gzip or deflate, and no other coding beside it, an answer that is not small"
    " comes packed.",
    schema={"type": "string"},
)


def _failure(status: int, meaning: str, *, example: str, headers: tuple[Header, ...] = ()) -> Reply:
    """An error of the protocol: not a problem document, but a sentence."""
    return json_reply(
        Failure,
        meaning,
        status=status,
        headers=headers,
        examples={"Refused": Failure(error=example)},
    )


_ERROR = ErrorBody(schema=Failure, of=lambda sentence: Failure(error=sentence))
"""Of whatever is refused, also before a call is reached: clients look for nothing else."""

_NOT_LOADED = _failure(
    404,
    "No model of this name, or not in this version, is loaded.",
    example="model 'yolo11x' is not loaded (known: yolo11n)",
)
_FAILURES = (
    _failure(
        400,
        "The request is wrong: its headers, its JSON, a tensor, or what it asks for.",
        example="inputs[0].shape: 'images' is [1, 3, 2], expected [1, 3, 640, 640]",
    ),
    _NOT_LOADED,
    _failure(
        408,
        "The body did not arrive in time.",
        example="body: did not arrive within 60 seconds",
        headers=(Header(name="Connection", meaning="`close`: this connection ends."),),
    ),
    _failure(
        413,
        "The body is longer than the settings allow, as it comes or unpacked.",
        example="body: unpacks to more than 33554432 bytes, which are taken at most",
    ),
    _failure(
        415,
        "The body is packed in a way that is not taken.",
        example=f"Content-Encoding: 'br' is not taken; send {TAKEN}",
    ),
    _failure(
        503,
        "Too many wait already, or its turn did not come in time; or the model's file was changed,"
        " and the model must be loaded anew first.",
        example="all 16 places of the queue are taken",
        headers=(RETRY_AFTER,),
    ),
)

_METADATA = ModelMetadata(
    name="yolo11n",
    versions=("1",),
    inputs=(TensorMetadata(name="images", datatype="FP32", shape=[-1, 3, 640, 640]),),
    outputs=(TensorMetadata(name="output0", datatype="FP32", shape=[-1, 84, 8400]),),
)
_INFERRED = InferReply(
    model_name="sums",
    model_version="1",
    id="42",
    outputs=(InferredTensor(name="sum", datatype="INT32", shape=[1, 2], data=[11, 22]),),
)


def _infer(name: str, *parameters: Parameter) -> Operation:
    return Operation(
        name=name,
        tag=TAG,
        error=_ERROR,
        summary="Run a model on tensors",
        text="The model runs as its file has it: nothing is scaled, nothing is suppressed. Inputs"
        " are held against what the model declares before it runs. Tensors come and go as JSON, or"
        f" as bytes after it, little-endian and in row-major order; {HEADER_LENGTH} then says how"
        " long the JSON is. The strings of BYTES are UTF-8, each after its length in four bytes."
        " BF16 and shared memory are not possible. In JSON, NaN and infinity become null.",
        parameters=(*parameters, _JSON_LENGTH, _ENCODING, _WANTED_ENCODING),
        body=(
            Content(media_type="application/json", schema=REQUEST, examples=ASKED),
            Content(
                media_type="application/octet-stream",
                schema=BYTES,
                examples={"JSON and then bytes": f"{BINARY_REQUEST}(48 bytes)"},
            ),
        ),
        replies=(
            Reply(
                meaning="The outputs.",
                contents=(
                    Content(
                        media_type="application/json",
                        schema=InferReply,
                        examples={"One output": _INFERRED},
                    ),
                    Content(
                        media_type="application/octet-stream",
                        schema=BYTES,
                        examples={"JSON and then bytes": f"{BINARY_REPLY}(84 bytes)"},
                    ),
                ),
                headers=(
                    Header(
                        name=HEADER_LENGTH,
                        meaning="How many bytes are JSON, where bytes of tensors follow them.",
                        schema=whole_number(1, 2**53),
                        always=False,
                    ),
                    Header(
                        name="Content-Encoding",
                        meaning="How the whole body is packed, where it is.",
                        schema={"enum": ["gzip", "deflate"]},
                        always=False,
                    ),
                    Header(name="Vary", meaning="`Accept-Encoding`, where packed.", always=False),
                ),
            ),
            *_FAILURES,
        ),
    )


def _model(name: str, *parameters: Parameter) -> Operation:
    return Operation(
        name=name,
        tag=TAG,
        error=_ERROR,
        summary="What a model takes and gives",
        parameters=parameters,
        replies=(
            json_reply(ModelMetadata, "Its tensors.", examples={"One of each": _METADATA}),
            _NOT_LOADED,
        ),
    )


def _model_ready(name: str, *parameters: Parameter) -> Operation:
    return Operation(
        name=name,
        tag=TAG,
        error=_ERROR,
        summary="Whether a model can be asked",
        parameters=parameters,
        replies=(
            json_reply(ModelReady, "It can.", examples={"Ready": ModelReady(name="yolo11n")}),
            _NOT_LOADED,
        ),
    )


OPERATIONS: Operations = {
    ("GET", "/v2"): Operation(
        name="serverMetadata",
        tag=TAG,
        error=_ERROR,
        summary="Who serves, and which extensions of the protocol",
        replies=(
            json_reply(
                ServerMetadata,
                "The server.",
                examples={"A release": ServerMetadata(name="detection", version="0.1.0")},
            ),
        ),
    ),
    ("GET", "/v2/health/live"): Operation(
        name="serverLive",
        tag=TAG,
        error=_ERROR,
        summary="Whether the process lives",
        replies=(json_reply(ServerLive, "It does.", examples={"Alive": ServerLive()}),),
    ),
    ("GET", "/v2/health/ready"): Operation(
        name="serverReady",
        tag=TAG,
        error=_ERROR,
        summary="Whether requests should be sent here",
        replies=(
            json_reply(ServerReady, "They should.", examples={"Ready": ServerReady()}),
            _failure(
                503,
                "They should go elsewhere.",
                example="all 16 places of the queue are taken",
                headers=(RETRY_AFTER,),
            ),
        ),
    ),
    ("POST", INDEX): Operation(
        name="repositoryIndex",
        tag=TAG,
        error=_ERROR,
        summary="Every model that can be asked",
        text="As in Triton's extension; nothing can be loaded or unloaded. The body is not read.",
        replies=(
            json_reply(
                {"type": "array", "items": IndexedModel},
                "The models, the default one first.",
                examples={"One model": [IndexedModel(name="yolo11n", version="1")]},
            ),
        ),
    ),
    ("GET", MODEL): _model("modelMetadata", _NAME),
    ("GET", VERSION): _model("modelVersionMetadata", _NAME, _VERSION),
    ("GET", f"{MODEL}/ready"): _model_ready("modelReady", _NAME),
    ("GET", f"{VERSION}/ready"): _model_ready("modelVersionReady", _NAME, _VERSION),
    ("POST", f"{MODEL}/infer"): _infer("infer", _NAME),
    ("POST", f"{VERSION}/infer"): _infer("inferVersion", _NAME, _VERSION),
}
