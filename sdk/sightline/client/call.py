"""The calls of both services, as values: what to send, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar
from urllib.parse import quote

import httpx

from sightline.messages import (
    BatchResult,
    DetectionReport,
    DetectResult,
    EventList,
    Frame,
    ModelInfo,
    ModelList,
    Receipt,
    SinkList,
    encode,
)
from sightline.messages.inference import TIMEOUT_HEADER

T = TypeVar("T")

Tiles = Literal["auto", "off"] | int
"""How a large image is cut into tiles: as the service sees fit, not at all, or this many pixels."""

CONNECT_SECONDS = 5.0
"""An address that swallows packets is given up after so long, and asked again."""

_JSON = "application/json"
_BYTES = "application/octet-stream"

Part = tuple[str, tuple[str, bytes, str]]
"""Of a form: its name, and the file name, content and media type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call(Generic[T]):
    """One call. Making it twice changes nothing more: a frame is named by its camera and id."""

    method: str
    path: str
    kind: type[T]
    """Of the answer."""
    query: Mapping[str, str] = field(default_factory=dict)
    content: bytes | None = None
    media_type: str = _JSON
    form: tuple[Part, ...] = ()

    def request(self, http: httpx.Client | httpx.AsyncClient, *, seconds: float) -> httpx.Request:
        """As httpx sends it; whoever answers learns that only so many seconds are left."""
        headers = {TIMEOUT_HEADER: f"{seconds:.3f}"}
        if self.content is not None:
            headers["Content-Type"] = self.media_type
        return http.build_request(
            self.method,
            self.path,
            params=self.query or None,
            content=self.content,
            files=self.form or None,
            headers=headers,
            timeout=httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
        )


def detect(
    image: bytes,
    *,
    frame: Frame | None = None,
    model: str | None = None,
    confidence: float | None = None,
    tiles: Tiles | None = None,
    timings: bool = True,
) -> Call[DetectResult]:
    """POST /v1/detect: the image as it is, or a form where its frame goes with it."""
    query = _asked(model=model, confidence=confidence, tiles=tiles, timings=timings)
    if frame is None:
        return Call(
            method="POST",
            path="/v1/detect",
            kind=DetectResult,
            query=query,
            content=image,
            media_type=_BYTES,
        )
    return Call(
        method="POST",
        path="/v1/detect",
        kind=DetectResult,
        query=query,
        form=(_image(image), ("frame", ("frame.json", encode(frame), _JSON))),
    )


def detect_batch(
    images: Sequence[bytes],
    *,
    frames: Sequence[Frame | None] | None = None,
    model: str | None = None,
    confidence: float | None = None,
    tiles: Tiles | None = None,
    timings: bool = True,
) -> Call[BatchResult]:
    """POST /v1/detect/batch: a part for each image, and one with a frame or null for each."""
    if not images:
        raise ValueError("images: a batch needs one at least, got none")
    if frames is not None and len(frames) != len(images):
        raise ValueError(
            f"frames: there must be one or None for each of the {len(images)} images,"
            f" got {len(frames)}"
        )
    form = tuple(_image(image) for image in images)
    if frames is not None:
        form += (("frames", ("frames.json", encode(list(frames)), _JSON)),)
    return Call(
        method="POST",
        path="/v1/detect/batch",
        kind=BatchResult,
        query=_asked(model=model, confidence=confidence, tiles=tiles, timings=timings),
        form=form,
    )


def models() -> Call[ModelList]:
    """GET /v1/models."""
    return Call(method="GET", path="/v1/models", kind=ModelList)


def reload(model: str) -> Call[ModelInfo]:
    """POST /v1/models/{name}/reload."""
    return Call(method="POST", path=f"/v1/models/{quote(model, safe='')}/reload", kind=ModelInfo)


def report(report: DetectionReport) -> Call[Receipt]:
    """POST /v1/detections."""
    return Call(method="POST", path="/v1/detections", kind=Receipt, content=encode(report))


def events(
    *, limit: int, before: int | None, since: int | None, uid: str | None
) -> Call[EventList]:
    """GET /v1/events."""
    query = _stated(limit=limit, before=before, since=since, uid=uid)
    return Call(method="GET", path="/v1/events", kind=EventList, query=query)


def sinks() -> Call[SinkList]:
    """GET /v1/sinks."""
    return Call(method="GET", path="/v1/sinks", kind=SinkList)


def _asked(
    *, model: str | None, confidence: float | None, tiles: Tiles | None, timings: bool
) -> dict[str, str]:
    """The parameters of a detection; what is not stated is the service's to choose."""
    without = None if timings else "false"
    return _stated(model=model, confidence=confidence, tiles=tiles, timings=without)


def _stated(**query: object) -> dict[str, str]:
    return {name: str(value) for name, value in query.items() if value is not None}


def _image(image: bytes) -> Part:
    return "image", ("image", image, _BYTES)
