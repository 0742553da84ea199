"""The port `Cluster`, to a Kubernetes API server. Objects come as JSON and are read here."""

from __future__ import annotations

import base64
from concurrent.futures import Future
from typing import Any

import msgspec

from sightline.colours import reading, record
from sightline.colours.apiserver import (
    APPS,
    CORE,
    DISCOVERY,
    MANAGER,
    SCALING,
    ApiServer,
    result_of,
)
from sightline.colours.colour import Colour, Component, workload
from sightline.colours.errors import AbsentError, NothingThereError, RefusedError
from sightline.colours.observation import Observation, Pod, Pointer
from sightline.colours.record import Record

SECRET, SECRET_KEY = "sightline-deployer", "key"


class KubernetesCluster:
    """A namespace; the port `Cluster`."""

    def __init__(self, api: ApiServer, *, namespace: str) -> None:
        self.namespace = namespace
        self._api = api

    def observe(self) -> Observation:
        """All that is to be known, asked at once."""
        ns, labelled = self.namespace, {"labelSelector": reading.LABELS}
        asked = {
            "deployments": self._api.ask("GET", f"{APPS}/{ns}/deployments", labelled),
            "pods": self._api.ask("GET", f"{CORE}/{ns}/pods", labelled),
            "autoscalers": self._api.ask(
                "GET", f"{SCALING}/{ns}/horizontalpodautoscalers", labelled
            ),
            "services": self._api.ask("GET", f"{CORE}/{ns}/services", labelled),
            "slices": self._api.ask("GET", f"{DISCOVERY}/{ns}/endpointslices", labelled),
        }
        kept = self._api.ask("GET", f"{CORE}/{ns}/configmaps/{record.NAME}")
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
        events = self._api.ask(
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
        done = self._api.change("PATCH", f"{CORE}/{self.namespace}/services/{pointer.name}", patch)
        return reading.pointer(result_of(done, f"Service {pointer.name} was changed meanwhile"))

    def scale(
        self, component: Component, colour: Colour, *, floor: int | None, pods: int | None
    ) -> None:
        """An autoscaler's minimum, a Deployment's pods, or both."""
        name = workload(component, colour)
        refused = f"{name} cannot be scaled"
        if floor is not None:
            path = f"{SCALING}/{self.namespace}/horizontalpodautoscalers/{name}"
            patch = [{"op": "add", "path": "/spec/minReplicas", "value": floor}]
            metadata = result_of(self._api.change("PATCH", path, patch), refused)["metadata"]
            if (metadata.get("annotations") or {}).get(reading.CONFIGURED) == str(floor):
                self._disown(path, metadata)
        if pods is not None:
            patch = [{"op": "add", "path": "/spec/replicas", "value": pods}]
            path = f"{APPS}/{self.namespace}/deployments/{name}/scale"
            result_of(self._api.change("PATCH", path, patch), refused)

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
                result_of(self._api.change("PATCH", path, patch), "somebody changed the autoscaler")
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
            done = self._api.change("POST", path, body)
        else:
            metadata["resourceVersion"] = kept.resource_version
            done = self._api.change("PUT", f"{path}/{record.NAME}", body)
        document = result_of(done, "another switch began at the same moment")
        return msgspec.structs.replace(
            kept, resource_version=document["metadata"]["resourceVersion"]
        )

    def key(self) -> Future[str]:
        """The API key of the deployer's Secret; asked for at once, to be waited for later."""
        return self._api.later(self._key)

    def _key(self) -> str:
        try:
            found = self._api.call("GET", f"{CORE}/{self.namespace}/secrets/{SECRET}")
            return base64.b64decode(found["data"][SECRET_KEY]).decode().strip()
        except (KeyError, TypeError, ValueError) as error:
            raise RefusedError(
                f"Secret {SECRET} has no readable {SECRET_KEY!r}: name a --key-file"
            ) from error
        except AbsentError as error:
            raise RefusedError(
                f"Secret {SECRET} does not exist in namespace {self.namespace}: name a --key-file"
            ) from error


def _record(asked: Future[Any]) -> Record:
    try:
        found = asked.result()
    except AbsentError:
        return Record()
    return record.read(found.get("data") or {}, found["metadata"]["resourceVersion"])
