"""Every error of the service has an answer, and the most special one that fits."""

from __future__ import annotations

import pytest

from detection import errors
from detection.errors import DetectionError
from detection.web import problems
from sightline.messages import Problem


def kinds(base: type[DetectionError] = DetectionError) -> list[type[DetectionError]]:
    return [base, *(kind for each in base.__subclasses__() for kind in kinds(each))]


REFUSAL = Problem(
    type="/problems/invalid-message",
    title="Invalid message",
    status=422,
    detail="detections[0].class: 'red' has no CoT type",
    instance="the-gateways-own-id",
    field="detections[0].class",
    limit="a limit",
    reason="a-reason",
)


def made(kind: type[DetectionError]) -> DetectionError:
    if issubclass(kind, errors.ImageError):
        return kind("is wrong", limit="a limit")
    if issubclass(kind, errors.FieldError):
        return kind("is wrong", field="some.field", limit="a limit")
    if issubclass(kind, errors.LaneError | errors.GatewayUnavailableError):
        return kind("no time", retry_seconds=7.0)
    if issubclass(kind, errors.GatewayRefusal):
        return kind(REFUSAL)
    return kind("what happened")


# Bases of others.
NEVER_MET = {DetectionError, errors.FieldError, errors.LaneError}


@pytest.mark.parametrize("kind", kinds())
def test_every_error_has_an_answer_that_says_what_happened(kind):
    error = made(kind)
    answer = problems.problem(error)
    assert answer.type.startswith("/problems/")
    assert answer.title
    assert answer.detail == str(error)
    if kind in NEVER_MET:
        assert answer.status == 500
        return
    # Whose fault it is must be plain: clients send again what was not theirs.
    senders = (
        errors.FieldError
        | errors.ModelError
        | errors.ModelNotFoundError
        | errors.GatewayRefusal
        | errors.FrameDiffersError
    )
    if isinstance(error, errors.InferenceError):
        # Neither: the model fails on this image, and would fail again.
        assert answer.status == 500
    else:
        assert answer.status in (range(400, 500) if isinstance(error, senders) else range(502, 505))


@pytest.mark.parametrize("kind", kinds())
def test_every_error_has_a_name_for_metrics(kind):
    name = problems.outcome(made(kind))
    assert name.isidentifier()
    assert name == name.lower()


@pytest.mark.parametrize("kind", kinds(errors.FieldError))
def test_a_wrong_field_is_named_with_its_limit(kind):
    error = made(kind)
    answer = problems.problem(error)
    assert (answer.field, answer.limit) == (error.field, "a limit")


@pytest.mark.parametrize("kind", [*kinds(errors.LaneError), *kinds(errors.GatewayUnavailableError)])
def test_who_should_come_back_is_told_when(kind):
    assert problems.problem(made(kind)).headers == {"Retry-After": "7"}


@pytest.mark.parametrize(
    ("kind", "status", "name"),
    [
        (errors.ImageTypeError, 415, "unsupported-image-type"),
        (errors.ImageSizeError, 413, "image-too-large"),
        (errors.ImageError, 422, "invalid-image"),
        (errors.FrameError, 422, "invalid-message"),
        (errors.FormError, 400, "invalid-form"),
        (errors.ParameterError, 422, "invalid-parameter"),
        (errors.ModelError, 422, "model-refused"),
        (errors.InferenceError, 500, "inference-failed"),
        (errors.StuckError, 503, "inference-stuck"),
        (errors.TensorEncodingError, 415, "unsupported-encoding"),
        (errors.TensorSizeError, 413, "tensors-too-large"),
        (errors.TensorError, 400, "invalid-tensor"),
        (errors.ModelNotFoundError, 404, "model-not-found"),
        (errors.QueueFullError, 503, "queue-full"),
        (errors.DeadlineError, 503, "deadline-exceeded"),
        (errors.GatewayUnavailableError, 503, "gateway-unavailable"),
        (errors.GatewayTimeoutError, 504, "gateway-timeout"),
        (errors.FrameDiffersError, 409, "frame-differs"),
        (errors.GatewayError, 502, "gateway-failed"),
    ],
)
def test_types_are_stable_because_programs_branch_on_them(kind, status, name):
    answer = problems.problem(made(kind))
    assert (answer.status, answer.type) == (status, f"/problems/{name}")


def test_the_gateways_refusal_is_passed_on_in_its_own_words():
    answer = problems.problem(errors.GatewayRefusal(REFUSAL))
    for member in ("status", "type", "title", "detail", "field", "limit", "reason"):
        assert getattr(answer, member) == getattr(REFUSAL, member)
