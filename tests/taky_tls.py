"""A real taky with TLS, set up as its administrator does."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from pathlib import Path

from running import Process, free_port, wait_for


class TlsTaky(Process):
    """A real TAK server with TLS: its own CA, its own data packages, client certificates asked."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.site = folder / "taky"
        self._ctl("setup", "--host", "localhost", "--bind-ip", "127.0.0.1",
                  "--public-ip", "127.0.0.1", "--p12_pw", "server-secret", str(self.site),
                  cwd=folder)  # fmt: skip
        config = self.site / "taky.conf"
        config.write_text(config.read_text().replace("port = 8089", f"port = {self.port}"))
        super().__init__(
            command=[str(Path(sys.executable).with_name("taky")), "-c", str(config)],
            log=folder / "taky.log",
            cwd=self.site,
        )

    def package(self, name: str, *options: str) -> Path:
        """The .zip that its administrator hands to a user."""
        self._ctl(
            "-c", "taky.conf", "build_client", "--p12_pw", "client-secret", *options, name,
            cwd=self.site,
        )  # fmt: skip
        return self.site / f"{name}.zip"

    def start(self) -> None:
        super().start()
        wait_for(self._listens, what=f"taky listening; its log:\n{self.output}")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def _ctl(self, *arguments: str, cwd: Path) -> None:
        program = str(Path(sys.executable).with_name("takyctl"))
        subprocess.run([program, *arguments], cwd=cwd, check=True, capture_output=True)
