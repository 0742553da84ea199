"""Listening, and stopping without losing a request.

On SIGTERM or SIGINT: readiness turns false at once; requests are still taken for `drain_seconds`,
each answer closing its connection, so that load balancers can notice; then nothing new is accepted,
open requests are finished, idle connections closed, the application shut down, and the exit code is
0. A second SIGINT ends at once.

A process that drains without leaving (`serving.drain`) closes connections that have been idle for
a while; those that are in use close with their next answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import os
import signal
import socket
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from serving.drain import Census
from serving.errors import ListenError
from serving.probes import Readiness
from telemetry import logs

# Longer than load balancers keep theirs: whoever closes an idle connection first must be the
# client, or a request can meet the closing.
KEEP_ALIVE_SECONDS = 75
BACKLOG = 2048
# Of a connection to a process that drains. Not at once: a client may be about to ask, and one that
# asks on a connection that is being closed gets no answer.
IDLE_SECONDS = 5.0
LOOK_SECONDS = 1.0
INTERRUPTED = 128 + signal.SIGINT

_GC_THRESHOLDS = (20_000, 20, 20)

log = logs.get("serving.server")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ListenError in one sentence."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"cannot listen on {host} port {port}: {error.strerror}") from error
    except UnicodeError as error:
        raise ListenError(f"cannot listen on {host} port {port}: not a host name") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        # Listening now, not later, makes a taken port an error here and nowhere else.
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        taken = error.errno == 98 or "in use" in str(error)
        why = "another process listens there already" if taken else error.strerror
        raise ListenError(f"cannot listen on {host} port {port}: {why}") from error
    sock.setblocking(False)
    return sock


def serve(
    app: ASGIApp,
    sock: socket.socket,
    *,
    readiness: Readiness,
    drain_seconds: float = 0.0,
    shutdown_seconds: float = 30.0,
    port_file: Path | None = None,
    hung_up: Callable[[], None] | None = None,
) -> int:
    """Answer requests until a signal comes; return the process's exit code.

    SIGHUP is for `hung_up`, in the event loop; without it, the signal ends the process.
    Once the application has started, the real port is logged (`listening`) and written to
    `port_file`.
    """
    host, port = sock.getsockname()[:2]

    def announce() -> None:
        _settle_memory()
        log.info("listening", host=host, port=port)
        if port_file is not None:
            _write_whole(port_file, f"{port}\n")

    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(shutdown_seconds),
        backlog=BACKLOG,
    )
    server = _Server(config, announce)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(_serve(server, sock, readiness, drain_seconds, hung_up))
        except SystemExit as stopped:
            # uvicorn's word for an application whose start failed; it has logged why.
            return 1 if stopped.code else 0
    log.info("stopped")
    return 0


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: they would raise the signal again at the end."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    def census(self) -> Census:
        """What clients hold open, and what of it is being answered."""
        connections = self.server_state.connections
        return Census(sum(not _idle(each) for each in connections), len(connections))

    def close_idle(self, *, seconds: float) -> None:
        """Close connections on which nothing was asked for so long."""
        # uvicorn closes one by itself, so long after its last answer.
        latest = asyncio.get_running_loop().time() + KEEP_ALIVE_SECONDS - seconds
        connections: list[Any] = list(self.server_state.connections)
        for each in connections:
            closing = each.timeout_keep_alive_task
            if _idle(each) and closing is not None and closing.when() <= latest:
                each.shutdown()


def _idle(connection: Any) -> bool:
    cycle = connection.cycle
    return cycle is None or cycle.response_complete


async def _serve(
    server: _Server,
    sock: socket.socket,
    readiness: Readiness,
    drain_seconds: float,
    hung_up: Callable[[], None] | None,
) -> None:
    loop = asyncio.get_running_loop()
    draining: list[asyncio.Task[None]] = []

    async def drain() -> None:
        await asyncio.sleep(drain_seconds)
        server.should_exit = True

    def stop(number: signal.Signals) -> None:
        if not draining:
            # First, so that it happens even where nobody reads the log any more.
            readiness.leave()
            draining.append(loop.create_task(drain()))
            log.info("draining", signal=number.name, seconds=drain_seconds)
        elif number == signal.SIGINT:
            log.warning("ended at once", signal=number.name)
            os._exit(INTERRUPTED)

    async def see_off() -> None:
        while True:
            await readiness.drain.wait()
            server.close_idle(seconds=IDLE_SECONDS)
            await asyncio.sleep(LOOK_SECONDS)

    readiness.drain.census = server.census
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    if hung_up is not None:
        loop.add_signal_handler(signal.SIGHUP, hung_up)
    seeing_off = loop.create_task(see_off())
    try:
        await server.serve(sockets=[sock])
    finally:
        for task in (*draining, seeing_off):
            task.cancel()


def _settle_memory() -> None:
    """What the start has made stays: the collector need not walk it again and again, under load."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader sees all of it or nothing."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text)
    part.replace(path)
