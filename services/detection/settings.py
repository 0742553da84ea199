"""What can be set, with its defaults and limits."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from serving import command
from serving.keychain import AccessSettings
from telemetry import logs

SERVICE = "detection"
PREFIX = "SIGHTLINE_DETECTION_"

_Fraction = Annotated[float, Meta(ge=0, le=1)]
_Seconds = Annotated[float, Meta(gt=0, le=3600)]


_Overlap = Annotated[float, Meta(ge=0, lt=1)]
_Tiles = Annotated[int, Meta(ge=64, le=8192)] | Literal["auto", "off"]


class CameraSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One camera: [[cameras]]."""

    id: Annotated[str, Meta(min_length=1)]
    """As frames call it: camera_id."""
    tiles: _Tiles = "off"
    """As the setting of the same name."""
    tile_overlap: _Overlap = 0.2
    """As the setting of the same name."""
    tile_whole: bool = True
    """As the setting of the same name."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a TOML file, or of SIGHTLINE_DETECTION_* variables."""

    models: Annotated[
        str, Meta(min_length=1, description="one *.onnx file, or a folder of them (models.toml)")
    ]
    default_model: str | None = None
    """Which one answers when a request names none; the first by name where this is not set."""
    layout: str | None = None
    """How models write their boxes, of which the manifest says nothing; else it is found out."""
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

    max_batch_images: Annotated[int, Meta(ge=1, le=1024)] = 32
    """Images of one batch; more are refused."""
    max_batch_bytes: Annotated[int, Meta(ge=1, le=2_000_000_000)] = 200_000_000
    """A longer batch is refused with 413."""

    tiles: _Tiles = "off"
    """Cut large images into tiles of so many pixels, or of the model's own size (auto)."""
    tile_overlap: _Overlap = 0.2
    """Of a tile's side: what is smaller lies whole in one tile at least."""
    tile_whole: bool = True
    """Look at the whole image, too, for what is larger than a tile."""
    max_tiles: Annotated[int, Meta(ge=1, le=10_000)] = 64
    """Of one image; more are refused."""
    cameras: tuple[CameraSettings, ...] = ()
    """What single cameras get instead: a list of tables."""

    lanes: Annotated[int, Meta(ge=1, le=256)] | None = None
    """Images that are looked at at once; as many as there are cores where this is not set."""
    intra_threads: Annotated[int, Meta(ge=1, le=64)] = 1
    """Threads within one inference. Lanes times these should not exceed the cores."""
    wide_threads: Annotated[int, Meta(ge=1, le=64)] | None = None
    """Threads of an inference whose image is alone; as many as there are cores where this is not
    set. With no more than intra_threads, each model is loaded once only, and needs less memory."""
    providers: Annotated[tuple[Literal["cpu", "cuda", "tensorrt", "openvino"], ...],
                         Meta(min_length=1, max_length=4)] = ("cpu",)  # fmt: skip
    """Where inference runs, the most wanted first; each needs its build of ONNX Runtime."""
    queue_limit: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    """Images that may wait for a lane; beyond it the answer is 503. Twelve for each lane where
    this is not set."""
    deadline_seconds: _Seconds = 10.0
    """For the whole request, the commit at the gateway included; beyond it 503 or 504. A request
    may state its own (X-Request-Timeout)."""
    longest_deadline_seconds: _Seconds = 60.0
    """The most that a request's own counts."""
    stuck_seconds: _Seconds = 30.0
    """A lane whose model makes no step for so long is replaced, and the model loaded anew."""

    gateway_url: Annotated[str, Meta(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$")] | None = None
    """Where frames are committed; nothing is forwarded where this is not set."""

    gateway_key: Annotated[str, Meta(pattern=r"^[!-~]+$")] | None = None
    """The API key that is shown to the gateway; named by its file."""

    otlp_endpoint: str | None = None
    """Where traces go, as OTLP over HTTP; OTEL_EXPORTER_OTLP_ENDPOINT where this is not set."""
    trace_sample_ratio: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Of traces that begin here, how many are kept; a caller's trace is kept if the caller says so
    (traceparent)."""

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
    log_sample_rate: Annotated[float, Meta(gt=0, le=1_000_000)] = logs.SAMPLE_RATE
    """Lines of successful calls to one route that are written each second; of what comes on top,
    1 in log_sample_every. Failures, slow calls and warnings are always written."""
    log_sample_every: Annotated[int, Meta(ge=1, le=1_000_000)] = logs.SAMPLE_EVERY
    """Which, the trace id decides, alike in every service; 1 keeps all. Such a line says how many
    were left out before it (`suppressed`)."""
    version: str = msgspec.field(default_factory=command.release)
    """Marks log lines and metrics."""
    colour: str = "none"
    """Marks log lines and metrics: blue or green."""
