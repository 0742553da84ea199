"""TAK servers of other makers, where `make tak-servers` has put them; else their tests skip."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from postgres_server import Postgres
from running import START_SECONDS, Process, free_port, wait_for

INSTALLED = Path(__file__).parents[1] / ".cache/tak-servers"
_SLOW_START = 4 * START_SECONDS


def program(server: str, name: str) -> str:
    """Its path; skips where the server is not installed."""
    path = INSTALLED / server / "bin" / name
    if not path.exists():
        pytest.skip(f"{server} is not installed: make tak-servers")
    return str(path)


def listens(port: int, address: str = "127.0.0.1") -> bool:
    """Without connecting: some servers do not take a visitor well who says nothing."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
        except OSError:
            return True
        return False


class Group(Process):
    """A process with children of its own: all end together."""

    own_session = True

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


_RABBIT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_POSTGIS = "/usr/share/postgresql/*/extension/postgis.control"


class RabbitMq(Group):
    """A broker on a loopback address of its own: OpenTAKServer knows one port alone."""

    def __init__(self, folder: Path, address: str) -> None:
        if not _RABBIT.exists():
            pytest.skip("OpenTAKServer needs rabbitmq-server, which is not installed")
        self.address = address
        self.epmd = str(free_port())
        super().__init__(
            command=[str(_RABBIT)],
            log=folder / "rabbitmq.log",
            cwd=folder,
            env={
                "HOME": str(folder),
                "RABBITMQ_NODENAME": "sightline@localhost",
                "RABBITMQ_NODE_IP_ADDRESS": address,
                "RABBITMQ_DIST_PORT": str(free_port()),
                "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
                "RABBITMQ_LOG_BASE": str(folder / "log"),
                "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                    "-kernel inet_dist_use_interface {127,0,0,1}"
                ),
                "ERL_EPMD_PORT": self.epmd,
                "ERL_EPMD_ADDRESS": "127.0.0.1",
            },
        )

    def start(self) -> None:
        super().start()
        wait_for(lambda: listens(5672, self.address), seconds=_SLOW_START, what="RabbitMQ")

    def stop(self, *, seconds: float = 15.0) -> int:
        code = super().stop(seconds=seconds)
        # The port mapper is a daemon that the broker has started; nobody else uses its port.
        subprocess.run(["epmd", "-port", self.epmd, "-kill"], check=False, capture_output=True)
        return code


class OpenTakServer:
    """OpenTAKServer 1.7.14: three programs, a broker and a database, all on the loopback."""

    def __init__(self, folder: Path) -> None:
        programs = [program("ots", name) for name in ("opentakserver", "cot_parser", "eud_handler")]
        if not list(Path("/").glob(_POSTGIS[1:])):
            pytest.skip("OpenTAKServer needs PostGIS, which is not installed")
        folder.mkdir(parents=True)
        (folder / "data").mkdir()
        self.port, self._web = free_port(), free_port()
        self._broker = RabbitMq(folder, f"127.0.{os.getpid() % 250 + 1}.77")
        self._database = Postgres(folder)
        nowhere = "http://127.0.0.1:9"
        self._programs = [
            Group(
                command=[path],
                log=folder / f"{Path(path).name}.log",
                cwd=folder,
                env={
                    "HOME": str(folder),
                    "OTS_DATA_FOLDER": str(folder / "data"),
                    "OTS_LISTENER_PORT": str(self._web),
                    "OTS_MEDIAMTX_ENABLE": "false",
                    "OTS_RABBITMQ_SERVER_ADDRESS": self._broker.address,
                    "OTS_STREAMING_INTERFACE": "127.0.0.1",
                    "OTS_TCP_STREAMING_PORT": str(self.port),
                    # It would fetch icons.
                    "http_proxy": nowhere,
                    "https_proxy": nowhere,
                    "no_proxy": f"127.0.0.1,localhost,{self._broker.address}",
                },
            )
            for path in programs
        ]
        self._started: list[Process] = []

    def start(self) -> None:
        self._start(self._broker)
        self._start(self._database)
        url = self._database.create("ots")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION postgis")
        main, *others = self._programs
        for each in self._programs:
            each.env = {
                **each.env,
                "SQLALCHEMY_DATABASE_URI": url.replace("postgresql:", "postgresql+psycopg:"),
            }
        self._start(main)
        wait_for(lambda: listens(self._web), seconds=_SLOW_START, what="OpenTAKServer's web")
        for each in others:
            self._start(each)
        wait_for(lambda: listens(self.port), seconds=_SLOW_START, what="OpenTAKServer's stream")

    def stop(self) -> None:
        for each in reversed(self._started):
            each.stop()

    def _start(self, process: Process) -> None:
        self._started.append(process)
        process.start()
