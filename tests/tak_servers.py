"""TAK servers of other makers, where `make tak-servers` has put them; else their tests skip."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from running import START_SECONDS, Process, free_port, wait_for

INSTALLED = Path(__file__).parents[1] / ".cache/tak-servers"
_SLOW_START = 4 * START_SECONDS


def program(server: str, name: str) -> str:
    """Its path; skips where the server is not installed."""
    path = INSTALLED / server / "bin" / name
    if not path.exists():
        pytest.skip(f"{server} is not installed: make tak-servers")
    return str(path)


def listens(port: int) -> bool:
    """Without connecting: some servers do not take a visitor well who says nothing."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
        return False


class Group(Process):
    """A process with children of its own: all end together."""

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                env=os.environ | dict(self.env),
                cwd=self.cwd,
                user=self.user,
                start_new_session=True,
            )

    def stop(self, *, seconds: float = 15.0) -> int:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.popen.pid, number)
            except ProcessLookupError:
                break
            time.sleep(0.5)
        return self.popen.wait(seconds)


class FreeTakServer(Group):
    """FreeTAKServer 2.2.1 on ports of its own, with everything that it keeps in a folder."""

    def __init__(self, folder: Path) -> None:
        python = program("fts", "python")
        self.port = free_port()
        for name in ("certs", "logs", "ExCheck/template", "ExCheck/checklist", "enterprise_sync"):
            (folder / name).mkdir(parents=True)
        ports = {
            name: str(free_port())
            for name in (
                "FTS_SSLCOT_PORT", "FTS_FED_PORT", "FTS_ROUTING_PROXY_SUBSCRIBE_PORT",
                "FTS_ROUTING_PROXY_PUBLISHER_PORT", "FTS_ROUTING_PROXY_SERVER_PORT",
                "FTS_INTEGRATION_MANAGER_PULLER_PORT", "FTS_INTEGRATION_MANAGER_PUBLISHER_PORT",
            )
        }  # fmt: skip
        local = [
            argument
            for name in ("CoT", "SSLCoT", "DataPackage", "SSLDataPackage", "RestAPI")
            for argument in (f"-{name}IP", "127.0.0.1", f"-{name}Port", str(free_port()))
        ]
        local[3] = str(self.port)
        super().__init__(
            command=[
                python, "-m", "FreeTAKServer.controllers.services.FTS", *local,
                "-AutoStart", "True",
            ],
            log=folder / "fts.log",
            cwd=folder,
            env={
                "PYTHONUNBUFFERED": "1",
                "FTS_FIRST_START": "false",
                "FTS_PERSISTENCE_PATH": str(folder),
                "FTS_CONFIG_PATH": str(folder / "none.yaml"),
                "FTS_DB_PATH": str(folder / "fts.db"),
                "FTS_CERTS_PATH": str(folder / "certs"),
                "FTS_LOGFILE_PATH": str(folder / "logs"),
                "FTS_DP_ADDRESS": "127.0.0.1",
                "FTS_USER_ADDRESS": "127.0.0.1",
                "FTS_API_ADDRESS": "127.0.0.1",
                "FTS_COT_PORT": str(self.port),
                **ports,
            },
        )  # fmt: skip

    def start(self) -> None:
        super().start()
        wait_for(
            lambda: listens(self.port) and "CoTService started" in self.output,
            seconds=_SLOW_START,
            what="FreeTAKServer listening",
        )
