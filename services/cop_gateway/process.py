"""The gateway as a process: command line, settings, log, socket, store, application."""

from __future__ import annotations

from cop_gateway.app import SERVICE, build, open_store
from cop_gateway.delivery import DeliveryError
from cop_gateway.errors import GatewayError
from cop_gateway.geolocation import GeolocationError
from cop_gateway.outbox.errors import OutboxError
from cop_gateway.settings import PREFIX, Settings
from serving import command
from serving.errors import ServingError
from serving.launch import launched
from serving.probes import Readiness
from serving.server import listen, serve

PROGRAM = "sightline-cop-gateway"


def run() -> int:
    """Serve until a signal comes; gives the exit code."""
    arguments = command.parse(
        program=PROGRAM,
        description="Takes detections in, places them on the ground, delivers them to TAK.",
    )
    try:
        settings = launched(Settings, service=SERVICE, prefix=PREFIX, arguments=arguments)
    except ServingError as error:
        return command.refuse(PROGRAM, error)
    try:
        sock = listen(settings.host, settings.port)
    except ServingError as error:
        return command.refuse(PROGRAM, error, code=1)
    readiness = Readiness()
    try:
        store = open_store(settings)
        app = build(settings, store, readiness=readiness)
    except (DeliveryError, GatewayError, GeolocationError, OutboxError, ServingError) as error:
        return command.refuse(PROGRAM, error)
    return serve(
        app,
        sock,
        readiness=readiness,
        drain_seconds=settings.drain_seconds,
        shutdown_seconds=settings.shutdown_seconds,
        port_file=arguments.port_file,
    )
