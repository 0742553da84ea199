"""The demo's processes: a TAK server, the gateway, the detection service."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from sightline.demo.errors import DeadChildError, MissingPieceError

START_SECONDS = 60.0
STOP_SECONDS = 10.0
_LOG_LINES = 3


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to start: its name for people, its command, its environment."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int
    probe: str | None
    """Path that answers 200 when it is ready; None: when its port is open."""


def free_ports(count: int) -> list[int]:
    """Different TCP ports of this machine that nobody uses just now."""
    with contextlib.ExitStack() as held:
        ports = []
        for _ in range(count):
            sock = held.enter_context(socket.socket())
            sock.bind(("127.0.0.1", 0))
            ports.append(int(sock.getsockname()[1]))
        return ports


def taky(folder: Path, port: int) -> Program:
    """A real TAK server, plain TCP on loopback, with nothing kept."""
    program = Path(sys.executable).with_name("taky")
    if not program.exists():
        raise MissingPieceError("taky is not installed: pip install 'sightline[demo]'")
    root = folder / "taky"
    root.mkdir()
    config = folder / "taky.conf"
    config.write_text(
        f"[taky]\nhostname = localhost\nbind_ip = 127.0.0.1\nroot_dir = {root}\n"
        f"[cot_server]\nport = {port}\n[ssl]\nenabled = false\n",
        encoding="utf-8",
    )
    return Program(
        name="taky",
        command=(str(program), "-c", str(config), "-l", "info"),
        environment={},
        port=port,
        probe=None,
    )


def gateway(folder: Path, port: int, *, sink: str, ground_hae: float) -> Program:
    """The CoP gateway on a fresh SQLite outbox."""
    return Program(
        name="cop_gateway",
        command=(sys.executable, "-m", "cop_gateway", "--port", str(port)),
        environment={
            "SIGHTLINE_GATEWAY_DATABASE": f"sqlite:///{folder / 'gateway.db'}",
            "SIGHTLINE_GATEWAY_SINK": sink,
            "SIGHTLINE_GATEWAY_GROUND_HEIGHT_M": repr(ground_hae),
            # The painted ground is exactly there; a surveyed site is about as good.
            "SIGHTLINE_GATEWAY_GROUND_SIGMA_M": "0.1",
            "SIGHTLINE_GATEWAY_SIMULATED": "true",
        },
        port=port,
        probe="/ready",
    )


def detection(port: int, *, model: Path, gateway_port: int) -> Program:
    """The detection service, forwarding to the gateway."""
    return Program(
        name="detection",
        command=(sys.executable, "-m", "detection", "--port", str(port)),
        environment={
            "SIGHTLINE_DETECTION_MODELS": str(model),
            "SIGHTLINE_DETECTION_GATEWAY_URL": f"http://127.0.0.1:{gateway_port}",
            # What the model card recommends.
            "SIGHTLINE_DETECTION_CONFIDENCE": "0.4",
        },
        port=port,
        probe="/ready",
    )


class Child:
    """A running program; its output is in a file of the demo's folder."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process, log: Path) -> None:
        self.program = program
        self.log = log
        self._process = process

    @classmethod
    async def start(cls, program: Program, folder: Path) -> Child:
        """Start it on a leash, in a session of its own: Ctrl-C is ours to pass on."""
        log = folder / f"{program.name}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "sightline.demo.leash", *program.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                env={**_inherited(), **program.environment},
                start_new_session=True,
            )
        return cls(program, process, log)

    async def ready(self, seconds: float = START_SECONDS) -> None:
        """Return once it answers; raise DeadChildError when it ends or takes too long."""
        deadline = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < deadline:
            self.check()
            if await self._answers():
                return
            await asyncio.sleep(0.05)
        raise DeadChildError(
            f"{self.program.name} was not ready within {seconds:g} s; its log: {self.log}"
        )

    def check(self) -> None:
        """Raise DeadChildError when it has ended."""
        code = self._process.returncode
        if code is not None:
            raise DeadChildError(
                f"{self.program.name} ended with exit code {code}: {self._last_words()}"
                f" (its log: {self.log})"
            )

    async def stop(self) -> None:
        """SIGTERM, and after a while SIGKILL."""
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _answers(self) -> bool:
        port, probe = self.program.port, self.program.probe
        if probe is None:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return True
            return False
        async with httpx.AsyncClient(trust_env=False) as client:
            with contextlib.suppress(httpx.HTTPError):
                return (await client.get(f"http://127.0.0.1:{port}{probe}")).is_success
        return False

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return " / ".join(lines[-_LOG_LINES:])[-400:] or "it said nothing"


def _inherited() -> dict[str, str]:
    """Our environment without settings that were meant for other services of this name."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SIGHTLINE_GATEWAY_", "SIGHTLINE_DETECTION_"))
    }
