"""HTTP to pods through the API server: a port forward for each request."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import cast

from kubernetes import client

from sightline.colours import report
from sightline.colours.colour import PORTS, Component
from sightline.colours.errors import ColoursError
from sightline.colours.forward import Forward, ForwardError
from sightline.colours.ports import Verb
from sightline.colours.report import Report, Silent

SECONDS = 5.0
_METHODS: dict[Verb, str] = {"look": "GET", "drain": "PUT", "undrain": "DELETE"}
_MOST = 16
"""Pods that are asked at once."""


class CallError(ColoursError):
    """A pod could not be asked."""


class PodGoneError(CallError):
    """There is no such pod any more."""


class PortForwards:
    """The port `Pods`; `key` is asked for when it is first needed."""

    def __init__(
        self, configuration: client.Configuration, namespace: str, key: Callable[[], str]
    ) -> None:
        self._configuration = configuration
        self._namespace = namespace
        self._key = key
        self._threads = ThreadPoolExecutor(_MOST, thread_name_prefix="pods")

    def close(self) -> None:
        """Let go of its threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def ask(
        self, verb: Verb, component: Component, names: Iterable[str]
    ) -> dict[str, Report | Silent]:
        """All at once. A pod that is gone meanwhile is left out."""
        asked = {
            name: self._threads.submit(self._drain_call, verb, component, name) for name in names
        }
        answers = {name: each.result() for name, each in asked.items()}
        return {name: each for name, each in answers.items() if each is not None}

    def _drain_call(self, verb: Verb, component: Component, name: str) -> Report | Silent | None:
        try:
            return report.read(*self.call(component, name, _METHODS[verb], "/v1/drain"))
        except PodGoneError:
            return None
        except CallError as error:
            return Silent(reason=str(error))

    def call(
        self,
        component: Component,
        name: str,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = SECONDS,
    ) -> tuple[int, bytes]:
        """One request to one pod: status and body. Raises CallError."""
        port = PORTS[component]
        shown = {"X-Api-Key": self._key(), "Connection": "close", **(headers or {})}
        try:
            forward = Forward(self._configuration, self._namespace, name, port, seconds=seconds)
        except ForwardError as error:
            kind = PodGoneError if error.status == 404 else CallError
            raise kind(str(error)) from error
        connection = http.client.HTTPConnection(name, port)
        # It is all of a socket that is asked for here.
        connection.sock = cast(socket.socket, forward)
        try:
            connection.request(method, path, body=body, headers=shown)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise CallError(f"{method} {path} on port {port}: {error}") from error
        finally:
            forward.end()
