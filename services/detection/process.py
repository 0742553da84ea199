"""The service as a process: command line, settings, log, socket, models, application."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from detection import allocator
from detection.errors import ModelError
from detection.settings import PREFIX, SERVICE, Settings
from serving import command, server
from serving.errors import ConfigurationError, ListenError
from serving.launch import launched

if TYPE_CHECKING:
    from detection.app import Service
    from detection.models.store import Store

PROGRAM = "sightline-detection"


def run(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; gives the exit code."""
    arguments = command.parse(
        program=PROGRAM,
        description="Finds objects in frames, and has the gateway commit them.",
        argv=argv,
    )
    try:
        settings = launched(Settings, service=SERVICE, prefix=PREFIX, arguments=arguments)
    except ConfigurationError as error:
        return command.refuse(PROGRAM, error)
    allocator.keep_large_blocks()
    try:
        sock = server.listen(settings.host, settings.port)
    except ListenError as error:
        return command.refuse(PROGRAM, error, code=1)
    try:
        service = _built(settings)
    except (ConfigurationError, ModelError) as error:
        return command.refuse(PROGRAM, error)
    return server.serve(
        service.app,
        sock,
        readiness=service.readiness,
        drain_seconds=settings.drain_seconds,
        shutdown_seconds=settings.shutdown_seconds,
        port_file=arguments.port_file,
        hung_up=service.reload,
    )


def _built(settings: Settings) -> Service:
    """The service. Its models are loaded while everything else is still being imported."""

    def load() -> Store:
        from detection import stock  # noqa: PLC0415 - half of the start is imports

        return stock.load(settings)

    with ThreadPoolExecutor(1) as beside:
        store = beside.submit(load)
        from detection import app  # noqa: PLC0415

        return app.build(settings, store.result())
