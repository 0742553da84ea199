"""A child that says when it is ready, as Prometheus and Alertmanager do."""

from __future__ import annotations

import contextlib
from typing import ClassVar

from running import Process, http, wait_for


class Probed(Process):
    """It has a `port`, and answers 200 at /-/ready once it may be asked."""

    called: ClassVar[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        super().start()
        wait_for(self._is_ready, what=f"{self.called} ready; its log:\n{self.output}")

    def _is_ready(self) -> bool:
        if self.popen.poll() is not None:
            raise AssertionError(f"it ended with {self.popen.returncode}:\n{self.output}")
        with contextlib.suppress(OSError):
            return http(f"{self.url}/-/ready").status == 200
        return False
