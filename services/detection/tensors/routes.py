"""The protocol's calls over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from detection.errors import DetectionError, ModelNotFoundError
from detection.tensors import compression, declaration, reply, request
from detection.tensors.model import TensorModel, TensorModels
from detection.web import problems
from serving.answers import json_answer
from serving.bodies import read_body, unless_gone
from serving.guard import Rules, client_of
from serving.problems import HttpProblem, retry_after
from telemetry import logs
from telemetry.redaction import SECRETS

MODEL = "/v2/models/{name}"
VERSION = MODEL + "/versions/{version}"
INDEX = "/v2/repository/index"

ACCESS: Rules = {
    ("GET", "/v2/health/live"): None,
    ("GET", "/v2/health/ready"): None,
    ("POST", INDEX): "read",
    ("POST", f"{MODEL}/infer"): "detect",
    ("POST", f"{VERSION}/infer"): "detect",
}
"""Which role each call takes, where it is not `read` to look."""

_ASIDE_BYTES = 1 << 16
"""From this size on, what must be unpacked or read as JSON does not hold up the event loop. Bytes
of tensors are only looked at, whatever their size: all but texts, which have none of their own."""
_TEXTS = b'"BYTES"'
_MIN_PACKED_BYTES = 1024
_RETRY_SECONDS = 1.0

T = TypeVar("T")

log = logs.get("detection.tensors")

_Call = Callable[["TensorCalls", Request], Awaitable[Response]]


def _answered(call: _Call) -> _Call:
    """Errors in the protocol's shape, which is not that of the rest of our calls."""

    @wraps(call)
    async def safely(self: TensorCalls, asked: Request) -> Response:
        try:
            return await call(self, asked)
        except DetectionError as error:
            self.failed(problems.outcome(error))
            problem = problems.problem(error)
        except HttpProblem as error:
            problem = error
        except ClientDisconnect:
            self.failed("client_gone")
            raise
        if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.warning("refused", type=problem.type, status=problem.status, detail=problem.detail)
        return json_answer(
            reply.Failure(error=SECRETS.text(problem.detail)),
            status=problem.status,
            headers=problem.headers,
        )

    return safely


def _uncounted(_outcome: str) -> None:
    """Nobody counts what fails."""


@dataclass(frozen=True, kw_only=True)
class TensorCalls:
    """The protocol's calls, over models that take and give tensors."""

    models: TensorModels
    service: str
    version: str
    max_bytes: int
    """Of a body, as it comes and unpacked."""
    deadline_seconds: float
    failed: Callable[[str], None] = _uncounted
    """Told what each request that fails fails of, as metrics name it."""

    def routes(self) -> list[Route]:
        """Where each call is found."""
        return [
            Route("/v2", self.server, methods=["GET"]),
            Route("/v2/health/live", self.live, methods=["GET"]),
            Route("/v2/health/ready", self.ready, methods=["GET"]),
            Route(INDEX, self.index, methods=["POST"]),
            *(
                Route(path + call, answer, methods=[method])
                for path in (MODEL, VERSION)
                for method, call, answer in (
                    ("GET", "", self.model),
                    ("GET", "/ready", self.model_ready),
                    ("POST", "/infer", self.infer),
                )
            ),
        ]

    async def server(self, _asked: Request) -> Response:
        """Say who serves."""
        return json_answer(reply.ServerMetadata(name=self.service, version=self.version))

    async def live(self, _asked: Request) -> Response:
        """Say that the process lives."""
        return json_answer(reply.ServerLive())

    async def ready(self, _asked: Request) -> Response:
        """Say whether requests should be sent here."""
        reason = self.models.ready()
        if reason is not None:
            return json_answer(
                reply.Failure(error=reason), status=503, headers=retry_after(_RETRY_SECONDS)
            )
        return json_answer(reply.ServerReady())

    async def index(self, _asked: Request) -> Response:
        """List all models; the body, which could filter them, is not read."""
        found = [self.models.find(name, None) for name in self.models.names()]
        return json_answer(
            [
                reply.IndexedModel(name=model.name, version=model.version)
                for model in found
                if model is not None
            ]
        )

    @_answered
    async def model(self, asked: Request) -> Response:
        """Tell what a model takes and gives."""
        return json_answer(reply.described(self._model(asked)))

    @_answered
    async def model_ready(self, asked: Request) -> Response:
        """Say whether a model can be asked: all that are known can."""
        return json_answer(reply.ModelReady(name=self._model(asked).name))

    @_answered
    async def infer(self, asked: Request) -> Response:
        """Run a model on tensors."""
        began = asyncio.get_running_loop().time()
        model, client = self._model(asked), client_of(asked)
        model.admit(deadline=began + self.deadline_seconds, client=client)
        body = await read_body(asked, limit=self.max_bytes, field="body")
        header_length = asked.headers.get(request.HEADER_LENGTH)
        packed = asked.headers.get("content-encoding")

        def read() -> request.InferRequest:
            plain = compression.unpacked(body, packed, limit=self.max_bytes)
            return request.read(plain, header_length=header_length)

        wanted = await _aside(read, when=_costly(body, header_length, packed=packed is not None))
        declaration.check(wanted.inputs, model.inputs)
        outputs = declaration.chosen(wanted.outputs, model.outputs)
        seconds = min(self.deadline_seconds, wanted.timeout_seconds or self.deadline_seconds)
        async with unless_gone(asked):
            arrays = await model.infer(
                wanted.inputs,
                [tensor.name for tensor in outputs],
                deadline=began + seconds,
                client=client,
            )
        encoding = compression.wanted(asked.headers.get("accept-encoding"))

        def write() -> reply.Written:
            written = reply.write(wanted, model, outputs, arrays)
            if encoding is None or len(written.body) < _MIN_PACKED_BYTES:
                return written
            return reply.Written(
                body=compression.packed(written.body, encoding),
                headers={
                    **written.headers, "Content-Encoding": encoding, "Vary": "Accept-Encoding",
                },
            )  # fmt: skip

        size = sum(array.nbytes for array in arrays)
        costly = encoding is not None or not wanted.binary
        written = await _aside(write, when=costly and size > _ASIDE_BYTES)
        return Response(written.body, headers=dict(written.headers))

    def _model(self, asked: Request) -> TensorModel:
        name = asked.path_params["name"]
        version = asked.path_params.get("version")
        model = self.models.find(name, version)
        if model is None:
            known = ", ".join(self.models.names())
            there = self.models.find(name, None)
            raise ModelNotFoundError(
                f"model {name[:60]!r} is not loaded (known: {known})"
                if there is None or version is None
                else f"model {name[:60]!r} has no version {version[:60]!r} (it has {there.version})"
            )
        return model


def _costly(body: bytes, header_length: str | None, *, packed: bool) -> bool:
    """Whether reading the body takes long enough to be done elsewhere."""
    if packed or header_length is None:
        return len(body) > _ASIDE_BYTES
    written = int(header_length) if header_length.isdecimal() and len(header_length) < 10 else 0
    return written > _ASIDE_BYTES or (len(body) > _ASIDE_BYTES and _TEXTS in body[:written])


async def _aside(work: Callable[[], T], *, when: bool) -> T:
    return await asyncio.to_thread(work) if when else work()
