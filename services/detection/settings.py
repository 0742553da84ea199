"""What can be set, with its defaults and limits."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from serving import command
from serving.keychain import AccessSettings

PREFIX = "SIGHTLINE_DETECTION_"

_Fraction = Annotated[float, Meta(ge=0, le=1)]
_Seconds = Annotated[float, Meta(gt=0, le=3600)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a TOML file, or of SIGHTLINE_DETECTION_* variables."""

    models: Annotated[str, Meta(min_length=1, description="one *.onnx file, or a folder of them")]
    default_model: str | None = None
    """Which one answers when a request names none; the first by name where this is not set."""
    layout: Literal["yolov8"] = "yolov8"
    """How the models write their boxes."""
    input_size: Annotated[int, Meta(ge=32, le=8192)] | None = None
    """Side of the input, for models that take any size; else as the model says."""
    max_model_megabytes: Annotated[float, Meta(gt=0, le=2000)] = 512.0
    """A larger model file is refused before it is read."""

    confidence: _Fraction = 0.25
    """Detections that score less are left out, unless a request states its own threshold."""
    nms_iou: _Fraction = 0.6
    """Of two boxes of a class that overlap more than this, only the surer one stays."""
    max_detections: Annotated[int, Meta(ge=1, le=10_000)] = 300
    """Of an image, the surest ones."""

    max_image_bytes: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 50_000_000
    """A longer body is refused with 413."""
    max_image_megapixels: Annotated[float, Meta(gt=0, le=1000)] = 64.0
    """A larger image is refused with 413, before it is decoded."""

    lanes: Annotated[int, Meta(ge=1, le=256)] | None = None
    """Images that are looked at at once; as many as there are cores where this is not set."""
    intra_threads: Annotated[int, Meta(ge=1, le=64)] = 1
    """Threads within one inference. Lanes times these should not exceed the cores."""
    queue_limit: Annotated[int, Meta(ge=0, le=10_000)] = 64
    """Images that may wait for a lane; beyond it the answer is 503."""
    deadline_seconds: _Seconds = 10.0
    """For the whole request, the commit at the gateway included; beyond it 503 or 504."""

    gateway_url: Annotated[str, Meta(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$")] | None = None
    """Where frames are committed; nothing is forwarded where this is not set."""

    gateway_key: str | None = None
    """The API key that is shown to the gateway; named by its file."""

    access: AccessSettings = msgspec.field(default_factory=AccessSettings)
    """Who may do what: a table."""
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all of this machine."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8000
    """0 takes a free one."""
    drain_seconds: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    """On SIGTERM: how long to answer on while not ready, so that a balancer looks elsewhere."""
    shutdown_seconds: _Seconds = 30.0
    """On SIGTERM: how long open requests may take to end."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Of the JSON lines on stdout."""
    version: str = msgspec.field(default_factory=command.release)
    """Marks log lines and metrics."""
    colour: str = "none"
    """Marks log lines and metrics: blue or green."""
