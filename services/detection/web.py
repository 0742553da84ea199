"""The calls of the detection service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from detection import pipeline, problems, submission
from detection.errors import DetectionError, ParameterError
from detection.gateway import Gateway
from detection.lanes import Lanes
from detection.metrics import DetectionMetrics
from detection.model import Model
from detection.pipeline import Limits, Scratch, Sighting
from detection.submission import Submission
from serving.bodies import read_body, unless_gone
from sightline.messages import (
    DetectedObject,
    DetectionReport,
    DetectResult,
    Frame,
    ImageSize,
    ModelList,
    ModelReference,
    Placement,
    StageTimings,
    Unplaced,
    encode,
)
from sightline.messages.value import Answer
from telemetry import logs

log = logs.get("detection.web")


class Index(Answer, frozen=True, kw_only=True):
    """Who answers here."""

    service: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What a request gets that does not ask for anything else."""

    confidence: float
    deadline_seconds: float
    max_image_bytes: int
    limits: Limits


@dataclass(frozen=True, kw_only=True)
class Detector:
    """The service's calls, over its loaded models (the default one first)."""

    models: Mapping[str, Model]
    lanes: Lanes
    gateway: Gateway | None
    metrics: DetectionMetrics
    policy: Policy
    service: str
    version: str

    def routes(self) -> list[Route]:
        """Where each call is found."""
        return [
            Route("/", self.index, methods=["GET"]),
            Route("/v1/detect", self.detect, methods=["POST"]),
            Route("/v1/models", self.list_models, methods=["GET"]),
        ]

    async def index(self, _request: Request) -> Response:
        """Say who answers here."""
        return _json(Index(service=self.service, version=self.version))

    async def list_models(self, _request: Request) -> Response:
        """Tell every loaded model, the default one first."""
        return _json(ModelList(models=tuple(model.info for model in self.models.values())))

    async def detect(self, request: Request) -> Response:
        """Look at one image; commit what was seen where there is a frame and a gateway."""
        deadline = asyncio.get_running_loop().time() + self.policy.deadline_seconds
        body = await read_body(request, limit=self.policy.max_image_bytes, field="image")
        began = time.perf_counter()
        try:
            asked = submission.read(
                body,
                content_type=request.headers.get("content-type"),
                query=request.query_params,
            )
            model = self._model(asked.model)
            if asked.frame is not None:
                logs.bind(frame_id=asked.frame.frame_id, camera_id=asked.frame.camera_id)
            sighting, queued = await self._look(request, asked, model, deadline)
            placed, gateway_seconds = await self._commit(asked.frame, sighting, deadline)
        except DetectionError as error:
            self.metrics.failed(problems.outcome(error))
            raise
        result = _result(
            asked.frame,
            model,
            sighting,
            placed,
            _timings(sighting, queued, gateway_seconds, time.perf_counter() - began),
        )
        self.metrics.detected(
            model=model.info.name, timings=result.timings_ms, objects=result.detections
        )
        return _json(result)

    def _model(self, name: str | None) -> Model:
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            known = ", ".join(self.models)
            raise ParameterError(f"{name[:60]!r} is not loaded (known: {known})", field="model")
        return self.models[name]

    async def _look(
        self, request: Request, asked: Submission, model: Model, deadline: float
    ) -> tuple[Sighting, float]:
        """Have a lane look at the image, unless its client goes away before its turn."""
        confidence = self.policy.confidence if asked.confidence is None else asked.confidence

        def work(scratch: Scratch) -> Sighting:
            return pipeline.detect(
                asked.image,
                model=model,
                scratch=scratch,
                confidence=confidence,
                limits=self.policy.limits,
            )

        try:
            async with unless_gone(request):
                return await self.lanes.run(work, deadline=deadline)
        except ClientDisconnect:
            self.metrics.failed("client_gone")
            raise

    async def _commit(
        self, frame: Frame | None, sighting: Sighting, deadline: float
    ) -> tuple[dict[int, Placement | Unplaced] | None, float | None]:
        """Have the gateway commit the frame; None where nothing is to be committed.

        A frame in which nothing was seen is reported, too: that it was looked at is a fact.
        """
        if frame is None or self.gateway is None:
            return None, None
        began = time.perf_counter()
        report = DetectionReport(
            frame=frame,
            detections=submission.as_reported(
                sighting.detections, frame, width=sighting.width, height=sighting.height
            ),
        )
        receipt = await self.gateway.commit(report, deadline=deadline)
        placed = {result.index: result for result in receipt.results}
        return placed, time.perf_counter() - began


def _result(
    frame: Frame | None,
    model: Model,
    sighting: Sighting,
    placed: dict[int, Placement | Unplaced] | None,
    timings: StageTimings,
) -> DetectResult:
    return DetectResult(
        frame_id=None if frame is None else frame.frame_id,
        camera_id=None if frame is None else frame.camera_id,
        model=ModelReference(name=model.info.name, version=model.info.version),
        image=ImageSize(width=sighting.width, height=sighting.height),
        detections=tuple(
            DetectedObject(
                class_name=each.class_name,
                confidence=each.confidence,
                box=each.box,
                event=None if placed is None else placed[index],
            )
            for index, each in enumerate(sighting.detections)
            if each.box is not None
        ),
        committed=placed is not None,
        timings_ms=timings,
    )


def _timings(
    sighting: Sighting, queued: float, gateway: float | None, total: float
) -> StageTimings:
    spent = sighting.seconds
    return StageTimings(
        queue=_ms(queued),
        decode=_ms(spent.decode),
        letterbox=_ms(spent.letterbox),
        inference=_ms(spent.inference),
        postprocess=_ms(spent.postprocess),
        gateway=None if gateway is None else _ms(gateway),
        total=_ms(total),
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000.0, 3)


def _json(body: object) -> Response:
    return Response(encode(body), media_type="application/json")
