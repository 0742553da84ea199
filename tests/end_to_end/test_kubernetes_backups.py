"""The nightly backup on a live cluster, how it fails, and its restore in an empty namespace."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cluster_backups import (
    Ended,
    Volume,
    ask,
    by_hand,
    claims,
    counts,
    end,
    metrics,
    pods_of,
    restored,
    rows,
    small,
    start,
    template,
    volume,
)
from deployment import Sightline, Traffic
from figures import record_figure
from running import report, wait_for
from tak_outage import outage

pytestmark = pytest.mark.e2e

RESTORED = "sightline-restored"
LAST = "SELECT coalesce(error, '') FROM backups ORDER BY started_at DESC LIMIT 1"


def names(sightline: Sightline) -> set[str]:
    """The ids that the database knows backups by."""
    return {name for (name,) in rows(sightline, "SELECT id FROM backups")}


@dataclass
class Made:
    """A backup, and what it is of."""

    ended: Ended
    id: str
    undelivered: Traffic
    """What had been committed, and was not yet at the TAK server."""
    undelivered_sightings: set[tuple[str, str, int]]
    delivered: Traffic
    at: float


@pytest.fixture(scope="module")
def opened(sightline: Sightline) -> Iterator[Volume]:
    with volume(sightline) as there:
        yield there


@pytest.fixture(scope="module")
def made(sightline: Sightline) -> Iterator[Made]:
    """Made while users are led to green, and some events wait for the TAK server to come back."""
    before = sightline.active()
    if before == "blue":
        sightline.colours("switch", "--to", "green", "--no-smoke")
    try:
        with sightline.tak() as client:
            with sightline.traffic("delivered") as delivered:
                time.sleep(4)
            delivered.arrived(client)
        with outage(sightline.cluster) as (client, over):
            with sightline.traffic("undelivered") as undelivered:
                time.sleep(3)
            at = time.time()
            ended = by_hand(sightline)
            over()
            assert not undelivered.missing(client, seconds=90)
        assert ended.succeeded, f"{ended.conditions} {ended.words}"
        yield Made(
            ended=ended,
            id=ended.document["id"],
            undelivered=undelivered,
            undelivered_sightings=undelivered.expected(),
            delivered=delivered,
            at=at,
        )
    finally:
        if sightline.active() != before:
            sightline.colours("switch", "--to", before, "--no-smoke")


class TestTheNightlyBackup:
    def test_is_on_the_volume_with_its_manifest(self, made: Made, opened: Volume) -> None:
        assert opened.names(f"/backups/{made.id}") == {"dump", "manifest.json"}
        manifest = opened.manifest(made.id)
        digest = opened.run("sha256sum", f"/backups/{made.id}/dump").split()[0]
        assert manifest["sha256"] == digest
        assert manifest["schedule"] == "sightline-backups"
        placed = len(made.delivered.expected()) + len(made.undelivered_sightings)
        assert manifest["tables"]["events"] >= placed
        record_figure("backup in the cluster", made.ended.seconds)

    def test_is_in_the_database_and_in_what_is_scraped(
        self, sightline: Sightline, made: Made, opened: Volume
    ) -> None:
        manifest = opened.manifest(made.id)
        ((size, digest, error),) = rows(
            sightline,
            f"SELECT size_bytes, sha256, coalesce(error, '') FROM backups WHERE id = '{made.id}'",
        )
        assert (int(size), digest, error) == (manifest["size_bytes"], manifest["sha256"], "")

        def told() -> bool:
            seen = metrics(sightline, "sightline_backup_last_")
            return (
                seen["sightline_backup_last_success_timestamp_seconds"] >= made.at
                and seen["sightline_backup_last_size_bytes"] == manifest["size_bytes"]
            )

        wait_for(told, seconds=90, what="the gateway to tell of the backup")


class TestABackupThatFails:
    """Its Job has failed, it says why without secrets, and nothing looks like a backup."""

    def test_without_room_on_the_volume(
        self, sightline: Sightline, made: Made, opened: Volume
    ) -> None:
        def full(job: dict[str, Any]) -> None:
            for each in job["template"]["spec"]["volumes"]:
                if each["name"] == "backups":
                    del each["persistentVolumeClaim"]
                    each["emptyDir"] = {"medium": "Memory", "sizeLimit": "8Ki"}

        ended = by_hand(sightline, change=full)
        assert ended.conditions["Failed"]
        assert "No space left on device" in ended.words
        ((error,),) = rows(sightline, LAST)
        assert "No space left on device" in error

    def test_with_an_empty_dump(self, sightline: Sightline, made: Made, opened: Volume) -> None:
        before = opened.names()
        empty = "#!/bin/sh\ncase $1 in --version) echo 'pg_dump (PostgreSQL) 99.0';; esac\n"
        tools = {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "empty-dump"},
            "data": {"pg_dump": empty, "pg_restore": empty},
        }  # fmt: skip
        sightline.kubectl("apply", "-f", "-", given=json.dumps(tools))

        def use(job: dict[str, Any]) -> None:
            pod = job["template"]["spec"]
            pod["volumes"].append(
                {"name": "tools", "configMap": {"name": "empty-dump", "defaultMode": 0o555}}
            )
            pod["containers"][0]["volumeMounts"].append({"name": "tools", "mountPath": "/tools"})
            pod["containers"][0]["args"].append("--postgres-tools=/tools")

        try:
            ended = by_hand(sightline, change=use)
        finally:
            sightline.kubectl("delete", "configmap", "empty-dump")
        assert ended.conditions["Failed"]
        assert "dump is empty" in ended.words
        ((error,),) = rows(sightline, LAST)
        assert "dump is empty" in error
        assert opened.names() == before

    def test_with_a_wrong_password(self, sightline: Sightline, made: Made, opened: Volume) -> None:
        before = opened.names()
        wrong = "not-the-password-9c1f"
        url = f"postgresql://sightline:{wrong}@sightline-database/sightline"
        sightline.kubectl(
            "create", "secret", "generic", "wrong", f"--from-literal=database-url={url}"
        )

        def use(job: dict[str, Any]) -> None:
            for each in job["template"]["spec"]["volumes"]:
                if each["name"] == "secrets":
                    each["secret"]["secretName"] = "wrong"

        try:
            ended = by_hand(sightline, change=use)
        finally:
            sightline.kubectl("delete", "secret", "wrong")
        assert ended.conditions["Failed"]
        assert "password authentication failed" in ended.words
        assert wrong not in ended.words + ended.log
        assert opened.names() == before

    def test_when_its_pod_is_killed_in_the_middle(
        self, sightline: Sightline, made: Made, opened: Volume
    ) -> None:
        before = opened.names()
        known = names(sightline)
        # A dump waits for this table; gateways need it only for what they bury.
        with locked(sightline, "dead_letters"):
            job = start(sightline, change=lambda _: None)
            (new,) = wait_for(
                lambda: names(sightline) - known, seconds=60, what="the backup to be begun"
            )
            wait_for(lambda: f".{new}.partial" in opened.names(), what="the dump to be begun")
            (pod,) = pods_of(sightline, job)
            pod_name = pod["metadata"]["name"]
            sightline.kubectl("delete", "pod", pod_name, "--grace-period=0", "--force")
            ended = end(sightline, job)
            assert ended.conditions["Failed"]
            # Its maker may just have had the time to say so; without a size it is none either way.
            said = f"SELECT error, size_bytes, sha256 FROM backups WHERE id = '{new}'"
            assert rows(sightline, said) in ([["interrupted", "", ""]], [["", "", ""]])
        assert opened.names() - {f".{new}.partial"} == before
        opened.run("rm", "-rf", f"/backups/.{new}.partial")

    def test_leaves_the_good_one_the_newest(
        self, sightline: Sightline, made: Made, opened: Volume
    ) -> None:
        newest = max(each for each in opened.names() if not each.startswith("."))
        assert newest == made.id
        ended = by_hand(sightline)
        assert ended.succeeded, f"a failure before stands in its way: {ended.words}"
        opened.run("rm", "-rf", f"/backups/{ended.document['id']}")


@contextlib.contextmanager
def locked(sightline: Sightline, table: str) -> Iterator[None]:
    """Nobody reads that table, from here to there."""
    hold = f"BEGIN; LOCK TABLE {table}; SELECT pg_sleep(60)"
    command = sightline.cluster.kubectl_command(
        "-n", sightline.namespace, "exec", "sightline-database-0", "--",
        "psql", "-U", "sightline", "-d", "sightline", "-c", hold,
    )  # fmt: skip
    holder = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sleeping = "FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
    try:
        wait_for(lambda: rows(sightline, f"SELECT pid {sleeping}"), what="the lock")
        yield
    finally:
        rows(sightline, f"SELECT pg_terminate_backend(pid) {sleeping}")
        holder.wait(30)


class TestRestoredIntoAnEmptyNamespace:
    """As the documentation says: docs/reference/chart.md."""

    @pytest.fixture(scope="class")
    @classmethod
    def place(
        cls, sightline: Sightline, made: Made, opened: Volume, tmp_path_factory: Any
    ) -> Iterator[tuple[Sightline, Ended]]:
        """The backup is carried there; nobody delivers, and gateways run again."""
        folder: Path = tmp_path_factory.mktemp("restored")
        opened.carry_out(made.id, folder)
        there = Sightline(sightline.cluster, folder, namespace=RESTORED)
        there.values = small(
            there.cluster,
            {
                "colours": {"green": {"enabled": False}},
                "gateway": {"settings": {"sinks": []}},
                "networkPolicies": {"tak": []},
            },
        )
        try:
            there.prepare()
            there.kubectl("apply", "-f", "-", given=template(there, "volumes.yaml"))
            with volume(there) as its:
                its.carry_in(folder / made.id)
            began = time.monotonic()
            restore = ("--set", f"restore.enabled=true,restore.from={made.id}")
            there.helm("install", "--take-ownership", *restore)
            ended = restored(there)
            record_figure("restore in the cluster", time.monotonic() - began)
            yield there, ended
        finally:
            there.cluster.kubectl("delete", "namespace", RESTORED, "--wait=false")

    def test_has_as_many_rows_in_each_table(
        self, place: tuple[Sightline, Ended], made: Made
    ) -> None:
        there, ended = place
        manifest = made.ended.document
        assert ended.document["tables"] == manifest["tables"]
        # Which colour delivers is another matter here: see below.
        assert counts(there, manifest["tables"]) == manifest["tables"] | {"colours": 0}

    def test_serves_its_events_and_takes_new_ones_and_delivers_nothing(
        self, place: tuple[Sightline, Ended], made: Made
    ) -> None:
        there, _ = place
        with listening(there) as heard:
            there.helm("upgrade", "--wait", "--timeout", "240s")
            assert sightings(there, made) >= made.delivered.expected() | made.undelivered.expected()
            assert ask(there, "/v1/detections", body=report("new", camera="after")).status == 201
            time.sleep(3)
            assert heard() == []

    def test_delivers_from_where_the_backup_was_once_it_takes_over(
        self, place: tuple[Sightline, Ended], made: Made
    ) -> None:
        there, _ = place
        assert there.active() == "blue", "in the backup, green delivered"
        sinks = [{"name": "tak", "url": "tcp://tak.tak:8087"}]
        there.values["gateway"]["settings"]["sinks"] = sinks
        del there.values["networkPolicies"]
        with listening(there) as heard:
            there.helm("upgrade", "--wait", "--timeout", "240s")
            wait_for(lambda: ("after", "new", 1) in heard(), seconds=60, what="what came since")
            seen = set(heard())
        assert made.undelivered_sightings <= seen
        assert not made.delivered.expected() & seen

    def test_uninstalling_leaves_the_volumes_and_says_so(
        self, place: tuple[Sightline, Ended], made: Made
    ) -> None:
        there, _ = place
        notes = there.cluster.helm("get", "notes", "sightline", "-n", RESTORED)
        before = claims(there)
        for each in before:
            assert each in notes
        said = there.cluster.helm("uninstall", "sightline", "-n", RESTORED, "--wait", version=3)
        assert "sightline-backups" in said
        assert claims(there) == before == {"data-sightline-database-0", "sightline-backups"}
        assert there.get("deployments")["items"] == []

    def test_installed_again_it_has_what_it_had(
        self, place: tuple[Sightline, Ended], made: Made
    ) -> None:
        there, _ = place
        began = time.monotonic()
        there.helm("install", "--wait", "--timeout", "240s")
        record_figure("install of one pod each, with data", time.monotonic() - began)
        assert sightings(there, made) >= made.delivered.expected() | made.undelivered.expected()
        with volume(there) as its:
            assert made.id in its.names()
        with there.tak() as client:
            assert ask(there, "/v1/detections", body=report("again", camera="after")).status == 201
            wait_for(lambda: ("after", "again", 1) in client.sightings(), seconds=60)


@contextlib.contextmanager
def listening(sightline: Sightline) -> Iterator[Callable[[], list[tuple[str, str, int]]]]:
    """What comes at the TAK server from now on; what it still knows, it tells whoever connects."""
    with sightline.tak() as client:
        time.sleep(2)
        known = len(client.sightings())
        yield lambda: client.sightings()[known:]


def sightings(sightline: Sightline, made: Made) -> set[tuple[str, str, int]]:
    """What /v1/events has of what was acknowledged before the backup."""
    found = set()
    since: int | None = 0
    while since is not None:
        page = ask(sightline, f"/v1/events?since={since}&limit=500").json
        found |= {(each["camera_id"], each["frame_id"], each["index"]) for each in page["events"]}
        since = page["next"]
    cameras = {camera for camera, _, _ in made.delivered.expected() | made.undelivered.expected()}
    return {each for each in found if each[0] in cameras}
