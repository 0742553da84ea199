"""One example of each message, for descriptions of the calls that carry it.

They are the golden examples of `tests/vectors/messages`, as values: a test keeps the two alike.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from sightline.messages.audit import AuditEntry, AuditSink, AuditTrail
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
)
from sightline.messages.sensor import (
    Accuracy,
    Attitude,
    Distortion,
    Intrinsics,
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

CAPTURED_AT = datetime(2026, 11, 24, 10, 0, 0, 250_000, tzinfo=UTC)
COMMITTED_AT = CAPTURED_AT.replace(microsecond=400_000)

FRAME = Frame(
    frame_id="000123",
    camera_id="drone-1",
    captured_at=CAPTURED_AT,
    sensor=Sensor(
        position=Position(
            latitude=47.3977, longitude=8.5456, altitude=512.5, altitude_reference="msl"
        ),
        attitude=Attitude(heading=271.5, pitch=-42.0, roll=1.25),
        intrinsics=Intrinsics(
            image_width=3840,
            image_height=2160,
            focal_mm=4.5,
            sensor_width_mm=6.3,
            principal_point=(1921.5, 1078.0),
            distortion=Distortion(k1=-0.11, k2=0.02, p1=0.001, p2=-0.0005),
        ),
        accuracy=Accuracy(
            horizontal_m=1.5,
            vertical_m=2.0,
            heading=1.0,
            pitch=0.3,
            roll=0.3,
            focal=0.002,
            pixel=1.0,
        ),
    ),
)

BOX = Box(100.5, 200.0, 180.0, 260.25)

DETECTION_REPORT = DetectionReport(
    frame=FRAME,
    detections=(
        Detection(class_name="car", confidence=0.93, box=BOX),
        Detection(class_name="person", confidence=0.41, pixel=Pixel(1000.0, 900.0)),
    ),
)
NOTHING_SEEN = DetectionReport(frame=FRAME, detections=())

PLACEMENT = Placement(
    index=0,
    uid="sightline-2f1d",
    cot_type="a-u-G-E-V-C",
    position=GroundPosition(latitude=47.3979, longitude=8.5449, hae=455.2),
    ce90_m=6.25,
    le90_m=4.93,
    flag="GREEN",
    tle_category=2,
)
UNPLACED = Unplaced(index=1, reason="above_horizon", message="the ray does not meet the ground")

RECEIPT = Receipt(frame_id="000123", camera_id="drone-1", results=(PLACEMENT, UNPLACED))

EVENT = Event(
    sequence=7,
    uid=PLACEMENT.uid,
    cot_type=PLACEMENT.cot_type,
    class_name="car",
    confidence=0.93,
    camera_id="drone-1",
    frame_id="000123",
    index=0,
    captured_at=CAPTURED_AT,
    committed_at=COMMITTED_AT,
    stale_at=CAPTURED_AT.replace(minute=1),
    position=PLACEMENT.position,
    ce90_m=PLACEMENT.ce90_m,
    le90_m=PLACEMENT.le90_m,
    flag=PLACEMENT.flag,
    tle_category=PLACEMENT.tle_category,
    course=181.5,
    speed_mps=11.25,
)
EVENT_LIST = EventList(events=(EVENT,), next=7)

RETRACTION = Retraction(
    uid=EVENT.uid,
    class_name=EVENT.class_name,
    retracted_at=CAPTURED_AT.replace(minute=3, microsecond=0),
    reason="a shadow",
    by="operator-key-1",
)

AUDIT_TRAIL = AuditTrail(
    entries=(
        AuditEntry(
            camera_id="drone-1",
            frame_id="000123",
            index=0,
            trace_id="0af7651916cd43dd8448eb211c80319c",
            captured_at=CAPTURED_AT,
            received_at=CAPTURED_AT.replace(microsecond=390_000),
            committed_at=COMMITTED_AT,
            result=PLACEMENT,
            sequence=7,
            sinks=(
                AuditSink(
                    sink="tak",
                    outcome="acknowledged",
                    sent_at=CAPTURED_AT.replace(microsecond=410_000),
                    settled_at=CAPTURED_AT.replace(microsecond=430_000),
                ),
            ),
        ),
    )
)

_TIMINGS = StageTimings(
    queue=0.1,
    decode=5.0,
    letterbox=0.5,
    inference=20.0,
    postprocess=0.4,
    gateway=3.0,
    total=29.0,
)

DETECT_RESULT = DetectResult(
    frame_id="000123",
    camera_id="drone-1",
    model=ModelReference(name="demo", version="1"),
    image=ImageSize(width=3840, height=2160),
    detections=(
        DetectedObject(class_name="car", confidence=0.93, box=BOX, event=PLACEMENT),
        DetectedObject(
            class_name="person", confidence=0.41, box=Box(1.0, 2.0, 3.0, 4.0), event=UNPLACED
        ),
    ),
    committed=True,
    timings_ms=_TIMINGS,
)
IMAGE_ONLY = DetectResult(
    frame_id=None,
    camera_id=None,
    model=DETECT_RESULT.model,
    image=ImageSize(width=64, height=48),
    detections=(),
    committed=False,
    timings_ms=msgspec.structs.replace(_TIMINGS, gateway=None),
)
WITHOUT_TIMINGS = msgspec.structs.replace(IMAGE_ONLY, timings_ms=None)

BATCH_RESULT = BatchResult(
    results=(
        BatchItem(index=0, status=200, result=IMAGE_ONLY),
        BatchItem(
            index=1,
            status=422,
            problem=Problem(
                type="/problems/invalid-image",
                title="Invalid image",
                status=422,
                detail="image: is neither JPEG, PNG, WebP nor TIFF",
                field="image",
            ),
        ),
    )
)

MODEL_INFO = ModelInfo(
    name="demo",
    version="1",
    sha256="0" * 64,
    labels=("car", "truck"),
    input_width=960,
    input_height=544,
    layout="yolov8",
    provider="CPUExecutionProvider",
    confidence=0.25,
    loaded_at=datetime(2026, 11, 24, 10, 0, tzinfo=UTC),
)
MODEL_LIST = ModelList(models=(MODEL_INFO,))

SINK = SinkState(
    name="tak",
    target="tcp://127.0.0.1:8087",
    state="backing_off",
    acknowledges=True,
    cursor=5,
    sent_cursor=7,
    lag_events=2,
    lag_seconds=3.5,
    sent=7,
    acknowledged=5,
    reconnects=1,
    dead_letters=1,
    certificate_expires_at=datetime(2027, 11, 25, 10, tzinfo=UTC),
    last_error="Connection refused",
)
SINK_LIST = SinkList(sinks=(SINK,))

DEAD_LETTER_LIST = DeadLetterList(
    dead_letters=(
        DeadLetter(
            sequence=4711,
            uid="sightline-6f1d4f0e-3d0c-5b2a-9a51-5f5f0b9c2e11",
            reason="the connection broke on it 3 times: the peer closed the connection",
            buried_at=datetime(2026, 11, 25, 10, tzinfo=UTC),
            retrying=False,
        ),
    ),
    next=4711,
)
RETRY_ALL = Retry()
RETRY_SOME = Retry(sequences=(4711, 4712))
RETRY_RESULT = RetryResult(recalled=2)


def stated(message: msgspec.Struct) -> Any:
    """The message as plain JSON, without the fields that nobody would state in a request."""
    return _without_nulls(msgspec.to_builtins(message))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list | tuple) else value
