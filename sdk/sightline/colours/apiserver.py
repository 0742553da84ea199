"""Requests to a Kubernetes API server, as JSON, several at once.

Of the official client only what lets us in is used: kubeconfig files, plugins that give tokens,
TLS. The classes of its API take longer to import (1.1 s) than a rollback takes.
"""

from __future__ import annotations

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
        """One request: the document it is answered with. Raises ColoursError."""
        headers = {"Accept": "application/json", **credentials(self.configuration)}
        if body is not None:
            headers["Content-Type"] = _PATCH if method == "PATCH" else "application/json"
        try:
            answer = self._http.request(
                method,
                f"{self.configuration.host}{path}" + (f"?{urlencode(query)}" if query else ""),
                body=None if body is None else msgspec.json.encode(body),
                headers=headers,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
                retries=urllib3.Retry(connect=1, read=0, redirect=0),
            )
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(
                f"the API server at {self.configuration.host} does not answer: {_short(error)}"
            ) from error
        if answer.status >= 300:
            raise _explained(answer.status, answer.data, f"{method} {path}")
        return msgspec.json.decode(answer.data)

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
