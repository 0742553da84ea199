"""Objects of the Kubernetes API, as JSON, to what a switch must know of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from sightline.colours.colour import COLOURS, COMPONENTS, Colour, Component, service
from sightline.colours.observation import Autoscaler, Pod, Pointer, Rollout

Document: TypeAlias = dict[str, Any]

NAME, COMPONENT, COLOUR = "app.kubernetes.io/name", "app.kubernetes.io/component", "colour"
LABELS = f"{NAME}=sightline"
CONFIGURED = "sightline.io/min-replicas"
SERVICE_OF_SLICE = "kubernetes.io/service-name"

_STARTING = ("ContainerCreating", "PodInitializing")
_LONGEST = 300
"""Characters of a container's last words that are shown."""


def _place(document: Document) -> tuple[Component, Colour] | None:
    labels = document["metadata"].get("labels") or {}
    for component in COMPONENTS:
        for colour in COLOURS:
            if (labels.get(COMPONENT), labels.get(COLOUR)) == (component, colour):
                return component, colour
    return None


def _placed(
    documents: Iterable[Document],
) -> Iterator[tuple[Component, Colour, Document]]:
    for each in documents:
        place = _place(each)
        if place is not None:
            yield *place, each


def rollouts(documents: Iterable[Document]) -> tuple[Rollout, ...]:
    """Of Deployments."""
    return tuple(_rollout(*each) for each in _placed(documents))


def _rollout(component: Component, colour: Colour, document: Document) -> Rollout:
    spec, status = document["spec"], document.get("status") or {}
    volumes = spec["template"]["spec"].get("volumes") or ()
    return Rollout(
        component=component,
        colour=colour,
        wanted=spec.get("replicas", 1),
        generation=document["metadata"].get("generation", 0),
        observed=status.get("observedGeneration", 0),
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        unavailable=status.get("unavailableReplicas", 0),
        own_volume=component == "cop-gateway"
        and any("persistentVolumeClaim" in each for each in volumes),
    )


def pods(documents: Iterable[Document]) -> tuple[Pod, ...]:
    """Of Pods."""
    return tuple(_pod(*each) for each in _placed(documents))


def _pod(component: Component, colour: Colour, document: Document) -> Pod:
    spec, status, metadata = document["spec"], document.get("status") or {}, document["metadata"]
    # The first container is the service; others are a site's own.
    container = spec["containers"][0]
    states = [
        *(status.get("initContainerStatuses") or ()),
        *(status.get("containerStatuses") or ()),
    ]
    version = next(
        (
            each.get("value")
            for each in container.get("env") or ()
            if each["name"] == "SIGHTLINE_VERSION"
        ),
        None,
    )
    return Pod(
        name=metadata["name"],
        component=component,
        colour=colour,
        ready=any(
            each["type"] == "Ready" and each["status"] == "True"
            for each in status.get("conditions") or ()
        ),
        ending="deletionTimestamp" in metadata or status.get("phase") in ("Succeeded", "Failed"),
        version=version or "unknown",
        image=container.get("image", ""),
        restarts=sum(each.get("restartCount", 0) for each in states),
        trouble=next(
            (found for each in states if (found := _trouble(each)) is not None),
            _unscheduled(status),
        ),
    )


def _trouble(status: Document) -> str | None:
    """Why a container does not run; None where it does, or is about to."""
    name, state = status["name"], status.get("state") or {}
    last = (status.get("lastState") or {}).get("terminated")
    if ended := state.get("terminated"):
        return None if ended.get("exitCode") == 0 else f"container {name} {_ended(ended)}"
    waiting = state.get("waiting")
    if waiting is None or waiting.get("reason") in (*_STARTING, None):
        return None
    told = f"container {name} waits: {waiting['reason']}"
    if last is not None:
        return f"{told}; before that it {_ended(last)}"
    return f"{told}: {_words(waiting['message'])}" if waiting.get("message") else told


def _ended(state: Document) -> str:
    told = f"ended with exit code {state.get('exitCode')} ({state.get('reason', 'no reason')})"
    return f"{told}: {_words(state['message'])}" if state.get("message") else told


def _words(text: str) -> str:
    """One line of a few words; of a log, its end."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"…{line[-_LONGEST:]}"


def _unscheduled(status: Document) -> str | None:
    for each in status.get("conditions") or ():
        if each["type"] == "PodScheduled" and each["status"] == "False":
            return f"no node takes it: {_words(each.get('message', each.get('reason', '')))}"
    return None


def unhealthy(documents: Iterable[Document]) -> dict[str, str]:
    """Of Events: by pod, the newest warning."""
    found: dict[str, tuple[str, str]] = {}
    for each in documents:
        at = (
            each.get("lastTimestamp")
            or each.get("eventTime")
            or each["metadata"].get("creationTimestamp", "")
        )
        name = each["involvedObject"].get("name", "")
        if name not in found or found[name][0] <= at:
            found[name] = at, f"{each.get('reason', 'Warning')}: {_words(each.get('message', ''))}"
    return {name: told for name, (_, told) in found.items()}


def autoscalers(documents: Iterable[Document]) -> tuple[Autoscaler, ...]:
    """Of HorizontalPodAutoscalers."""
    return tuple(_autoscaler(*each) for each in _placed(documents))


def _autoscaler(component: Component, colour: Colour, document: Document) -> Autoscaler:
    spec, notes = document["spec"], document["metadata"].get("annotations") or {}
    configured = notes.get(CONFIGURED, "")
    return Autoscaler(
        component=component,
        colour=colour,
        minimum=spec.get("minReplicas", 1),
        maximum=spec["maxReplicas"],
        current=(document.get("status") or {}).get("currentReplicas", 0),
        configured=int(configured) if configured.isdecimal() else None,
    )


def pointer(document: Document) -> Pointer:
    """Of a Service."""
    found = (document["spec"].get("selector") or {}).get(COLOUR)
    return Pointer(
        name=document["metadata"]["name"],
        colour=next((each for each in COLOURS if each == found), None),
        resource_version=document["metadata"]["resourceVersion"],
    )


_POINTERS = {service(component, role) for component in COMPONENTS for role in ("active", "preview")}


def pointers(documents: Iterable[Document]) -> tuple[Pointer, ...]:
    """Of Services: those that a switch changes."""
    return tuple(pointer(each) for each in documents if each["metadata"]["name"] in _POINTERS)


def endpoints(documents: Iterable[Document]) -> dict[str, tuple[str, ...]]:
    """Of EndpointSlices: by Service, the ready pods. A dual-stack Service has slices of both."""
    found: dict[str, dict[str, None]] = {}
    for each in documents:
        name = (each["metadata"].get("labels") or {}).get(SERVICE_OF_SLICE)
        if name is None:
            continue
        names = found.setdefault(name, {})
        for endpoint in each.get("endpoints") or ():
            # No word about readiness means ready.
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                names[(endpoint.get("targetRef") or {}).get("name", "")] = None
    return {name: tuple(names) for name, names in found.items()}
