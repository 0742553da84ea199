"""Where backups lie: a folder and a bucket. They appear whole or not at all, and are taken away."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from buckets import Buckets
from sightline.backups import folder, making, manifest, opening
from sightline.backups.bucket import Bucket, Lock
from sightline.backups.errors import DamageError, RefusedError, TargetError
from sightline.backups.folder import FolderTarget
from sightline.backups.s3 import S3Target
from sightline.backups.target import MANIFEST, VERIFIED, Target, choose
from sites import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site("sqlite", tmp_path, None)
    site.fill()
    return site


@pytest.fixture(params=["folder", "bucket", "bucket without a prefix"])
def target(request: pytest.FixtureRequest, s3: Buckets, tmp_path: Path) -> Target:
    if request.param == "folder":
        return FolderTarget(tmp_path / "backups")
    bucket = s3.create(prefix="" if "without" in request.param else "site/backups")
    return S3Target(bucket, part=5 * 1024 * 1024)


def test_what_is_restored_from_it_is_what_was_there(site, target):
    made = making.create(site.database(), target)
    assert made.location == f"{target.where}/{made.manifest.id}"
    fresh = site.new()
    done = making.restore(site.database(fresh), target, choose(target, None))
    assert done.tables == made.manifest.tables
    (found,) = target.found()
    assert (found.id, found.state, found.manifest) == (made.manifest.id, "whole", made.manifest)


def test_the_newest_that_is_whole_is_chosen(site, target):
    moments = [datetime(2026, 11, day, 2, tzinfo=UTC) for day in (3, 1, 2)]
    for moment in moments:
        making.create(site.database(), target, now=lambda moment=moment: moment)
    assert choose(target, None).startswith("20261103")
    assert [each.id[:8] for each in target.found()] == ["20261101", "20261102", "20261103"]


def test_a_making_that_breaks_off_leaves_nothing(target):
    name = "20261126T020000Z-1f09ac"

    def breaking() -> None:
        with target.appearing(name) as place:
            (place / "dump").write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        breaking()
    assert target.found() == ()


def test_what_is_removed_is_gone_and_the_others_stay(site, target):
    first, second = (making.create(site.database(), target).manifest.id for _ in range(2))
    target.note(first, b"{}")
    target.remove(first)
    assert [each.id for each in target.found()] == [second]
    with pytest.raises((RefusedError, DamageError)), target.present(first) as place:
        folder.opened(place)


def test_a_note_that_is_not_of_this_dump_says_nothing(site, target):
    made = making.create(site.database(), target).manifest
    for note in (b"{}", b"", b"\x00", _note(made.id, "0" * 64), _note("another", made.sha256)):
        target.note(made.id, note)
        (found,) = target.found()
        assert (found.state, found.verification) == ("whole", None)
    target.note(made.id, _note(made.id, made.sha256))
    (found,) = target.found()
    assert found.verified


def _note(name: str, sha256: str) -> bytes:
    return json.dumps(
        {"format": 1, "id": name, "sha256": sha256, "verified_at": "2026-11-26T02:00:00Z",
         "problem": None, "restore_seconds": 1.5, "seconds": {}, "server": "SQLite"}
    ).encode()  # fmt: skip


def test_a_large_file_goes_in_parts_and_comes_back_as_it_was(s3, tmp_path):
    bucket = s3.create()
    target = S3Target(bucket, part=5 * 1024 * 1024)
    name = "20261126T020000Z-1f09ac"
    data = bytes(range(256)) * 4096 * 11
    with target.appearing(name) as place:
        (place / "dump").write_bytes(data)
        (place / MANIFEST).write_bytes(_large(name, data))
    head = s3.client.head_object(Bucket=bucket.name, Key=f"site/backups/{name}/dump")
    assert head["ETag"].strip('"').endswith("-3"), "it went at once"
    with target.present(name) as place:
        assert (place / "dump").read_bytes() == data
    assert not list(tmp_path.glob(".sightline-backups-*"))


def _large(name: str, data: bytes) -> bytes:
    import hashlib  # noqa: PLC0415

    moment = datetime(2026, 11, 26, 2, tzinfo=UTC)
    return manifest.written(
        manifest.Manifest(
            id=name, kind="sqlite", source="x", started_at=moment, finished_at=moment,
            size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), tables={"events": 1},
            schema_version=5, head=1, tools={},
        )
    )  # fmt: skip


class TestInABucket:
    def test_what_the_server_stored_otherwise_is_noticed(self, site, s3, monkeypatch):
        bucket = s3.create()
        target = S3Target(bucket)
        put = target._objects._put

        def lossy(key: str, data: bytes, held: object) -> None:
            put(key, data[:-1] if key.endswith("dump") else data, held)

        monkeypatch.setattr(target._objects, "_put", lossy)
        with pytest.raises(DamageError, match="in the bucket"):
            making.create(site.database(), target)
        assert s3.keys(bucket) == []

    def test_without_its_manifest_it_is_unfinished(self, site, s3):
        bucket = s3.create()
        target = S3Target(bucket)
        made = making.create(site.database(), target).manifest
        s3.client.delete_object(Bucket=bucket.name, Key=f"site/backups/{made.id}/{MANIFEST}")
        assert [each.state for each in target.found()] == ["unfinished"]
        with pytest.raises(RefusedError, match="no backup in"):
            choose(target, None)
        with pytest.raises(RefusedError, match="never finished"), target.present(made.id):
            pass

    def test_an_upload_that_nobody_ended_is_unfinished_and_goes_with_it(self, s3):
        bucket = s3.create()
        target = S3Target(bucket)
        name = "20261126T020000Z-1f09ac"
        key = f"site/backups/{name}/dump"
        s3.client.create_multipart_upload(Bucket=bucket.name, Key=key)
        (found,) = target.found()
        assert (found.id, found.state) == (name, "unfinished")
        target.remove(name)
        assert target.found() == ()

    def test_what_else_lies_there_is_left_alone(self, site, s3):
        bucket = s3.create()
        for key in ("site/backups/README", "site/other/20261126T020000Z-1f09ac/dump", "site/b"):
            s3.client.put_object(Bucket=bucket.name, Key=key, Body=b"x")
        target = S3Target(bucket)
        made = making.create(site.database(), target).manifest
        assert [each.id for each in target.found()] == [made.id]
        target.remove(made.id)
        assert len(s3.keys(bucket)) == 3

    @pytest.mark.parametrize("mode", ["COMPLIANCE", "GOVERNANCE"])
    def test_what_is_locked_cannot_be_removed_before_its_time(self, site, s3, mode):
        bucket = s3.create(locks=True)
        target = S3Target(bucket, lock=Lock(days=30, mode=mode))
        made = making.create(site.database(), target).manifest
        (found,) = target.found()
        ahead = found.locked_until - datetime.now(UTC)
        assert timedelta(days=29, hours=23) < ahead <= timedelta(days=30)
        with pytest.raises(TargetError, match="AccessDenied"):
            target.remove(made.id)
        (found,) = target.found()
        assert found.state == "whole"

    def test_a_lock_that_a_bucket_cannot_give_is_told_before_anything_is_dumped(self, site, s3):
        bucket = s3.create()
        with pytest.raises(RefusedError, match="no object lock"):
            making.create(site.database(), S3Target(bucket, lock=Lock(days=1)))
        assert s3.keys(bucket) == []

    def test_in_a_bucket_with_versions_nothing_stays_behind(self, site, s3):
        bucket = s3.create(locks=True)
        target = S3Target(bucket)
        made = making.create(site.database(), target).manifest
        target.note(made.id, b"one")
        target.note(made.id, b"two")
        target.remove(made.id)
        listed = s3.client.list_object_versions(Bucket=bucket.name)
        assert not listed.get("Versions")
        assert not listed.get("DeleteMarkers")

    def test_a_bucket_that_is_not_there_is_a_sentence(self, site, s3):
        bucket = Bucket(
            name="nowhere", endpoint_url=s3.endpoint_url, credentials_file=s3.credentials_file
        )
        with pytest.raises(TargetError, match="NoSuchBucket"):
            making.create(site.database(), S3Target(bucket))

    def test_keys_that_are_named_win_over_those_of_the_environment(self, s3, monkeypatch):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOTHER")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
        client = s3.create().client()
        assert client._request_signer._credentials.access_key == "AKIATEST"

    def test_no_keys_at_all_is_a_sentence(self, s3, monkeypatch, tmp_path):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("HOME", str(tmp_path))
        bucket = Bucket(name="any", endpoint_url=s3.endpoint_url)
        with pytest.raises(TargetError, match="credentials"):
            S3Target(bucket).found()


def test_a_folder_that_has_nothing_to_do_with_backups_is_left_alone(site, tmp_path):
    target = FolderTarget(tmp_path / "backups")
    made = making.create(site.database(), target).manifest
    (tmp_path / "backups" / "lost+found").mkdir()
    (tmp_path / "backups" / "notes.txt").write_text("x")
    assert [each.id for each in target.found()] == [made.id]


def test_what_stands_in_a_folder_under_another_name_is_damaged(site, tmp_path):
    target = FolderTarget(tmp_path / "backups")
    made = making.create(site.database(), target).manifest
    other = tmp_path / "backups" / "20260101T000000Z-abcdef"
    shutil.copytree(tmp_path / "backups" / made.id, other)
    states = {each.id: each.state for each in target.found()}
    assert states == {made.id: "whole", other.name: "damaged"}


def test_what_a_restore_left_behind_that_was_killed_is_no_backup(site, tmp_path):
    target = FolderTarget(tmp_path / "backups")
    making.create(site.database(), target)
    with opening.room_in(tmp_path / "backups") as room:
        (room / "dump").write_bytes(b"x")
        assert [each.state for each in target.found()] == ["whole"]


def test_a_half_written_note_is_never_seen(site, tmp_path, monkeypatch):
    target = FolderTarget(tmp_path / "backups")
    made = making.create(site.database(), target).manifest
    target.note(made.id, _note(made.id, made.sha256))

    def dying(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "sync", dying)
    with pytest.raises(KeyboardInterrupt):
        target.note(made.id, b"half")
    (found,) = target.found()
    assert found.verified
    assert json.loads((tmp_path / "backups" / made.id / VERIFIED).read_bytes())["id"] == made.id
