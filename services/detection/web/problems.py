"""How each error of this service is answered: the one place that knows both them and HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from detection.errors import (
    DeadlineError,
    DetectionError,
    FieldError,
    FormError,
    FrameDiffersError,
    FrameError,
    GatewayError,
    GatewayRefusal,
    GatewayTimeoutError,
    GatewayUnavailableError,
    ImageError,
    ImageSizeError,
    ImageTypeError,
    InferenceError,
    LaneError,
    ModelChangedError,
    ModelError,
    ModelNotFoundError,
    ParameterError,
    QueueFullError,
    StuckError,
    TensorEncodingError,
    TensorError,
    TensorSizeError,
)
from serving.problems import HttpProblem, respond, retry_after

ANSWERS: tuple[tuple[type[DetectionError], int, str], ...] = (
    (ImageTypeError, 415, "unsupported-image-type"),
    (ImageSizeError, 413, "image-too-large"),
    (ImageError, 422, "invalid-image"),
    (FrameError, 422, "invalid-message"),
    (FormError, 400, "invalid-form"),
    (ParameterError, 422, "invalid-parameter"),
    (ModelNotFoundError, 404, "model-not-found"),
    (ModelError, 422, "model-refused"),
    (InferenceError, 500, "inference-failed"),
    (QueueFullError, 503, "queue-full"),
    (StuckError, 503, "inference-stuck"),
    (DeadlineError, 503, "deadline-exceeded"),
    (FrameDiffersError, 409, "frame-differs"),
    (GatewayTimeoutError, 504, "gateway-timeout"),
    (GatewayUnavailableError, 503, "gateway-unavailable"),
    (GatewayError, 502, "gateway-failed"),
    (DetectionError, 500, "internal-error"),
)
"""The most special first: the first that fits an error is its answer."""

TENSOR_ANSWERS: tuple[tuple[type[DetectionError], int, str], ...] = (
    (TensorEncodingError, 415, "unsupported-encoding"),
    (TensorSizeError, 413, "tensors-too-large"),
    (TensorError, 400, "invalid-tensor"),
    (ModelChangedError, 503, "model-changed"),
)
"""Those of the calls of the Open Inference Protocol alone, which have the sentence as their body
and not a problem document; the names are for logs and metrics."""


def _name(kind: str) -> str:
    return kind.replace("-", "_")


OUTCOMES = ("client_gone", "gateway_refused", *(_name(kind) for _, _, kind in ANSWERS))
"""What may become of an image that is not answered, for metrics."""


def outcome(error: DetectionError) -> str:
    """The error's name in metrics."""
    if isinstance(error, GatewayRefusal):
        # It answered, and not with a failure of its own.
        return "gateway_refused"
    return _name(_answer(error)[1])


def problem(error: DetectionError) -> HttpProblem:
    """The answer to the request that met this error."""
    if isinstance(error, GatewayRefusal):
        # In the gateway's own words; its request id is the one that we sent along.
        said = error.problem
        return HttpProblem(
            status=said.status,
            type=said.type,
            title=said.title,
            detail=said.detail,
            field=said.field,
            limit=said.limit,
            reason=said.reason,
        )
    status, kind = _answer(error)
    return HttpProblem(
        status=status,
        type=kind,
        detail=str(error),
        field=error.field if isinstance(error, FieldError) else None,
        limit=error.limit if isinstance(error, FieldError) else None,
        headers=(
            retry_after(error.retry_seconds)
            if isinstance(error, LaneError | GatewayUnavailableError | ModelChangedError)
            else None
        ),
    )


def handlers() -> dict[type[Exception], ExceptionHandler]:
    """Starlette's exception handlers for this package's errors."""

    async def detection_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, DetectionError)
        return respond(problem(error))

    return {DetectionError: detection_error}


def _answer(error: DetectionError) -> tuple[int, str]:
    every = (*TENSOR_ANSWERS, *ANSWERS)
    return next((status, name) for kind, status, name in every if isinstance(error, kind))
