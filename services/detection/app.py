"""Wires the service together from its settings."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette

from detection import cores, gateway
from detection.account import Account
from detection.gateway import Gateway
from detection.lanes import Lanes
from detection.mending import Mending
from detection.metrics import DetectionMetrics
from detection.models.store import Store
from detection.settings import SERVICE, CameraSettings, Settings
from detection.tensors import routes as tensors
from detection.tensors.refusals import ProtocolRefusals
from detection.tensors.served import ServedModels
from detection.tiling import Tiling
from detection.web import api, problems
from detection.web.detect import Detector
from detection.web.looking import Looking, Policy
from detection.web.models import ModelDuty, Models
from serving.application import application
from serving.description import describe
from serving.guard import Guard, Rules
from serving.keychain import Keychain
from serving.probes import Readiness
from telemetry import metrics
from telemetry.spans import Spans

ACCESS: Rules = {
    **tensors.ACCESS,
    ("GET", "/"): None,
    ("POST", "/v1/detect"): "detect",
    ("POST", "/v1/detect/batch"): "detect",
}
"""Which role each call takes, where it is not `read` to look and `operate` to change."""

QUEUE_PER_LANE = 12
"""Enough for bursts, and short enough that who waits is answered soon: about as long as a dozen
images take."""


def description() -> dict[str, Any]:
    """What GET /v1/openapi.json answers."""
    return describe(api.API, ACCESS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """What is served, whether it is ready, and how it takes up what is new in its folder."""

    app: Starlette
    readiness: Readiness
    reload: Callable[[], None]


def policy(settings: Settings) -> Policy:
    """What requests get."""
    return Policy(
        deadline_seconds=settings.deadline_seconds,
        longest_deadline_seconds=max(settings.deadline_seconds, settings.longest_deadline_seconds),
        max_image_bytes=settings.max_image_bytes,
        max_batch_bytes=settings.max_batch_bytes,
        max_batch_images=settings.max_batch_images,
        max_megapixels=settings.max_image_megapixels,
        tiling=_tiling(settings, limit=settings.max_tiles),
        cameras={
            camera.id: _tiling(camera, limit=settings.max_tiles) for camera in settings.cameras
        },
    )


def _tiling(said: Settings | CameraSettings, *, limit: int) -> Tiling:
    return Tiling(side=said.tiles, overlap=said.tile_overlap, whole=said.tile_whole, limit=limit)


def build(settings: Settings, store: Store) -> Service:
    """The whole service over its models, which are loaded and warm. Raises ConfigurationError."""
    keychain = Keychain(settings.access, host=settings.host)
    registry = metrics.registry(service=SERVICE, version=settings.version, colour=settings.colour)
    count = settings.lanes or max(1, cores.available() // settings.intra_threads)
    limit = QUEUE_PER_LANE * count if settings.queue_limit is None else settings.queue_limit
    counted = DetectionMetrics(registry)
    spans = Spans.open(
        settings.otlp_endpoint, metrics=registry, sample_ratio=settings.trace_sample_ratio
    )
    account = Account(metrics=counted, spans=spans)
    store.counted = counted.reloaded
    mending = Mending(store)
    lanes = Lanes(
        count=count,
        queue_limit=limit,
        stuck_seconds=settings.stuck_seconds,
        stuck=mending.mend,
    )
    counted.watch(lanes, store, outcomes=problems.OUTCOMES)
    looking = Looking(
        store=store,
        lanes=lanes,
        account=account,
        policy=policy(settings),
        broken=mending.mend,
    )
    mending.is_broken, mending.mended = looking.is_broken, looking.mended
    readiness = Readiness({"queue": lanes.refusal, "session": looking.refusal})
    client = None if settings.gateway_url is None else gateway.client(key=settings.gateway_key)
    detector = Detector(
        looking=looking,
        gateway=None
        if client is None or settings.gateway_url is None
        else Gateway(settings.gateway_url, client=client, outcome=counted.forwarded, spans=spans),
        service=SERVICE,
        version=settings.version,
    )

    tensor_calls = tensors.TensorCalls(
        models=ServedModels(
            store=store,
            lanes=lanes,
            account=account,
            refusal=lambda: "; ".join(readiness.reasons().values()) or None,
        ),
        service=SERVICE,
        version=settings.version,
        max_bytes=settings.max_batch_bytes,
        deadline_seconds=settings.deadline_seconds,
        failed=counted.tensors_failed,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        watching = [asyncio.create_task(keychain.watch()), asyncio.create_task(lanes.watch())]
        yield
        for task in watching:
            task.cancel()
        mending.close()
        lanes.close()
        if client is not None:
            await client.aclose()
        await asyncio.to_thread(spans.close)

    app = application(
        routes=[
            *detector.routes(),
            *Models(store=store, mended=looking.mended).routes(),
            *tensor_calls.routes(),
        ],
        metrics=registry,
        readiness=readiness,
        lifespan=lifespan,
        exception_handlers=problems.handlers(),
        guard=Guard(keychain, ACCESS),
        description=description,
        spans=spans,
        duty=ModelDuty(store=store),
    )
    app.add_middleware(ProtocolRefusals)
    return Service(app=app, readiness=readiness, reload=mending.reload_all)
