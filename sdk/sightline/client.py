"""Talk to the services from Python: typed answers, and problem documents as exceptions.

with Client("http://127.0.0.1:8000") as detection:
    result = detection.detect(Path("frame.jpg").read_bytes(), frame=frame)
"""

from __future__ import annotations

from types import TracebackType
from typing import Self, TypeVar

import httpx

from sightline.messages import (
    DetectionReport,
    DetectResult,
    EventList,
    Frame,
    MessageError,
    ModelList,
    Problem,
    Receipt,
    SinkList,
    decode,
    encode,
)

T = TypeVar("T")

TIMEOUT_SECONDS = 30.0


class ClientError(Exception):
    """Base of what a call can fail with; the message is one clear sentence."""


class UnreachableError(ClientError):
    """Nobody answers there."""


class ProblemError(ClientError):
    """The service refused: its problem document is `problem`."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.status} {problem.title}: {problem.detail}")
        self.problem = problem


class Client:
    """Either service, by its address; `key` is an API key or a token.

    `transport` is httpx's port: give a fake one in tests.
    """

    def __init__(
        self,
        base_url: str,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._base_url = base_url
        self._http = httpx.Client(
            base_url=base_url,
            timeout=timeout,
            transport=transport,
            trust_env=False,
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def detect(self, image: bytes, *, frame: Frame | None = None) -> DetectResult:
        """Objects in an image; with a frame, committed where the service has a gateway."""
        if frame is None:
            headers = {"Content-Type": "application/octet-stream"}
            return self._read(DetectResult, "POST", "/v1/detect", content=image, headers=headers)
        return self._read(DetectResult, "POST", "/v1/detect", files=parts(image, frame))

    def report(self, report: DetectionReport) -> Receipt:
        """Hand detections to the gateway; they are committed when this returns."""
        return self._read(Receipt, "POST", "/v1/detections", content=encode(report))

    def models(self) -> ModelList:
        """The models of the detection service."""
        return self._read(ModelList, "GET", "/v1/models")

    def events(
        self,
        *,
        limit: int = 100,
        before: int | None = None,
        since: int | None = None,
        uid: str | None = None,
    ) -> EventList:
        """The gateway's history: newest first, or with `since` what came after, oldest first."""
        query = {"limit": limit, "before": before, "since": since, "uid": uid}
        return self._read(
            EventList,
            "GET",
            "/v1/events",
            params={name: value for name, value in query.items() if value is not None},
        )

    def sinks(self) -> SinkList:
        """How far delivery has come."""
        return self._read(SinkList, "GET", "/v1/sinks")

    def _read(self, kind: type[T], method: str, path: str, **arguments: object) -> T:
        try:
            answer = self._http.request(method, path, **arguments)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            raise UnreachableError(f"{self._base_url} does not answer: {error}") from error
        return read(answer, kind)


def parts(image: bytes, frame: Frame) -> dict[str, tuple[str, bytes, str]]:
    """The multipart form of POST /v1/detect."""
    return {
        "image": ("image", image, "application/octet-stream"),
        "frame": ("frame.json", encode(frame), "application/json"),
    }


def read(answer: httpx.Response, kind: type[T]) -> T:
    """The typed answer, or ProblemError."""
    if answer.is_success:
        try:
            return decode(answer.content, kind)
        except MessageError as error:
            raise ClientError(f"{answer.url} answered something else: {error}") from error
    try:
        raise ProblemError(decode(answer.content, Problem))
    except MessageError:
        raise ProblemError(
            Problem(
                type="about:blank",
                title=answer.reason_phrase,
                status=answer.status_code,
                detail=f"{answer.url} answered {answer.status_code}",
            )
        ) from None
