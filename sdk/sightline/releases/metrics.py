"""The port `Budget`: from the pods' own metrics, or from Prometheus."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol
from urllib.parse import urlencode

import msgspec
import urllib3

from sightline.colours.calls import CallError, PodGoneError
from sightline.colours.colour import COMPONENTS, Colour, Component
from sightline.colours.observation import Observation
from sightline.releases.budget import Served
from sightline.releases.errors import RemoteError

METRIC = "sightline_http_requests_total"
PROBES = frozenset({"/health", "/ready", "/metrics", "/v1/drain"})
"""Routes that no user asks."""
SECONDS = 5.0
_SAMPLE = re.compile(rf"^{METRIC}{{(?P<labels>[^}}]*)}} (?P<value>\S+)", re.MULTILINE)
_LABEL = re.compile(r'(?P<name>\w+)="(?P<value>(?:[^"\\]|\\.)*)"')


class Calls(Protocol):
    """Requests to a pod."""

    def call(self, component: Component, name: str, method: str, path: str) -> tuple[int, bytes]:
        """Status and body. Raises CallError."""


class Seeing(Protocol):
    """Which pods there are."""

    def seen(self) -> Observation:
        """All that is to be known of the namespace."""


def counted(text: str) -> Served:
    """Requests of users in a page of metrics."""
    requests = failures = 0.0
    for sample in _SAMPLE.finditer(text):
        labels = {each["name"]: each["value"] for each in _LABEL.finditer(sample["labels"])}
        if labels.get("route") in PROBES:
            continue
        value = float(sample["value"])
        requests += value
        # 503 says "not now" before anything was done, and its sender asks again; it is counted all
        # the same: to whoever has no patience it is an error.
        failures += value if labels.get("status", "").startswith("5") else 0.0
    return Served(requests=round(requests), failures=round(failures))


class PodMetrics:
    """Each pod's page, through the API server. A pod that is gone or new keeps the sum growing."""

    def __init__(self, pods: Calls, namespace: Seeing) -> None:
        self._pods = pods
        self._namespace = namespace
        self._last: dict[str, Served] = {}
        self._before: dict[str, Served] = {}
        """By pod: what it had counted before it was started anew."""

    def count(self, colour: Colour) -> Served:
        """Over all pods that there were since we look."""
        seen = self._namespace.seen()
        asked = [(each, name) for each in COMPONENTS for name in seen.ready(each, colour)]
        answered = 0
        problem: CallError | None = None
        for component, name in asked:
            try:
                status, body = self._pods.call(component, name, "GET", "/metrics")
            except PodGoneError:
                continue
            except CallError as error:
                problem = error
                continue
            if status == 200:
                self._note(name, counted(body.decode(errors="replace")))
                answered += 1
        if not answered:
            why = f": {problem}" if problem is not None else ""
            raise RemoteError(f"no pod of {colour} tells its metrics{why}")
        return _sum((*self._last.values(), *self._before.values()))

    def _note(self, name: str, found: Served) -> None:
        last = self._last.get(name)
        if last is not None and found.requests < last.requests:
            kept = self._before.get(name, Served(requests=0, failures=0))
            self._before[name] = _sum((kept, last))
        self._last[name] = found


def _sum(parts: Iterable[Served]) -> Served:
    all_parts = tuple(parts)
    return Served(
        requests=sum(each.requests for each in all_parts),
        failures=sum(each.failures for each in all_parts),
    )


class PrometheusBudget:
    """What Prometheus has scraped; `increase` counts over pods' restarts."""

    def __init__(self, url: str, namespace: str, *, clock: Callable[[], float]) -> None:
        self._url = url.rstrip("/")
        self._namespace = namespace
        self._clock = clock
        self._began: float | None = None
        self._http = urllib3.PoolManager()

    def count(self, colour: Colour) -> Served:
        """Since the first look."""
        self._began = self._began or self._clock()
        window = max(60, round(self._clock() - self._began) + 60)
        routes = "|".join(re.escape(each) for each in sorted(PROBES))
        chosen = {"namespace": f'="{self._namespace}"', "colour": f'="{colour}"'}
        chosen["route"] = f'!~"{routes}"'
        return Served(
            requests=round(self._sum(chosen, window)),
            failures=round(self._sum({**chosen, "status": '=~"5.."'}, window)),
        )

    def _sum(self, chosen: Mapping[str, str], window: int) -> float:
        labels = ",".join(f"{name}{match}" for name, match in chosen.items())
        query = f"sum(increase({METRIC}{{{labels}}}[{window}s]))"
        try:
            answer = self._http.request(
                "GET", f"{self._url}/api/v1/query?{urlencode({'query': query})}",
                timeout=SECONDS, retries=1,
            )  # fmt: skip
            document = msgspec.json.decode(answer.data)
            if document["status"] != "success":
                raise RemoteError(f"Prometheus refuses the query: {document.get('error')}")
            found = document["data"]["result"]
            return float(found[0]["value"][1]) if found else 0.0
        except urllib3.exceptions.HTTPError as error:
            raise RemoteError(f"Prometheus at {self._url} does not answer: {error}") from error
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, IndexError) as error:
            raise RemoteError(
                f"Prometheus at {self._url} answers something else: {error}"
            ) from error
