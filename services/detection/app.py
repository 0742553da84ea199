"""Wires the service together from its settings."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from detection import api, cores, gateway, problems
from detection.errors import ModelError
from detection.gateway import Gateway
from detection.lanes import Lanes
from detection.metrics import DetectionMetrics
from detection.model import Model, find, load
from detection.pipeline import Limits
from detection.settings import Settings
from detection.web import Detector, Policy
from serving.application import application
from serving.description import describe
from serving.guard import Guard, Rules
from serving.keychain import Keychain
from serving.probes import Readiness
from telemetry import metrics

SERVICE = "detection"
ACCESS: Rules = {("GET", "/"): None, ("POST", "/v1/detect"): "detect"}
"""Which role each call takes, where it is not `read` to look and `operate` to change."""


def description() -> dict[str, Any]:
    """What GET /v1/openapi.json answers."""
    return describe(api.API, ACCESS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """What is served, and whether it is ready."""

    app: Starlette
    readiness: Readiness


def load_models(settings: Settings) -> dict[str, Model]:
    """Every model of the settings by name, the default one first. Raises ModelError."""
    loaded = {
        path.stem: load(
            path,
            layout=settings.layout,
            input_size=settings.input_size,
            max_megabytes=settings.max_model_megabytes,
            intra_threads=settings.intra_threads,
        )
        for path in find(Path(settings.models))
    }
    default = settings.default_model
    if default is None:
        return loaded
    if default not in loaded:
        raise ModelError(f"default_model: {default!r} is not loaded (known: {', '.join(loaded)})")
    return {default: loaded.pop(default), **loaded}


def limits(settings: Settings) -> Limits:
    """What the pipeline takes and gives."""
    return Limits(
        max_megapixels=settings.max_image_megapixels,
        max_detections=settings.max_detections,
        nms_iou=settings.nms_iou,
    )


def build(settings: Settings) -> Service:
    """The whole service, its models loaded and warm. Raises ModelError or ConfigurationError."""
    keychain = Keychain(settings.access, host=settings.host)
    models = load_models(settings)
    registry = metrics.registry(service=SERVICE, version=settings.version, colour=settings.colour)
    lanes = Lanes(count=settings.lanes or cores.available(), queue_limit=settings.queue_limit)
    counted = DetectionMetrics(registry, lanes)
    readiness = Readiness({"queue": lanes.refusal})
    client = None if settings.gateway_url is None else gateway.client(key=settings.gateway_key)
    detector = Detector(
        models=models,
        lanes=lanes,
        gateway=None
        if client is None or settings.gateway_url is None
        else Gateway(settings.gateway_url, client=client, outcome=counted.forwarded),
        metrics=counted,
        policy=Policy(
            confidence=settings.confidence,
            deadline_seconds=settings.deadline_seconds,
            max_image_bytes=settings.max_image_bytes,
            limits=limits(settings),
        ),
        service=SERVICE,
        version=settings.version,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        watching = asyncio.create_task(keychain.watch())
        yield
        watching.cancel()
        lanes.close()
        if client is not None:
            await client.aclose()

    app = application(
        routes=detector.routes(),
        metrics=registry,
        readiness=readiness,
        lifespan=lifespan,
        exception_handlers=problems.handlers(),
        guard=Guard(keychain, ACCESS),
        description=description,
    )
    return Service(app=app, readiness=readiness)
