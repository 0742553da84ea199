"""Requests to a Kubernetes API server, as JSON, several at once.

Of the official client only what lets us in is used: kubeconfig files, plugins that give tokens,
TLS. The classes of its API take longer to import (1.1 s) than a rollback takes.
"""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import msgspec
import urllib3
from kubernetes import client, config
from kubernetes.client.rest import RESTClientObject

from sightline.colours.errors import AbsentError, ColoursError, ConflictError, UnreachableError
from sightline.colours.forward import credentials

MANAGER = "sightline"
"""Under which name the API server notes our changes."""
CONNECT_SECONDS, READ_SECONDS = 4.0, 10.0

CORE = "/api/v1/namespaces"
APPS = "/apis/apps/v1/namespaces"
SCALING = "/apis/autoscaling/v2/namespaces"
DISCOVERY = "/apis/discovery.k8s.io/v1/namespaces"
COORDINATION = "/apis/coordination.k8s.io/v1/namespaces"

Query = dict[str, str] | None
_PATCH = "application/json-patch+json"

PAUSES = (0.2, 0.6, 1.5)
"""Seconds between tries."""
MOST_PAUSE = 5.0
TOO_MANY = 429
_PASSING = (500, 502, 503, 504)
_NEVER_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)
_CONFLICTS = (409, 412, 422)
"""422 is what a JSON patch is answered with whose `test` does not hold."""


class ApiServer:
    """By a kubeconfig's context, or from within a pod."""

    def __init__(self, *, context: str | None = None, kubeconfig: str | None = None) -> None:
        self.configuration = _configuration(context, kubeconfig)
        self._http = RESTClientObject(self.configuration).pool_manager
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="cluster")

    def close(self) -> None:
        """Let go of its threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def later(self, what: Any, *arguments: Any) -> Future[Any]:
        """Anything else that is to be done beside its requests."""
        return self._threads.submit(what, *arguments)

    def ask(self, method: str, path: str, query: Query = None) -> Future[Any]:
        """A look; errors are raised by the future."""
        return self._threads.submit(self.call, method, path, query)

    def change(self, method: str, path: str, body: Any) -> Future[Any]:
        """A change, under our name. A PATCH is a JSON patch."""
        return self._threads.submit(self.call, method, path, {"fieldManager": MANAGER}, body)

    def call(self, method: str, path: str, query: Query = None, body: Any = None) -> Any:
        """One request: the document it is answered with. Raises ColoursError.

        A look is asked again where the API server is restarted, overloaded or slow. A change is
        asked again only where it was surely not made: it was never sent, or was answered with 429.
        """
        headers = {"Accept": "application/json", **credentials(self.configuration)}
        if body is not None:
            headers["Content-Type"] = _PATCH if method == "PATCH" else "application/json"
        content = None if body is None else msgspec.json.encode(body)
        url = f"{self.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        look = method == "GET"
        for pause in (*PAUSES, None):
            try:
                answer = self._http.request(
                    method, url, body=content, headers=headers, retries=False,
                    timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                )  # fmt: skip
            except urllib3.exceptions.HTTPError as error:
                if pause is not None and (look or isinstance(error, _NEVER_SENT)):
                    time.sleep(pause)
                    continue
                raise UnreachableError(
                    f"the API server at {self.configuration.host} does not answer: {_short(error)}"
                ) from error
            again = answer.status == TOO_MANY or (look and answer.status in _PASSING)
            if again and pause is not None:
                time.sleep(max(pause, min(MOST_PAUSE, _asked_to_wait(answer))))
                continue
            if answer.status >= 300:
                raise _explained(answer.status, answer.data, f"{method} {path}")
            return msgspec.json.decode(answer.data)
        raise AssertionError  # the last turn returns or raises

    def date(self) -> str | None:
        """The time of day that it answers with, as HTTP writes it."""
        headers = credentials(self.configuration)
        try:
            answer = self._http.request(
                "GET", f"{self.configuration.host}/version", headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            )  # fmt: skip
        except urllib3.exceptions.HTTPError:
            return None
        return answer.headers.get("Date")

    def user(self) -> Future[str | None]:
        """Whom the API server takes us for; None where it does not say."""
        return self._threads.submit(self._user)

    def _user(self) -> str | None:
        try:
            review = self.call(
                "POST",
                "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                body={"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
            )
            return str(review["status"]["userInfo"]["username"])
        except (ColoursError, KeyError):
            return None  # a courtesy: not every API server has it


def _asked_to_wait(answer: urllib3.BaseHTTPResponse) -> float:
    try:
        return float(answer.headers.get("Retry-After", "0"))
    except ValueError:
        return 0.0


def _explained(status: int, body: bytes, call: str) -> ColoursError:
    try:
        said = msgspec.json.decode(body)["message"]
    except (msgspec.DecodeError, KeyError, TypeError):
        said = body[:200].decode(errors="replace")
    if status == 404:
        return AbsentError(str(said))
    if status in _CONFLICTS:
        return ConflictError(str(said))
    if status == 401:
        return UnreachableError("the API server does not know us (401): log in anew")
    if status == 403:
        return UnreachableError(f"the API server does not let us: {said}")
    return UnreachableError(f"the API server answers {status} to {call}: {said}")


def result_of(asked: Future[Any], sentence: str) -> Any:
    """What a change is answered with; a conflict is told in `sentence`."""
    try:
        return asked.result()
    except (ConflictError, AbsentError) as error:
        raise ConflictError(f"{sentence}: {error}") from error


def _short(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    return str(reason).rpartition(": ")[2] or type(error).__name__


def _configuration(context: str | None, kubeconfig: str | None) -> client.Configuration:
    found = client.Configuration()
    try:
        try:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=kubeconfig, context=context, client_configuration=found
            )
        except config.ConfigException:
            if kubeconfig is not None or context is not None:
                raise
            config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=found
            )
    except (config.ConfigException, OSError) as error:
        raise UnreachableError(f"no cluster is configured: {error}") from error
    return found
