"""Loki, the collector, and the log files that Docker would keep of processes; without Docker."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from engine import ROOT, program
from running import Process, free_port, http, wait_for

COLLECTOR = ROOT / "observability" / "collector"
LOKI = ROOT / "observability" / "loki" / "loki.yaml"

_PART_BYTES = 16 * 1024


class Loki(Process):
    """Loki with our configuration, on a folder that stays over restarts."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        folder.mkdir(exist_ok=True)
        super().__init__(
            command=[
                str(program("loki")),
                f"-config.file={LOKI}",
                "-config.expand-env=true",
                "-server.http-listen-address=127.0.0.1",
                f"-server.http-listen-port={self.port}",
                f"-server.grpc-listen-port={free_port()}",
            ],
            log=folder / "loki.log",
            env={"LOKI_FOLDER": str(folder / "data")},
            cwd=folder,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        super().start()
        wait_for(self.is_ready, seconds=60, what=f"Loki ready; its log:\n{self.output[-4000:]}")

    def is_ready(self) -> bool:
        assert self.popen.poll() is None, self.output[-4000:]
        with contextlib.suppress(OSError):
            return http(f"{self.url}/ready").status == 200
        return False

    def get(self, path: str, **parameters: str | int) -> Any:
        """What `/loki/api/v1/...` answers."""
        query = urllib.parse.urlencode(
            {"start": _hours_ago(2), "end": _hours_ago(-1), **parameters}
        )
        answer = http(f"{self.url}/loki/api/v1/{path}?{query}")
        assert answer.status == 200, answer.body
        return answer.json

    def entries(self, query: str, *, limit: int = 5_000) -> list[tuple[int, str, dict[str, str]]]:
        """Time in nanoseconds, line, and labels with structured metadata, the oldest first."""
        answer = self.get("query_range", query=query, limit=limit, direction="forward")
        found = [
            (int(at), line, stream["stream"])
            for stream in answer["data"]["result"]
            for at, line in stream["values"]
        ]
        return sorted(found, key=lambda entry: entry[:2])

    def lines(self, query: str, *, limit: int = 5_000) -> list[str]:
        return [line for _, line, _ in self.entries(query, limit=limit)]

    def count(self, query: str) -> int:
        """How many lines there are, counted by Loki itself."""
        answer = self.get("query", query=f"sum(count_over_time({query} [2h]))", time=time.time_ns())
        return sum(int(each["value"][1]) for each in answer["data"]["result"])

    def series(self) -> list[dict[str, str]]:
        """The streams that there are, by their labels."""
        found: list[dict[str, str]] = self.get("series", **{"match[]": '{service_name=~".+"}'})[
            "data"
        ]
        return found


class Collector(Process):
    """The collector with our configuration, reading a folder of containers' logs."""

    def __init__(
        self, folder: Path, *, loki: str, containers: Path, variant: str = "docker"
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.otlp, self.health, self.metrics = free_port(), free_port(), free_port()
        ports = folder / "ports.yaml"
        # JSON is YAML.
        reader = {"pull": {"exporter": {"prometheus": {"host": "127.0.0.1", "port": self.metrics}}}}
        ports.write_text(
            json.dumps(
                {
                    "extensions": {"health_check": {"endpoint": f"127.0.0.1:{self.health}"}},
                    "receivers": {
                        "otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{self.otlp}"}}}
                    },
                    "service": {"telemetry": {"metrics": {"readers": [reader]}}},
                }
            )
        )
        self.storage = folder / "storage"
        super().__init__(
            command=[
                str(program("otelcol")),
                "--feature-gates=stanza.synchronousLogEmitter",
                f"--config={COLLECTOR / 'collector.yaml'}",
                f"--config={COLLECTOR / f'collector-{variant}.yaml'}",
                f"--config={ports}",
            ],
            log=folder / "otelcol.log",
            env={
                "OTELCOL_STORAGE": str(self.storage),
                "LOKI_URL": loki,
                "CONTAINER_LOGS": str(containers),
                "POD_LOGS": str(containers),
            },
        )

    @property
    def otlp_url(self) -> str:
        return f"http://127.0.0.1:{self.otlp}"

    def start(self) -> None:
        super().start()
        wait_for(self.is_healthy, what=f"collector healthy; its log:\n{self.output[-4000:]}")

    def is_healthy(self) -> bool:
        assert self.popen.poll() is None, self.output[-4000:]
        with contextlib.suppress(OSError):
            return http(f"http://127.0.0.1:{self.health}/").status == 200
        return False

    def own_metrics(self) -> str:
        return http(f"http://127.0.0.1:{self.metrics}/metrics").body.decode()

    def spans(self) -> list[dict[str, Any]]:
        """What is in the files of traces, each span with its resource's attributes."""
        return [
            span | {"resource": _plain(resource["resource"]["attributes"])}
            for file in sorted((self.storage / "traces").glob("traces*.json"))
            for line in file.read_text().splitlines()
            for resource in json.loads(line)["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


class ContainerLog:
    """A container's log as Docker's json-file driver keeps it: cut after 16 KiB, and rotated."""

    def __init__(
        self,
        containers: Path,
        service: str,
        *,
        max_bytes: int = 10_000_000,
        max_files: int = 5,
        options: bool = True,
    ) -> None:
        self.name = os.urandom(32).hex()
        folder = containers / self.name
        folder.mkdir(parents=True)
        self.path = folder / f"{self.name}-json.log"
        self._max_bytes, self._max_files = max_bytes, max_files
        self._attributes = {
            "com.docker.compose.service": service,
            "tag": f"sightline-{service}-1",
        }
        self._options = options
        self._file = self.path.open("ab", buffering=0)
        self._lock = threading.Lock()

    def write(self, line: str, *, stream: str = "stdout") -> None:
        """One line, as the container wrote it."""
        data = line.encode()
        parts = [data[at : at + _PART_BYTES] for at in range(0, len(data), _PART_BYTES)] or [b""]
        for number, part in enumerate(parts, 1):
            text = part.decode("utf-8", "replace") + ("\n" if number == len(parts) else "")
            entry = {
                "log": text,
                "stream": stream,
                **({"attrs": self._attributes} if self._options else {}),
                "time": datetime.now(UTC).isoformat().replace("+00:00", "123Z"),
            }
            with self._lock:
                self._append(json.dumps(entry, separators=(",", ":"), ensure_ascii=False).encode())

    def _append(self, entry: bytes) -> None:
        if self._file.tell() + len(entry) > self._max_bytes:
            self._file.close()
            for number in range(self._max_files - 2, 0, -1):
                older = self.path.with_name(f"{self.path.name}.{number}")
                if older.exists():
                    older.rename(self.path.with_name(f"{self.path.name}.{number + 1}"))
            self.path.rename(self.path.with_name(f"{self.path.name}.1"))
            self._file = self.path.open("ab", buffering=0)
        self._file.write(entry + b"\n")

    def follow(self, output: IO[bytes]) -> threading.Thread:
        """Take every line of a process, on a thread, until it ends."""

        def read() -> None:
            for line in output:
                self.write(line.decode("utf-8", "replace").rstrip("\n"))

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return thread

    def close(self) -> None:
        self._file.close()


@contextlib.contextmanager
def contained(process: Process, log: ContainerLog) -> Iterator[Any]:
    """The process runs with its output in the container's log, and ends with the block."""
    process.popen = subprocess.Popen(
        process.command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env=os.environ | dict(process.env),
        cwd=process.cwd,
    )
    assert process.popen.stdout is not None
    thread = log.follow(process.popen.stdout)
    try:
        yield process
    finally:
        process.popen.terminate()
        process.popen.wait(15)
        thread.join(15)
        log.close()


def _hours_ago(hours: int) -> int:
    return time.time_ns() - hours * 3_600_000_000_000


def _plain(attributes: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in attributes}
