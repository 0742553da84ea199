"""Wires the gateway: settings and an open store in, an application out."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from starlette.applications import Starlette

from cop_gateway import chores
from cop_gateway.cot import Catalogue, CatalogueError, Marks
from cop_gateway.delivery import Bulletin, Courier
from cop_gateway.delivery.following import followed
from cop_gateway.delivery.tls import TlsTransport
from cop_gateway.duty import GatewayDuty
from cop_gateway.errors import SettingsError
from cop_gateway.geolocation import Limits
from cop_gateway.geolocation.accuracy import ce90
from cop_gateway.geolocation.geoid import self_test
from cop_gateway.intake import Acceptance, Committer
from cop_gateway.metrics import GatewayMetrics
from cop_gateway.outbox.history_tables import Query
from cop_gateway.outbox.postgres import PostgresOutbox
from cop_gateway.outbox.record import SEEN_OR_RETRACTED
from cop_gateway.outbox.sqlite import SqliteOutbox
from cop_gateway.outbox.store import Outbox
from cop_gateway.pipeline import CameraSite, Doctrine, Ground, Picture, World
from cop_gateway.pipeline.recovery import recovered
from cop_gateway.settings import Settings
from cop_gateway.sink_metrics import SinkMetrics
from cop_gateway.sinks import policy_of, transport_of
from cop_gateway.survey import Survey
from cop_gateway.tracking import Rules
from cop_gateway.upkeep import Limits as StoreLimits
from cop_gateway.upkeep import Upkeep
from cop_gateway.web import api, page, problems
from cop_gateway.web.batch import BatchCall
from cop_gateway.web.detections import DetectionsCall
from cop_gateway.web.history import HistoryCalls
from cop_gateway.web.retraction import RetractionCall
from cop_gateway.web.sinks import SinkCalls
from cop_gateway.web.stream import StreamCall
from serving import guard
from serving.application import application
from serving.description import describe
from serving.keychain import Keychain
from serving.probes import Readiness
from telemetry import logs
from telemetry import metrics as telemetry_metrics
from telemetry.spans import Spans

SERVICE = "cop-gateway"
ACCESS: guard.Rules = {
    ("GET", "/"): None,
    ("POST", "/v1/detections"): "detect",
    ("POST", "/v1/detections/batch"): "detect",
}
"""Which role each call takes, where it is not `read` to look and `operate` to change."""
_RECOVERED_EVENTS = 100_000

_log = logs.get("cop_gateway.app")


def description() -> dict[str, Any]:
    """What GET /v1/openapi.json answers."""
    return describe(api.API, ACCESS)


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def world(settings: Settings) -> World:
    """What does not change while the gateway runs. Raises SettingsError or CatalogueError."""
    return World(
        ground=Ground(
            height_m=settings.ground_height_m,
            reference=settings.ground_height_reference,
            sigma_m=settings.ground_sigma_m,
            cameras={
                camera.id: CameraSite(sensor=camera.sensor, ground_height_m=camera.ground_height_m)
                for camera in settings.cameras
            },
        ),
        catalogue=_catalogue(settings),
        limits=Limits(
            grazing_degrees=settings.grazing_degrees,
            range_m=settings.range_limit_m,
            ce90_m=settings.ce90_limit_m,
        ),
        rules=Rules(timeout_seconds=settings.track_timeout_seconds),
        doctrine=Doctrine(
            version=settings.version,
            stale_seconds=settings.stale_seconds,
            simulated=settings.simulated,
            marks=Marks(qos=settings.qos, opex=settings.opex),
            image_url=settings.image_url,
            ce_meaning=settings.ce_meaning,
            platform_interval_seconds=settings.platform_interval_seconds or None,
        ),
    )


def open_store(settings: Settings) -> Outbox:
    """The store that the settings name. Raises StoreUnusableError or SettingsError."""
    if settings.shares_database:
        return PostgresOutbox(settings.database, colour=settings.colour)
    return SqliteOutbox(Path(settings.database_path()))


def _catalogue(settings: Settings) -> Catalogue:
    override = None
    if settings.classes_file is not None:
        try:
            override = Path(settings.classes_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"classes_file: {settings.classes_file}: {error}") from error
    try:
        fallback = settings.unknown_class_type
        return Catalogue.load(override, fallback_type=None if fallback == "refuse" else fallback)
    except CatalogueError as error:
        raise SettingsError(f"classes_file or unknown_class_type: {error}") from error


def build(
    settings: Settings,
    store: Outbox,
    *,
    readiness: Readiness,
    clock: Callable[[], datetime] = utc_now,
) -> Starlette:
    """The application; its lifespan runs intake and a courier for every sink.

    Refuses (GeolocationError, SettingsError, DeliveryError, ConfigurationError) before anything is
    taken in.
    """
    self_test()
    keychain = Keychain(settings.access, host=settings.host)
    unchanging = world(settings)
    sinks = [(each, transport_of(each, settings)) for each in settings.all_sinks()]
    metrics = telemetry_metrics.registry(
        service=SERVICE, version=settings.version, colour=settings.colour
    )
    spans = Spans.open(
        settings.otlp_endpoint, metrics=metrics, sample_ratio=settings.trace_sample_ratio
    )
    observer, sink_observer = GatewayMetrics(metrics), SinkMetrics(metrics)
    bulletin = Bulletin(store.head())
    couriers = [
        Courier(
            policy=policy_of(sink, transport, settings),
            transport=transport,
            storage=followed(store, spans),
            bulletin=bulletin,
            observer=sink_observer,
            clock=clock,
            uniform=random.random,
        )
        for sink, transport in sinks
    ]
    # Whatever is older belongs to tracks that are over.
    living = clock() - timedelta(seconds=settings.track_timeout_seconds)
    tracks = recovered(
        store.events(Query(captured_from=living, kinds=SEEN_OR_RETRACTED, limit=_RECOVERED_EVENTS)),
        unchanging.rules,
    )
    committer = Committer(
        store=store,
        world=unchanging,
        picture=Picture(tracks=tracks),
        clock=clock,
        observer=observer,
        announce=bulletin.announce,
        queue_limit=settings.queue_limit,
        spans=spans,
    )
    observer.watch_intake(lambda: committer.waiting)
    survey = Survey(store, sinks=[courier.name for courier in couriers])
    for courier in couriers:
        sink_observer.watch_sink(
            courier.name,
            lag=courier.lag,
            age=courier.lag_seconds,
            state=functools.partial(getattr, courier, "state"),
            expires_at=functools.partial(getattr, courier.transport, "expires_at"),
            dead_letters=functools.partial(survey.dead_letters_of, courier.name),
            missing=functools.partial(survey.missing_of, courier.name),
        )
    upkeep = Upkeep(
        store,
        limits=StoreLimits(
            max_age=_days(settings.retention_days),
            max_bytes=_bytes(settings.max_store_megabytes),
            min_free_bytes=_bytes(settings.min_free_megabytes) or 0,
        ),
        sinks=[courier.name for courier in couriers],
        clock=clock,
    )
    observer.watch_store(lambda: upkeep.space, store.health, survey)
    readiness.add("storage", upkeep.refusal)
    readiness.add("intake", lambda: None if committer.has_room else "too many frames wait")

    detections = DetectionsCall(
        committer=committer,
        store=store,
        ground=unchanging.ground,
        acceptance=Acceptance(
            catalogue=unchanging.catalogue,
            most_past=timedelta(seconds=settings.max_age_seconds),
            most_future=timedelta(seconds=settings.max_future_seconds),
        ),
        clock=clock,
        max_body_bytes=settings.max_body_bytes,
        no_room=upkeep.refusal,
        rejected=observer.rejected,
        arrived=observer.arrived,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        # The first quantile would otherwise be tabulated while a frame waits.
        await asyncio.to_thread(ce90, np.eye(2))
        committer.start()
        await upkeep.look()
        watching = [
            asyncio.create_task(keychain.watch()),
            asyncio.create_task(upkeep.run(), name="upkeep"),
            asyncio.create_task(chores.look_behind(couriers)),
            asyncio.create_task(survey.run(), name="survey"),
        ]
        watching += [
            asyncio.create_task(chores.renew(courier.transport))
            for courier in couriers
            if isinstance(courier.transport, TlsTransport)
        ]
        if settings.shares_database:
            watching.append(asyncio.create_task(chores.follow(store, bulletin)))
        deliveries = [
            asyncio.create_task(courier.run(), name=f"courier-{courier.name}")
            for courier in couriers
        ]
        for courier, task in zip(couriers, deliveries, strict=True):
            task.add_done_callback(chores.told)
            readiness.add(f"sink-{courier.name}", chores.alive(task))
        _log.info("started", sinks=[courier.transport.target for courier in couriers])
        try:
            yield
        finally:
            for task in watching:
                task.cancel()
            await committer.stop()
            for courier in couriers:
                courier.stop()
            await asyncio.gather(*deliveries, return_exceptions=True)
            store.close()
            await asyncio.to_thread(spans.close)

    return application(
        routes=[
            *page.routes(),
            *detections.routes(),
            *BatchCall(single=detections).routes(),
            *StreamCall(store=store, bulletin=bulletin, readiness=readiness).routes(),
            *HistoryCalls(store=store).routes(),
            *RetractionCall(store=store, committer=committer, clock=clock).routes(),
            *SinkCalls(store=store, couriers=couriers).routes(),
        ],
        metrics=metrics,
        readiness=readiness,
        lifespan=lifespan,
        exception_handlers=problems.handlers(),
        guard=guard.Guard(keychain, ACCESS),
        description=description,
        spans=spans,
        duty=GatewayDuty(
            store=store,
            roster=store if isinstance(store, PostgresOutbox) else None,
            couriers=couriers,
            clock=clock,
        ),
    )


def _days(days: float | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


def _bytes(megabytes: float | None) -> int | None:
    return None if megabytes is None else int(megabytes * 1_000_000)
