"""The ports of a switch, to a Kubernetes API server. Objects come as JSON and are read here.

Of the official client only what lets us in is used: kubeconfig files, plugins that give tokens,
TLS. The classes of its API take longer to import (1.1 s) than a rollback takes.
"""

from __future__ import annotations

import base64
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import msgspec
import urllib3
from kubernetes import client, config
from kubernetes.client.rest import RESTClientObject

from sightline.colours import reading, record
from sightline.colours.colour import Colour, Component, workload
from sightline.colours.errors import (
    ColoursError,
    ConflictError,
    NothingThereError,
    RefusedError,
    UnreachableError,
)
from sightline.colours.forward import credentials
from sightline.colours.observation import Observation, Pod, Pointer
from sightline.colours.record import Record

MANAGER = "sightline"
"""Under which name the API server notes our changes."""
SECRET, SECRET_KEY = "sightline-deployer", "key"
CONNECT_SECONDS, READ_SECONDS = 4.0, 10.0

CORE = "/api/v1/namespaces"
APPS = "/apis/apps/v1/namespaces"
SCALING = "/apis/autoscaling/v2/namespaces"
DISCOVERY = "/apis/discovery.k8s.io/v1/namespaces"

Query = dict[str, str] | None
_PATCH = "application/json-patch+json"

_CONFLICTS = (409, 412, 422)
"""422 is what a JSON patch is answered with whose `test` does not hold."""


