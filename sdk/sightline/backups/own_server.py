"""A PostgreSQL server for a while: in a temporary folder, on a socket in it, durable as others."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from psycopg import conninfo, pq

from sightline.backups import programs
from sightline.backups.errors import ToolError
from sightline.backups.opening import room_in

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_LAST = 2_000


@contextlib.contextmanager
def running(least: int, *, tools: Path | None = None, scratch: Path | None = None) -> Iterator[str]:
    """Its URL as long as it lasts; of that major version or newer. Raises ToolError."""
    found = programs.server(least, tools)
    user = _unprivileged()
    # A socket's path may have 107 bytes: it lies in the temporary folder, whatever scratch is.
    with room_in(scratch) as room, room_in(None) as sockets:
        data, log = room / "data", room / "log"
        data.mkdir(mode=0o700)
        for each in (room, sockets, data):
            if user is not None:
                shutil.chown(each, user)
        made = subprocess.run(  # noqa: S603 - a program that is meant
            [found / "initdb", "-D", data, "-U", "sightline", "--auth=trust", "-E", "UTF8",
             "--locale=C", "--no-sync"],
            capture_output=True, check=False, user=user, cwd=room, env=_environment(),
        )  # fmt: skip
        if made.returncode:
            raise ToolError(f"initdb ended with {made.returncode}: {programs.words(made.stderr)}")
        with log.open("wb") as written, _server(found, data, sockets, written, user) as server:
            url = conninfo.make_conninfo(
                host=str(sockets), port=5432, user="sightline", dbname="postgres"
            )
            _await(server, url, log)
            yield url


@contextlib.contextmanager
def _server(
    found: Path, data: Path, sockets: Path, written: object, user: str | None
) -> Iterator[subprocess.Popen[bytes]]:
    options = ["listen_addresses=", f"unix_socket_directories={sockets}", "port=5432"]
    server = subprocess.Popen(  # noqa: S603 - a program that is meant
        [found / "postgres", "-D", data, *(part for each in options for part in ("-c", each))],
        stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT,  # type: ignore[call-overload]
        user=user, cwd=data, env=_environment(), start_new_session=True,
    )  # fmt: skip
    try:
        yield server
    finally:
        # It ends sessions and itself; its data is thrown away.
        server.send_signal(signal.SIGINT)
        try:
            server.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.send_signal(signal.SIGQUIT)
            server.wait()


def _await(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while pq.PGconn.ping(url.encode()) != pq.Ping.OK:
        if server.poll() is not None or time.monotonic() > until:
            said = programs.words(log.read_bytes()[-_LAST:])
            raise ToolError(f"a PostgreSQL of our own does not come up: {said}")
        time.sleep(0.05)


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}


def _unprivileged() -> str | None:
    """PostgreSQL does not run as root; who that is runs it as somebody who may do little."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise ToolError("PostgreSQL does not run as root, and there is no user postgres or nobody")
