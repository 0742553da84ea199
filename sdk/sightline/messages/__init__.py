"""The wire contract, version 1: what travels between cameras, the services and their users.

Every value is frozen and keyword-only. Angles are degrees, lengths metres, times aware UTC; the
fields whose unit is not the obvious one carry it in their name. `decode` reads JSON and answers
with errors that name the field and its limit; `json_schemas` is the contract as JSON Schema.
"""

from sightline.messages.audit import AuditEntry, AuditSink, AuditTrail
from sightline.messages.codec import MessageError, convert, decode, encode
from sightline.messages.detection import Box, Detection, DetectionReport, Pixel
from sightline.messages.frame import Frame
from sightline.messages.inference import (
    BatchItem,
    BatchResult,
    DetectedObject,
    DetectResult,
    ImageSize,
    ModelInfo,
    ModelList,
    ModelReference,
    StageTimings,
)
from sightline.messages.problem import Problem
from sightline.messages.receipt import (
    Event,
    EventList,
    GroundPosition,
    Placement,
    Receipt,
    Retraction,
    Unplaced,
    UnplacedReason,
)
from sightline.messages.schema import json_schemas
from sightline.messages.sensor import (
    Accuracy,
    Attitude,
    Distortion,
    Intrinsics,
    Platform,
    Position,
    Sensor,
)
from sightline.messages.sink import (
    DeadLetter,
    DeadLetterList,
    Retry,
    RetryResult,
    SinkList,
    SinkState,
)

__all__ = [
    "Accuracy",
    "Attitude",
    "AuditEntry",
    "AuditSink",
    "AuditTrail",
    "BatchItem",
    "BatchResult",
    "Box",
    "DeadLetter",
    "DeadLetterList",
    "DetectResult",
    "DetectedObject",
    "Detection",
    "DetectionReport",
    "Distortion",
    "Event",
    "EventList",
    "Frame",
    "GroundPosition",
    "ImageSize",
    "Intrinsics",
    "MessageError",
    "ModelInfo",
    "ModelList",
    "ModelReference",
    "Pixel",
    "Placement",
    "Platform",
    "Position",
    "Problem",
    "Receipt",
    "Retraction",
    "Retry",
    "RetryResult",
    "Sensor",
    "SinkList",
    "SinkState",
    "StageTimings",
    "Unplaced",
    "UnplacedReason",
    "convert",
    "decode",
    "encode",
    "json_schemas",
]

VERSION = 1
"""The version in the path of every call: /v1/..."""
