"""The ports `Store` and `Log`: ConfigMaps and a Lease of the namespace."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from sightline.colours.apiserver import COORDINATION, CORE, ApiServer, result_of
from sightline.colours.errors import AbsentError, ConflictError
from sightline.colours.reading import NAME
from sightline.releases import audit, lease, record
from sightline.releases.audit import Entry
from sightline.releases.errors import ReleasesError
from sightline.releases.lease import Lease
from sightline.releases.ports import Make
from sightline.releases.record import Record

AUDIT, AUDIT_LABEL = "sightline-audit", "sightline.io/audit"
MOST_ENTRIES = 500
"""Of one ConfigMap, which holds a mebibyte; then another is begun."""
TRIES = 10


class ClusterStore:
    """Of one namespace."""

    def __init__(self, api: ApiServer, *, namespace: str) -> None:
        self._api = api
        self._maps = f"{CORE}/{namespace}/configmaps"
        self._leases = f"{COORDINATION}/{namespace}/leases"

    def record(self) -> Record:
        """As it is now."""
        try:
            found = self._api.call("GET", f"{self._maps}/{record.NAME}")
        except AbsentError:
            return Record()
        return record.read(found.get("data") or {}, found["metadata"]["resourceVersion"])

    def keep(self, kept: Record) -> Record:
        """If it still is as it was seen."""
        version = self._put(self._maps, "ConfigMap", record.NAME, kept.resource_version,
                            {"data": record.written(kept)})  # fmt: skip
        return msgspec.structs.replace(kept, resource_version=version)

    def lease(self) -> Lease:
        """Who has the lock."""
        try:
            found = self._api.call("GET", f"{self._leases}/{lease.NAME}")
        except AbsentError:
            return Lease()
        spec, metadata = found.get("spec") or {}, found["metadata"]
        return Lease(
            holder=spec.get("holderIdentity") or None,
            reason=(metadata.get("annotations") or {}).get(lease.REASON),
            acquired=_time(spec.get("acquireTime")),
            renewed=_time(spec.get("renewTime")),
            seconds=int(spec.get("leaseDurationSeconds") or lease.SECONDS),
            transitions=int(spec.get("leaseTransitions") or 0),
            resource_version=metadata["resourceVersion"],
        )

    def hold(self, wanted: Lease) -> Lease:
        """If it still is as it was seen."""
        spec: dict[str, Any] = {
            "holderIdentity": wanted.holder or "",
            "leaseDurationSeconds": wanted.seconds,
            "leaseTransitions": wanted.transitions,
        }
        if wanted.acquired is not None:
            spec["acquireTime"] = _micro(wanted.acquired)
        if wanted.renewed is not None:
            spec["renewTime"] = _micro(wanted.renewed)
        version = self._put(
            self._leases, "Lease", lease.NAME, wanted.resource_version, {"spec": spec},
            annotations={} if wanted.reason is None else {lease.REASON: wanted.reason},
        )  # fmt: skip
        return msgspec.structs.replace(wanted, resource_version=version)

    def append(self, make: Make) -> Entry:
        """Made to follow the last one; tried again where somebody else was faster."""
        for _ in range(TRIES):
            maps = self._logs()
            name, version, entries = maps[-1] if maps else (f"{AUDIT}-00001", None, ())
            entry = make(entries[-1] if entries else None)
            if len(entries) >= MOST_ENTRIES:
                name, version, entries = f"{AUDIT}-{len(maps) + 1:05}", None, ()
            data = {"entries": audit.lines((*entries, entry)).decode()}
            try:
                self._put(self._maps, "ConfigMap", name, version, {"data": data},
                          labels={AUDIT_LABEL: "true"})  # fmt: skip
            except ConflictError:
                continue
            return entry
        raise ReleasesError(f"the audit log was changed by others {TRIES} times in a row")

    def entries(self) -> tuple[Entry, ...]:
        """All of them, the oldest first."""
        return tuple(entry for _, _, entries in self._logs() for entry in entries)

    def _logs(self) -> list[tuple[str, str | None, tuple[Entry, ...]]]:
        found = self._api.call("GET", self._maps, {"labelSelector": f"{AUDIT_LABEL}=true"})
        maps = sorted(found.get("items") or (), key=lambda each: str(each["metadata"]["name"]))
        try:
            return [
                (
                    str(each["metadata"]["name"]),
                    str(each["metadata"]["resourceVersion"]),
                    audit.read((each.get("data") or {}).get("entries", "").encode()),
                )
                for each in maps
            ]
        except msgspec.DecodeError as error:
            raise ReleasesError(
                f"the audit log (ConfigMaps {AUDIT}-…) cannot be read: {error}. `kubectl get"
                f" configmaps -l {AUDIT_LABEL}=true -o yaml` shows it"
            ) from error

    def _put(
        self, path: str, kind: str, name: str, version: str | None, content: dict[str, Any], *,
        labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None,
    ) -> str:  # fmt: skip
        metadata: dict[str, Any] = {
            "name": name,
            "labels": {NAME: "sightline", **(labels or {})},
            "annotations": annotations or {},
        }
        group = "v1" if kind == "ConfigMap" else "coordination.k8s.io/v1"
        body = {"apiVersion": group, "kind": kind, "metadata": metadata, **content}
        if version is None:
            done = self._api.change("POST", path, body)
        else:
            metadata["resourceVersion"] = version
            done = self._api.change("PUT", f"{path}/{name}", body)
        document = result_of(done, f"{kind} {name} was changed by somebody else")
        return str(document["metadata"]["resourceVersion"])


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _micro(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
