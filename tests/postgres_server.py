"""PostgreSQL servers for tests: every supported major version, durable as in production."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg

from running import Process, free_port, required, wait_for

MAJORS = (15, 16, 17, 18)
"""What Sightline supports."""
_FETCHED = Path(__file__).parents[1] / ".cache" / "postgres"
_INSTALLED = Path("/usr/lib/postgresql")


class Postgres(Process):
    """A server of its own, in a folder, on a port of its own; the newest major unless one is named.

    It refuses to run as root, and is then run as a user that may do little.
    """

    def __init__(
        self,
        folder: Path,
        *,
        major: int | None = None,
        host: str = "127.0.0.1",
        listens: str | None = None,
        copy_of: Postgres | None = None,
        settings: Sequence[str] = (),
        within: Sequence[str] = (),
    ) -> None:
        """`host` is where it is reached, `listens` where it listens, if that is elsewhere.

        `copy_of` is a server that is stopped; `within` goes before the command.
        """
        self.host, self.port = host, free_port()
        self.bin = programs(major or newest())
        self.data = folder / "postgres"
        self.user = unprivileged()
        folder.mkdir(exist_ok=True)
        if self.user:
            _open_up(folder)
        if not self.data.exists():
            self.data.mkdir(mode=0o700)
            if self.user:
                shutil.chown(self.data, self.user)
            if copy_of is not None:
                _as(self.user, ["cp", "-a", f"{copy_of.data}/.", self.data], self.data)
            else:
                self._initialise()
        options = [
            f"listen_addresses={listens or host}", "unix_socket_directories=", "max_connections=60",
            "shared_buffers=64MB", *settings,
        ]  # fmt: skip
        command = [str(self.bin / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        super().__init__(
            command=[*within, *command, *(part for each in options for part in ("-c", each))],
            log=folder / "postgres.log",
            # Whatever it is run within changes the user itself.
            user=None if within else self.user,
            cwd=self.data,
        )

    def _initialise(self) -> None:
        initdb = [self.bin / "initdb", "-D", self.data, "-U", "sightline", "--auth=trust"]
        _as(self.user, [*initdb, "-E", "UTF8", "--no-sync", "--locale=C"], self.data)
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write("host all,replication all 198.18.0.0/15 trust\n")  # see cables.py

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://sightline@{self.host}:{self.port}/{database}"

    def start(self) -> None:
        super().start()
        wait_for(self._answers, what=f"PostgreSQL; its log:\n{self.output}")

    def _answers(self) -> bool:
        if self.popen.poll() is not None:
            raise AssertionError(f"PostgreSQL ended with {self.popen.returncode}:\n{self.output}")
        with contextlib.suppress(psycopg.OperationalError), self.session():
            return True
        return False

    def session(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True, connect_timeout=5)

    def stop(self, *, seconds: float = 15.0) -> int:
        """SIGINT: end sessions, write everything down, end."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGINT)
        return self.popen.wait(seconds)

    def crash(self) -> None:
        """As if the power had failed: every process at once; it recovers from its log."""
        self.popen.send_signal(signal.SIGQUIT)
        self.popen.wait()

    def create(self, name: str) -> str:
        """A database of that name; its URL."""
        with self.session() as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url_of(name)


class Servers:
    """One server of each major, started when it is first asked for."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._running: dict[int, Postgres] = {}

    def __getitem__(self, major: int) -> Postgres:
        if major not in self._running:
            server = Postgres(self._folder / str(major), major=major)
            server.start()
            # Nobody needs its data afterwards: there is no reason to wait until it is in order.
            self._stack.callback(server.crash)
            self._running[major] = server
        return self._running[major]


@contextlib.contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    with contextlib.ExitStack() as stack:
        yield Servers(folder, stack)


def present() -> dict[int, Path]:
    """Where the programs of each supported major are, of those that this machine has."""
    found = {}
    for major in MAJORS:
        for folder in (_FETCHED / str(major) / "bin", _INSTALLED / str(major) / "bin"):
            if (folder / "initdb").exists():
                found[major] = folder
    return found


def programs(major: int) -> Path:
    """Where initdb and postgres are; skips (or fails, where everything is required)."""
    found = present()
    if major not in found:
        required(f"there is no PostgreSQL {major} here: make postgres")
    return _reachable(found[major])


def newest() -> int:
    """The newest major that is here."""
    return max(present(), default=MAJORS[-1])


def _reachable(programs: Path) -> Path:
    """The programs, or a copy of them where the server's user may go."""
    if not unprivileged() or all(
        each.stat().st_mode & stat.S_IXOTH for each in (programs, *programs.parents)
    ):
        return programs
    copy = Path(tempfile.gettempdir()) / f"sightline-postgres-{programs.parent.name}"
    version = programs.parent / "VERSION"
    stamp = copy / "VERSION"
    if not stamp.exists() or stamp.read_text() != version.read_text():
        with tempfile.TemporaryDirectory(dir=copy.parent) as name:
            whole = shutil.copytree(programs.parent, Path(name) / "whole", symlinks=True)
            shutil.rmtree(copy, ignore_errors=True)
            whole.rename(copy)
    return copy / "bin"


def _open_up(folder: Path) -> None:
    """Let the server's user go there."""
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)


def _as(user: str | None, command: Sequence[str | Path], cwd: Path) -> None:
    run = subprocess.run(command, check=False, capture_output=True, text=True, user=user, cwd=cwd)
    assert run.returncode == 0, run.stderr


def unprivileged() -> str | None:
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return None
