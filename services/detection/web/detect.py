"""The calls that look at images: one, and several at once."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from detection.account import timings_of
from detection.errors import DetectionError, ImageSizeError
from detection.gateway import Gateway
from detection.lanes import Turn
from detection.models.model import Model
from detection.pipeline import Sighting
from detection.web import problems, submission
from detection.web.looking import Looking, Terms
from detection.web.submission import Submission
from serving.answers import json_answer
from serving.bodies import read_body, unless_gone
from serving.guard import client_of
from serving.problems import HttpProblem, document
from sightline.messages import (
    BatchItem,
    BatchResult,
    DetectedObject,
    DetectionReport,
    DetectResult,
    Frame,
    ImageSize,
    ModelReference,
    Placement,
    StageTimings,
    Unplaced,
)
from sightline.messages.value import Answer
from telemetry import logs, traces


class Index(Answer, frozen=True, kw_only=True):
    """Who answers here."""

    service: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Detector:
    """The service's calls about images."""

    looking: Looking
    gateway: Gateway | None
    service: str
    version: str

    def routes(self) -> list[Route]:
        """Where each call is found."""
        return [
            Route("/", self.index, methods=["GET"]),
            Route("/v1/detect", self.detect, methods=["POST"]),
            Route("/v1/detect/batch", self.detect_batch, methods=["POST"]),
        ]

    async def index(self, _request: Request) -> Response:
        """Say who answers here."""
        return json_answer(Index(service=self.service, version=self.version))

    async def detect(self, request: Request) -> Response:
        """Look at one image; commit what was seen where there is a frame and a gateway."""
        body, deadline = await self._body(request, self.looking.policy.max_image_bytes, "image")
        began = time.perf_counter()
        with self.looking.counting():
            terms = self._terms(request, deadline)
            one = submission.read(body, content_type=request.headers.get("content-type"))
        frame = one.frame
        if frame is not None:
            logs.bind(frame_id=frame.frame_id, camera_id=frame.camera_id)
        # Who goes away was told nothing, and sends the frame again: until then, neither a lane nor
        # a gateway that is away is worth waiting for.
        with self.looking.counting(terms.model):
            async with unless_gone(request):
                turn = await self.looking.look(one.image, frame, terms)
                result = await self._result(one, terms, turn, began)
        return json_answer(result)

    async def detect_batch(self, request: Request) -> Response:
        """Look at several images, each as if it had come alone; an answer for each, in order."""
        looking, policy = self.looking, self.looking.policy
        body, deadline = await self._body(request, policy.max_batch_bytes, "body")
        with looking.counting():
            terms = self._terms(request, deadline)
            images = submission.read_batch(
                body,
                content_type=request.headers.get("content-type"),
                most=policy.max_batch_images,
            )
        # No more in the queue at once than the lanes can take up: a batch leaves room to others.
        places = asyncio.Semaphore(looking.lanes.count + 1)

        async def one(index: int, image: Submission) -> BatchItem:
            async with places:
                return await self._item(index, image, terms)

        with looking.counting(terms.model):
            async with unless_gone(request):
                results = await asyncio.gather(*(one(*pair) for pair in enumerate(images)))
        logs.bind(
            images=len(results),
            failed=sum(each.result is None for each in results),
            detections=sum(len(each.result.detections) for each in results if each.result),
        )
        return json_answer(BatchResult(results=tuple(results)))

    async def _body(self, request: Request, limit: int, field: str) -> tuple[bytes, float]:
        """The body, and until when its sender waits; neither for whom there is no time."""
        deadline = self.looking.deadline(request)
        self.looking.admit(request, deadline)
        return await read_body(request, limit=limit, field=field), deadline

    def _terms(self, request: Request, deadline: float) -> Terms:
        asked = submission.parameters(request.query_params)
        model = self.looking.model(asked.model)
        logs.bind(model=model.info.name)
        return Terms(asked=asked, model=model, client=client_of(request), deadline=deadline)

    async def _item(self, index: int, image: Submission, terms: Terms) -> BatchItem:
        """One image of several, below a span of its own."""
        began = time.perf_counter()
        problem: HttpProblem | None = None
        result = None
        spans = self.looking.account.spans
        trace = traces.current.get()
        if spans.kept and trace is not None:
            trace = traces.child(trace)
            # Of this image's task only; its stages and its commit are below it.
            traces.current.set(trace)
        try:
            result = await self._looked(image, terms, began)
        except DetectionError as error:
            problem = problems.problem(error)
        status = 200 if problem is None else problem.status
        if trace is not None:
            spans.record(
                "image",
                trace,
                began=began,
                ended=time.perf_counter(),
                attributes={"index": index, "status": status},
                error=None if status < 500 or problem is None else problem.detail,
            )
        return BatchItem(
            index=index,
            status=status,
            result=result,
            problem=None if problem is None else document(problem),
        )

    async def _looked(self, image: Submission, terms: Terms, began: float) -> DetectResult:
        limit = self.looking.policy.max_image_bytes
        with self.looking.counting(terms.model):
            if len(image.image) > limit:
                raise ImageSizeError(
                    f"is {len(image.image)} bytes long; at most {limit} bytes are taken",
                    limit=f"{limit} bytes",
                )
            turn = await self.looking.look(image.image, image.frame, terms)
            return await self._result(image, terms, turn, began)

    async def _result(
        self, one: Submission, terms: Terms, turn: Turn[Sighting], began: float
    ) -> DetectResult:
        """Commit what was seen, and say it."""
        sighting, model = turn.result, terms.model
        placed, gateway = await self._commit(one.frame, sighting, terms.deadline)
        timings = timings_of(turn, gateway=gateway, total=time.perf_counter() - began)
        told = timings if terms.asked.timings else None
        result = _answer(one.frame, model, sighting, placed=placed, timings=told)
        self.looking.account.answered(
            model.info.name, timings=timings, objects=result.detections, tiles=sighting.tiles
        )
        return result

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


def _answer(
    frame: Frame | None,
    model: Model,
    sighting: Sighting,
    *,
    placed: dict[int, Placement | Unplaced] | None,
    timings: StageTimings | None,
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
