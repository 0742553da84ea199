"""sightline-cop-gateway: python -m cop_gateway --config FILE --host HOST --port PORT."""

from __future__ import annotations

import os
import sys

from cop_gateway.app import SERVICE, build, open_store
from cop_gateway.delivery import DeliveryError
from cop_gateway.errors import GatewayError
from cop_gateway.geolocation import GeolocationError
from cop_gateway.outbox.errors import OutboxError
from cop_gateway.settings import PREFIX, Settings
from serving import command
from serving.configuration import load
from serving.errors import ServingError
from serving.probes import Readiness
from serving.server import listen, serve
from telemetry import logs

PROGRAM = "sightline-cop-gateway"


def main() -> int:
    """Start the gateway; exit code 0 after a drain, 1 for a taken port, 2 when it refuses."""
    arguments = command.parse(
        program=PROGRAM,
        description="Takes detections in, places them on the ground, delivers them to TAK.",
    )
    try:
        settings = load(
            Settings,
            prefix=PREFIX,
            environ=os.environ,
            file=arguments.config,
            overrides=arguments.overrides,
        )
    except ServingError as error:
        return command.refuse(PROGRAM, error)
    logs.configure(
        service=SERVICE,
        version=settings.version,
        colour=settings.colour,
        level=settings.log_level,
    )
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


if __name__ == "__main__":
    sys.exit(main())
