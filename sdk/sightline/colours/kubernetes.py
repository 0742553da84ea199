"""The ports of a switch, to a Kubernetes API server. Objects come as JSON and are read here.

The official client is heavy (half a second); it is imported when it is used.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec
import urllib3
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from sightline.colours import reading, record
from sightline.colours.colour import Colour, Component, workload
from sightline.colours.errors import (
    ColoursError,
    ConflictError,
    NothingThereError,
    RefusedError,
    UnreachableError,
)
from sightline.colours.observation import Observation, Pointer
from sightline.colours.record import Record

MANAGER = "sightline"
"""Under which name the API server notes our changes."""
SECRET, SECRET_KEY = "sightline-deployer", "key"
SECONDS = (4.0, 10.0)
"""To connect, and to wait for an answer."""

_CONFLICTS = (409, 412, 422)
"""422 is what a JSON patch is answered with whose `test` does not hold."""


class KubernetesCluster:
    """A namespace; the port `Cluster`."""

    def __init__(
        self, *, namespace: str, context: str | None = None, kubeconfig: str | None = None
    ) -> None:
        self.namespace = namespace
        self.configuration = _configuration(context, kubeconfig)
        api = client.ApiClient(self.configuration)
        self._core = client.CoreV1Api(api)
        self._apps = client.AppsV1Api(api)
        self._scaling = client.AutoscalingV2Api(api)
        self._discovery = client.DiscoveryV1Api(api)
        self._authentication = client.AuthenticationV1Api(api)
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="cluster")

    def close(self) -> None:
        """Let go of its threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def observe(self) -> Observation:
        """All that is to be known, asked at once."""
        ns, labelled = self.namespace, {"label_selector": reading.LABELS}
        asked = {
            "deployments": self._ask(self._apps.list_namespaced_deployment, ns, **labelled),
            "pods": self._ask(self._core.list_namespaced_pod, ns, **labelled),
            "autoscalers": self._ask(
                self._scaling.list_namespaced_horizontal_pod_autoscaler, ns, **labelled
            ),
            "services": self._ask(self._core.list_namespaced_service, ns, **labelled),
            "slices": self._ask(self._discovery.list_namespaced_endpoint_slice, ns, **labelled),
        }
        kept = self._ask(self._core.read_namespaced_config_map, record.NAME, ns)
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

    def _explained(self, pods: tuple[Any, ...]) -> tuple[Any, ...]:
        """Of pods that run and are not ready, the kubelet's last warning says why."""
        if all(each.ready or each.ending or each.trouble for each in pods):
            return pods
        events = self._ask(
            self._core.list_namespaced_event,
            self.namespace,
            field_selector="type=Warning,involvedObject.kind=Pod",
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
        done = self._ask(
            self._core.patch_namespaced_service,
            pointer.name, self.namespace, patch, field_manager=MANAGER,
        )  # fmt: skip
        return reading.pointer(_result(done, f"Service {pointer.name} was changed meanwhile"))

    def scale(
        self, component: Component, colour: Colour, *, floor: int | None, pods: int | None
    ) -> None:
        """An autoscaler's minimum, a Deployment's pods, or both."""
        name = workload(component, colour)
        asked = []
        if floor is not None:
            patch = [{"op": "add", "path": "/spec/minReplicas", "value": floor}]
            asked.append(
                self._ask(
                    self._scaling.patch_namespaced_horizontal_pod_autoscaler,
                    name, self.namespace, patch, field_manager=MANAGER,
                )
            )  # fmt: skip
        if pods is not None:
            patch = [{"op": "add", "path": "/spec/replicas", "value": pods}]
            asked.append(
                self._ask(
                    self._apps.patch_namespaced_deployment_scale,
                    name, self.namespace, patch, field_manager=MANAGER,
                )
            )  # fmt: skip
        for each in asked:
            _result(each, f"{name} cannot be scaled")

    def keep(self, kept: Record) -> Record:
        """The ConfigMap, if it still is as it was seen."""
        metadata = {"name": record.NAME, "labels": {reading.NAME: "sightline"}}
        body: dict[str, Any] = {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata,
            "data": record.written(kept),
        }  # fmt: skip
        if kept.resource_version is None:
            done = self._ask(
                self._core.create_namespaced_config_map,
                self.namespace, body, field_manager=MANAGER,
            )  # fmt: skip
        else:
            metadata["resourceVersion"] = kept.resource_version
            done = self._ask(
                self._core.replace_namespaced_config_map,
                record.NAME, self.namespace, body, field_manager=MANAGER,
            )  # fmt: skip
        document = _result(done, "another switch began at the same moment")
        return msgspec.structs.replace(
            kept, resource_version=document["metadata"]["resourceVersion"]
        )

    def key(self) -> Future[str]:
        """The API key of the deployer's Secret; asked for at once, to be waited for later."""
        return self._threads.submit(self._key)

    def _key(self) -> str:
        try:
            found = self._call(self._core.read_namespaced_secret, SECRET, self.namespace)
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
                self._authentication.create_self_subject_review,
                {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
            )
            return str(review["status"]["userInfo"]["username"])
        except (ColoursError, KeyError):
            return None  # a courtesy: not every API server has it

    def _ask(self, call: Callable[..., Any], *args: Any, **named: Any) -> Future[Any]:
        return self._threads.submit(functools.partial(self._call, call, *args, **named))

    def _call(self, call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        try:
            answer = call(*args, **named, _preload_content=False, _request_timeout=SECONDS)
        except ApiException as error:
            raise _explained(error, call) from error
        except urllib3.exceptions.HTTPError as error:
            raise UnreachableError(
                f"the API server at {self.configuration.host} does not answer: {_short(error)}"
            ) from error
        return msgspec.json.decode(answer.data)


class _AbsentError(ColoursError):
    """404."""


def _explained(error: ApiException, call: Callable[..., Any]) -> ColoursError:
    try:
        said = msgspec.json.decode(error.body or b"")["message"]
    except (msgspec.DecodeError, KeyError, TypeError):
        said = error.reason
    if error.status == 404:
        return _AbsentError(str(said))
    if error.status in _CONFLICTS:
        return ConflictError(str(said))
    if error.status == 401:
        return UnreachableError("the API server does not know us (401): log in anew")
    if error.status == 403:
        return UnreachableError(f"the API server does not let us: {said}")
    return UnreachableError(f"the API server answers {error.status} to {call.__name__}: {said}")


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
    found.retries = urllib3.Retry(connect=1, read=0, redirect=0)
    return found