class KubernetesCluster:
    """A namespace; the port `Cluster`."""

    def __init__(
        self, *, namespace: str, context: str | None = None, kubeconfig: str | None = None
    ) -> None:
        self.namespace = namespace
        self.configuration = _configuration(context, kubeconfig)
        self._http = RESTClientObject(self.configuration).pool_manager
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="cluster")

    def close(self) -> None:
        """Let go of its threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def observe(self) -> Observation:
        """All that is to be known, asked at once."""
        ns, labelled = self.namespace, {"labelSelector": reading.LABELS}
        asked = {
            "deployments": self._ask("GET", f"{APPS}/{ns}/deployments", labelled),
            "pods": self._ask("GET", f"{CORE}/{ns}/pods", labelled),
            "autoscalers": self._ask("GET", f"{SCALING}/{ns}/horizontalpodautoscalers", labelled),
            "services": self._ask("GET", f"{CORE}/{ns}/services", labelled),
            "slices": self._ask("GET", f"{DISCOVERY}/{ns}/endpointslices", labelled),
        }
        kept = self._ask("GET", f"{CORE}/{ns}/configmaps/{record.NAME}")
        found = {name: future.result().get("items") or () for name, future in asked.items()}
        if not found["deployments"] and not found["services"]:
            raise NothingThereError(
                f"namespace {ns} has no Deployment and no Service with the label {reading.LABELS}:"
                " nothing is deployed there"
            )
        return Observation(
            namespace=ns,
            rollouts=reading.rollouts(found["deployments"]),
            pods=self._explained(reading.pods(found["pods"])),
            autoscalers=reading.autoscalers(found["autoscalers"]),
            pointers=reading.pointers(found["services"]),
            endpoints=reading.endpoints(found["slices"]),
            record=_record(kept),
        )

    def _explained(self, pods: tuple[Pod, ...]) -> tuple[Pod, ...]:
        """Of pods that run and are not ready, the kubelet's last warning says why."""
        if all(each.ready or each.ending or each.trouble for each in pods):
            return pods
        events = self._ask(
            "GET",
            f"{CORE}/{self.namespace}/events",
            {"fieldSelector": "type=Warning,involvedObject.kind=Pod"},
        )
        said = reading.unhealthy(events.result().get("items") or ())
        return tuple(
            msgspec.structs.replace(each, trouble=said.get(each.name))
            if not (each.ready or each.ending or each.trouble)
            else each
            for each in pods
        )

    def point(self, pointer: Pointer, to: Colour) -> Pointer:
        """One JSON patch, which holds only if the Service is as it was seen."""
        path = f"/spec/selector/{reading.COLOUR}"
        patch: list[dict[str, str]] = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": pointer.resource_version}
        ]
        if pointer.colour is not None:
            patch.append({"op": "test", "path": path, "value": pointer.colour})
        patch.append({"op": "add", "path": path, "value": to})
        done = self._change("PATCH", f"{CORE}/{self.namespace}/services/{pointer.name}", patch)
        return reading.pointer(_result(done, f"Service {pointer.name} was changed meanwhile"))

    def scale(
        self, component: Component, colour: Colour, *, floor: int | None, pods: int | None
    ) -> None:
        """An autoscaler's minimum, a Deployment's pods, or both."""
        name = workload(component, colour)
        refused = f"{name} cannot be scaled"
        if floor is not None:
            path = f"{SCALING}/{self.namespace}/horizontalpodautoscalers/{name}"
            patch = [{"op": "add", "path": "/spec/minReplicas", "value": floor}]
            metadata = _result(self._change("PATCH", path, patch), refused)["metadata"]
            if (metadata.get("annotations") or {}).get(reading.CONFIGURED) == str(floor):
                self._disown(path, metadata)
        if pods is not None:
            patch = [{"op": "add", "path": "/spec/replicas", "value": pods}]
            path = f"{APPS}/{self.namespace}/deployments/{name}/scale"
            _result(self._change("PATCH", path, patch), refused)

    def _disown(self, path: str, metadata: Any) -> None:
        """It is as its owner wants it: the field is the owner's alone again.

        Else a later server-side apply with another value (Helm 4, Argo CD) is told that it is ours.
        """
        for index, entry in enumerate(metadata.get("managedFields") or ()):
            if entry["manager"] == MANAGER and not entry.get("subresource"):
                place = f"/metadata/managedFields/{index}"
                patch = [
                    {"op": "test", "path": f"{place}/manager", "value": MANAGER},
                    {"op": "remove", "path": place},
                ]
                _result(self._change("PATCH", path, patch), "somebody changed the autoscaler")
                return

    def keep(self, kept: Record) -> Record:
        """The ConfigMap, if it still is as it was seen."""
        metadata: dict[str, Any] = {
            "name": record.NAME,
            "labels": {reading.NAME: "sightline"},
        }
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": record.written(kept),
        }
        path = f"{CORE}/{self.namespace}/configmaps"
        if kept.resource_version is None:
            done = self._change("POST", path, body)
        else:
            metadata["resourceVersion"] = kept.resource_version
            done = self._change("PUT", f"{path}/{record.NAME}", body)
        document = _result(done, "another switch began at the same moment")
        return msgspec.structs.replace(
            kept, resource_version=document["metadata"]["resourceVersion"]
        )

    def key(self) -> Future[str]:
        """The API key of the deployer's Secret; asked for at once, to be waited for later."""
        return self._threads.submit(self._key)

    def _key(self) -> str:
        try:
            found = self._call("GET", f"{CORE}/{self.namespace}/secrets/{SECRET}")
            return base64.b64decode(found["data"][SECRET_KEY]).decode().strip()
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedError(
                f"Secret {SECRET} has no readable {SECRET_KEY!r}: name a --key-file"
            ) from error
        except _AbsentError as error:
            raise RefusedError(
                f"Secret {SECRET} does not exist in namespace {self.namespace}: name a --key-file"
            ) from error

    def user(self) -> Future[str | None]:
        """Whom the API server takes us for; None where it does not say."""
        return self._threads.submit(self._user)

    def _user(self) -> str | None:
        try:
            review = self._call(
                "POST",
                "/apis/authentication.k8s.io/v1/selfsubjectreviews",
                body={"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
            )
            return str(review["status"]["userInfo"]["username"])
        except (ColoursError, KeyError):
            return None  # a courtesy: not every API server has it

    def _ask(self, method: str, path: str, query: Query = None) -> Future[Any]:
        return self._threads.submit(self._call, method, path, query)

    def _change(self, method: str, path: str, body: Any) -> Future[Any]:
        return self._threads.submit(self._call, method, path, {"fieldManager": MANAGER}, body)

    def _call(self, method: str, path: str, query: Query = None, body: Any = None) -> Any:
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


class _AbsentError(ColoursError):
    """404."""


def _explained(status: int, body: bytes, call: str) -> ColoursError:
    try:
        said = msgspec.json.decode(body)["message"]
    except (msgspec.DecodeError, KeyError, TypeError):
        said = body[:200].decode(errors="replace")
    if status == 404:
        return _AbsentError(str(said))
    if status in _CONFLICTS:
        return ConflictError(str(said))
    if status == 401:
        return UnreachableError("the API server does not know us (401): log in anew")
    if status == 403:
        return UnreachableError(f"the API server does not let us: {said}")
    return UnreachableError(f"the API server answers {status} to {call}: {said}")


def _result(asked: Future[Any], sentence: str) -> Any:
    try:
        return asked.result()
    except (ConflictError, _AbsentError) as error:
        raise ConflictError(f"{sentence}: {error}") from error


def _record(asked: Future[Any]) -> Record:
    try:
        found = asked.result()
    except _AbsentError:
        return Record()
    return record.read(found.get("data") or {}, found["metadata"]["resourceVersion"])


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
