"""Backups in a bucket: an object for each file, `PREFIX/ID/dump` and so on.

The manifest is the last object that is written and the first that is removed: what has none is no
backup. With a lock, nobody can change or delete what is written before its time, not even whoever
has the keys that wrote it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from sightline.backups import manifest, verification
from sightline.backups.bucket import PART, Bucket, Lock, Objects
from sightline.backups.errors import BackupError, DamageError, RefusedError
from sightline.backups.found import ID, Found
from sightline.backups.making import Now, utc
from sightline.backups.manifest import Manifest
from sightline.backups.opening import room_in
from sightline.backups.target import MANIFEST, VERIFIED


class S3Target:
    """Backups in a bucket, under a prefix."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        lock: Lock | None = None,
        scratch: Path | None = None,
        part: int = PART,
        now: Now = utc,
    ) -> None:
        """`scratch` is where files lie between here and there; they are as large as a dump."""
        self.where = bucket.where
        self._objects = Objects(bucket, part=part)
        self._lock, self._scratch, self._now = lock, scratch, now

    def found(self) -> tuple[Found, ...]:
        """All that is there, the oldest first."""
        by_name = self._by_name()
        return tuple(self._found(name, by_name[name]) for name in sorted(by_name))

    @contextlib.contextmanager
    def present(self, name: str) -> Iterator[Path]:
        """A folder with its files, fetched; it lasts as long as the block."""
        with room_in(self._scratch) as room:
            got = self._objects.read(f"{name}/{MANIFEST}")
            if got is None:
                if name in self._by_name():
                    raise RefusedError(f"{self.where}/{name} was never finished")
                raise RefusedError(f"there is no backup {name} in {self.where}")
            place = room / name
            place.mkdir(mode=0o700)
            (place / MANIFEST).write_bytes(got[0])
            told = manifest.read(got[0], where=f"{self.where}/{name}/{MANIFEST}")
            self._objects.download(f"{name}/{told.dump}", place / told.dump)
            yield place

    @contextlib.contextmanager
    def appearing(self, name: str) -> Iterator[Path]:
        """A folder to fill; in the bucket by that name once it is left well, gone if it is not."""
        if self._lock is not None:
            self._objects.require_lock()
        with room_in(self._scratch) as room:
            yield room
            now = self._now()
            try:
                for each in sorted(room.iterdir(), key=lambda each: each.name == MANIFEST):
                    self._objects.upload(each, f"{name}/{each.name}", lock=self._lock, now=now)
            except BaseException:
                # What is locked cannot be taken back: it has no manifest, and is no backup.
                with contextlib.suppress(BackupError):
                    self.remove(name)
                raise

    def note(self, name: str, data: bytes) -> None:
        """Put `verified.json` beside a manifest; it may change, so it is never locked."""
        self._objects.put(f"{name}/{VERIFIED}", data, now=self._now())

    def remove(self, name: str) -> None:
        """Take it away, each version of each object, the manifest first."""
        self._objects.remove(f"{name}/", first=MANIFEST)

    def _by_name(self) -> dict[str, dict[str, int]]:
        """By id: how large each of its objects is; also of those that were only begun."""
        found: dict[str, dict[str, int]] = {}
        for key, size in self._objects.sizes().items():
            name, _, rest = key.partition("/")
            if ID.fullmatch(name):
                found.setdefault(name, {})[rest] = size
        for key in self._objects.begun().values():
            name = key.partition("/")[0]
            if ID.fullmatch(name):
                found.setdefault(name, {})
        return found

    def _found(self, name: str, sizes: Mapping[str, int]) -> Found:
        stored = sum(sizes.values())
        got = self._objects.read(f"{name}/{MANIFEST}") if MANIFEST in sizes else None
        if got is None:
            return Found(
                id=name,
                state="unfinished",
                stored_bytes=stored,
                locked_until=self._locked(name, sizes),
            )
        data, locked = got
        try:
            told = self._whole(name, data, sizes)
        except DamageError as error:
            return Found(
                id=name, state="damaged", problem=str(error), stored_bytes=stored,
                locked_until=locked,
            )  # fmt: skip
        return Found(
            id=name, state="whole", stored_bytes=stored, manifest=told, locked_until=locked,
            verification=self._verification(name, told) if VERIFIED in sizes else None,
        )  # fmt: skip

    def _whole(self, name: str, data: bytes, sizes: Mapping[str, int]) -> Manifest:
        where = f"{self.where}/{name}"
        told = manifest.read(data, where=f"{where}/{MANIFEST}")
        if told.id != name:
            raise DamageError(f"{where}/{MANIFEST} is damaged: it is of the backup {told.id}")
        if sizes.get(told.dump) != told.size_bytes:
            has = sizes.get(told.dump, "no")
            raise DamageError(f"{where}/{told.dump} has {has} bytes, and had {told.size_bytes}")
        return told

    def _locked(self, name: str, sizes: Mapping[str, int]) -> datetime | None:
        """Until when the dump of one without a manifest is locked."""
        return max(
            (
                until
                for each in sizes
                if (until := self._objects.locked_until(f"{name}/{each}")) is not None
            ),
            default=None,
        )

    def _verification(self, name: str, told: Manifest) -> verification.Verification | None:
        got = self._objects.read(f"{name}/{VERIFIED}")
        # A note that cannot be read is none: the backup is then unverified, which is noticed.
        with contextlib.suppress(DamageError):
            data = b"" if got is None else got[0]
            found = verification.read(data, where=f"{self.where}/{name}/{VERIFIED}")
            return found if found.speaks_of(told) else None
        return None
