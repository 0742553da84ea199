"""`sightline-detection`, or `python -m detection`.

Exit codes: 0 stopped by a signal; 1 cannot listen, or failed while starting; 2 a setting or a
model is refused.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from detection import allocator, app
from detection.errors import ModelError
from detection.settings import PREFIX, Settings
from serving import command, configuration, server
from serving.errors import ConfigurationError, ListenError
from telemetry import logs

PROGRAM = "sightline-detection"


def main(argv: Sequence[str] | None = None) -> int:
    """Start the service and answer until a signal comes; gives the exit code."""
    arguments = command.parse(
        program=PROGRAM,
        description="Finds objects in frames, and has the gateway commit them.",
        argv=argv,
    )
    try:
        settings = configuration.load(
            Settings,
            prefix=PREFIX,
            environ=os.environ,
            file=arguments.config,
            overrides=arguments.overrides,
        )
    except ConfigurationError as error:
        return command.refuse(PROGRAM, error)
    logs.configure(
        service=app.SERVICE,
        version=settings.version,
        colour=settings.colour,
        level=settings.log_level,
    )
    allocator.keep_large_blocks()
    try:
        sock = server.listen(settings.host, settings.port)
    except ListenError as error:
        return command.refuse(PROGRAM, error, code=1)
    try:
        service = app.build(settings)
    except (ConfigurationError, ModelError) as error:
        return command.refuse(PROGRAM, error)
    return server.serve(
        service.app,
        sock,
        readiness=service.readiness,
        drain_seconds=settings.drain_seconds,
        shutdown_seconds=settings.shutdown_seconds,
        port_file=arguments.port_file,
    )


if __name__ == "__main__":
    sys.exit(main())
