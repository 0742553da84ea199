"""Committing a frame at the gateway: asked again until it has, or until there is no time left.

Asking again is safe: `camera_id` and `frame_id` name a frame for ever, and the gateway answers the
same for one that it has already.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import httpx

from detection.errors import (
    FrameDiffersError,
    GatewayError,
    GatewayRefusal,
    GatewayTimeoutError,
    GatewayUnavailableError,
)
from serving import identity
from sightline.messages import DetectionReport, MessageError, Problem, Receipt, decode, encode
from sightline.sockets import watchful
from telemetry import logs, traces
from telemetry.spans import Spans
from telemetry.traces import Trace

FIRST_BACKOFF_SECONDS = 0.05
MAX_BACKOFF_SECONDS = 1.0
LEAST_SECONDS = 0.05
"""An attempt that has less than this left is not begun: it would end as "did not answer in time"
where the gateway is known to be away."""
CONNECTIONS = 256
GONE_SECONDS = 3
"""After so long without a sign of life from its kernel, a gateway is asked no longer."""

# Statuses that say "not now" rather than "not so".
_BUSY = frozenset({429, 502, 503, 504, 507})
_PATH = "/v1/detections"
REFUSED = frozenset({400, 409, 413, 422})
"""Statuses by which the gateway tells the sender of the frame what is wrong with it."""

log = logs.get("detection.gateway")


def client(*, key: str | None = None) -> httpx.AsyncClient:
    """A client with kept connections, which only ever talks to the gateway itself."""
    transport = httpx.AsyncHTTPTransport(
        limits=httpx.Limits(
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            # Shorter than the gateway keeps them, so that it never closes one under a request.
            keepalive_expiry=30.0,
        ),
        trust_env=False,
        socket_options=watchful(GONE_SECONDS),
    )
    return httpx.AsyncClient(
        transport=transport,
        trust_env=False,
        headers={} if key is None else {"Authorization": f"Bearer {key}"},
    )


OUTCOMES = ("committed", "busy", "refused", "failed", "timeout", "unreachable")
"""Of one attempt, for metrics."""


class Gateway:
    """The gateway at one address."""

    def __init__(
        self,
        url: str,
        *,
        client: httpx.AsyncClient,
        outcome: Callable[[str], None],
        spans: Spans | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._url = url.rstrip("/") + _PATH
        self._spans = spans or Spans()
        self._client = client
        self._outcome = outcome
        self._jitter = jitter

    async def commit(self, report: DetectionReport, *, deadline: float) -> Receipt:
        """Have the report committed; raise GatewayError when it is not, as far as we know.

        `deadline` is the event loop's time.
        """
        loop = asyncio.get_running_loop()
        body = encode(report)
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            left = deadline - loop.time()
            if left <= 0.0:
                raise GatewayTimeoutError("no time was left to commit the frame at the gateway")
            try:
                receipt = await self._attempt(body, seconds=left)
            except GatewayUnavailableError as error:
                pause = max(backoff * self._jitter(), error.retry_seconds)
                if loop.time() + pause + LEAST_SECONDS >= deadline:
                    raise
                log.warning("gateway asked again", reason=str(error), pause_s=round(pause, 3))
                await asyncio.sleep(pause)
                backoff = min(2.0 * backoff, MAX_BACKOFF_SECONDS)
            else:
                return _checked(receipt, report)

    async def _attempt(self, body: bytes, *, seconds: float) -> Receipt:
        """Ask once; the gateway's own span is below that of this attempt."""
        current = traces.current.get()
        trace = None if current is None else traces.child(current)
        began = time.perf_counter()
        status, error = None, None
        try:
            answer = await self._ask(body, trace, seconds=seconds)
            status = answer.status_code
            return self._read(answer)
        except GatewayError as failure:
            error = str(failure)
            raise
        finally:
            if trace is not None and self._spans.kept:
                self._spans.record(
                    f"POST {_PATH}",
                    trace,
                    began=began,
                    ended=time.perf_counter(),
                    kind="client",
                    attributes=self._attributes(status),
                    error=error,
                )

    def _attributes(self, status: int | None) -> dict[str, str | int]:
        """By OpenTelemetry's semantic conventions for HTTP clients."""
        answered = {} if status is None else {"http.response.status_code": status}
        return {"http.request.method": "POST", "url.full": self._url, **answered}

    async def _ask(self, body: bytes, trace: Trace | None, *, seconds: float) -> httpx.Response:
        try:
            async with asyncio.timeout(seconds):
                return await self._client.post(
                    self._url,
                    content=body,
                    headers=_headers(trace),
                    timeout=httpx.Timeout(seconds, connect=min(seconds, GONE_SECONDS)),
                )
        except httpx.ConnectTimeout as error:
            self._outcome("unreachable")
            raise GatewayUnavailableError("the gateway's address swallows packets") from error
        except (TimeoutError, httpx.TimeoutException) as error:
            self._outcome("timeout")
            raise GatewayTimeoutError(
                "the gateway did not answer before the request's deadline"
            ) from error
        except httpx.TransportError as error:
            self._outcome("unreachable")
            raise GatewayUnavailableError(
                f"the gateway cannot be reached ({type(error).__name__})"
            ) from error
        except httpx.DecodingError as error:
            self._outcome("failed")
            raise GatewayError("the gateway's answer is not in the encoding it names") from error

    def _read(self, answer: httpx.Response) -> Receipt:
        status = answer.status_code
        if status in (200, 201):
            try:
                receipt = decode(answer.content, Receipt)
            except MessageError as error:
                self._outcome("failed")
                raise GatewayError(f"the gateway's receipt cannot be read: {error}") from error
            self._outcome("committed")
            return receipt
        if status in _BUSY:
            self._outcome("busy")
            raise GatewayUnavailableError(
                f"the gateway is too busy (status {status})",
                retry_seconds=_seconds(answer.headers.get("retry-after")),
            )
        if status in REFUSED:
            self._outcome("refused")
            raise GatewayRefusal(_problem(answer))
        self._outcome("failed")
        raise GatewayError(f"the gateway answered with status {status}")


def _headers(trace: Trace | None) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    if trace is not None:
        headers[traces.HEADER] = trace.header
    request_id = identity.current.get()
    if request_id is not None:
        headers[identity.HEADER] = request_id
    return headers


def _seconds(retry_after: str | None) -> float:
    """What the gateway asks us to wait; its other form, a date, is not used between services."""
    if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    return 0.0


def _problem(answer: httpx.Response) -> Problem:
    """The gateway's own words, where they can be read."""
    try:
        return decode(answer.content, Problem)
    except MessageError:
        return Problem(
            type="/problems/gateway-refused",
            title="Gateway refused",
            status=answer.status_code,
            detail=f"the gateway refused the frame with status {answer.status_code}",
        )


def _checked(receipt: Receipt, report: DetectionReport) -> Receipt:
    """The receipt, if it is for what was reported."""
    frame = report.frame
    if (receipt.camera_id, receipt.frame_id) != (frame.camera_id, frame.frame_id):
        raise GatewayError("the gateway's receipt is for another frame")
    indices = sorted(result.index for result in receipt.results)
    if indices == list(range(len(report.detections))):
        return receipt
    raise FrameDiffersError(
        f"frame {frame.frame_id} of camera {frame.camera_id} is committed already, with"
        f" {len(receipt.results)} detections where this image has {len(report.detections)}"
    )
