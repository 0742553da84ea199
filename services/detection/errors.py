"""What can go wrong in detection; `problems` says how each is answered over HTTP.

DetectionError
 ├─ ImageError            the image cannot be used
 │   ├─ ImageTypeError    it is of no type that is taken
 │   └─ ImageSizeError    it is larger than is taken
 ├─ FrameError            the frame does not fit its image
 ├─ FormError             the multipart form is not one of ours
 ├─ ParameterError        a parameter of the query is wrong
 ├─ ModelError            a model file, or what is said of it, is refused
 ├─ InferenceError        the model failed on the image
 ├─ TensorError           a request to infer is wrong (Open Inference Protocol)
 │   ├─ TensorEncodingError   its body is packed in a way that is not taken
 │   └─ TensorSizeError   its body unpacks to more than is taken
 ├─ ModelNotFoundError    no model of this name and version is loaded
 ├─ ModelChangedError     its file is no longer the one that was checked
 ├─ LaneError             no time to look at the image
 │   ├─ QueueFullError    too many wait already
 │   ├─ DeadlineError     its turn did not come in time
 │   └─ StuckError        the model came to no end
 └─ GatewayError          the gateway did not commit the frame
     ├─ GatewayRefusal    and never will: the report is wrong
     ├─ GatewayUnavailableError   it cannot be reached, or is too busy
     │   └─ GatewayTimeoutError   it did not answer in time
     └─ FrameDiffersError         it has this frame already, with other detections
"""

from __future__ import annotations

from sightline.messages import Problem


class DetectionError(Exception):
    """Base of the errors of this package."""


class FieldError(DetectionError):
    """Something in the request is wrong: which field, and what it must be."""

    def __init__(self, reason: str, *, field: str, limit: str | None = None) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.limit = limit


class ImageError(FieldError):
    """The image cannot be used."""

    def __init__(self, reason: str, *, limit: str | None = None) -> None:
        super().__init__(reason, field="image", limit=limit)


class ImageTypeError(ImageError):
    """The image is of no type that is taken."""


class ImageSizeError(ImageError):
    """The image is larger than is taken."""


class FrameError(FieldError):
    """The frame does not fit its image."""


class FormError(FieldError):
    """The multipart form is not one of ours."""


class ParameterError(FieldError):
    """A parameter of the query is wrong."""


class TensorError(FieldError):
    """A request to infer is wrong: its JSON, a tensor, or what it asks for."""


class TensorEncodingError(TensorError):
    """The body is packed in a way that is not taken."""


class TensorSizeError(TensorError):
    """The body unpacks to more than is taken."""


class ModelNotFoundError(DetectionError):
    """No model of this name and version is loaded."""


class ModelChangedError(DetectionError):
    """The model's file is no longer the one that was loaded: it must be loaded anew first."""

    retry_seconds = 1.0


class ModelError(DetectionError):
    """A model file is refused; the sentence names the file."""


class InferenceError(DetectionError):
    """The model failed on this image; others may fare better."""


class LaneError(DetectionError):
    """There was no time to look at the image."""

    def __init__(self, reason: str, *, retry_seconds: float) -> None:
        super().__init__(reason)
        self.retry_seconds = retry_seconds


class QueueFullError(LaneError):
    """Too many images wait already."""


class DeadlineError(LaneError):
    """The image's turn did not come in time."""


class StuckError(LaneError):
    """The model came to no end, and was stopped."""


class GatewayError(DetectionError):
    """The gateway did not commit the frame, or its answer makes no sense."""


class GatewayRefusal(GatewayError):  # noqa: N818 - not a failure: the gateway's own answer
    """The gateway says what is wrong with the report."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class GatewayUnavailableError(GatewayError):
    """The gateway cannot be reached, or is too busy."""

    def __init__(self, reason: str, *, retry_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_seconds = retry_seconds


class GatewayTimeoutError(GatewayUnavailableError):
    """The gateway did not answer in time."""


class FrameDiffersError(GatewayError):
    """The gateway has this frame already, with another number of detections."""
