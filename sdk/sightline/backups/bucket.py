"""A bucket of S3, or of what speaks like it (Garage, Ceph): objects by their keys.

All that is written is read back, and its SHA-256 compared; with a lock, so is until when it holds.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

import boto3
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sightline.backups import folder
from sightline.backups.errors import BackupError, DamageError, RefusedError, TargetError

Mode: TypeAlias = Literal["COMPLIANCE", "GOVERNANCE"]
PART = 16 * 1024 * 1024
_MOST_PARTS = 10_000
_PIECE = 1024 * 1024
_UNLOCKED = ("ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration")
_ABSENT = ("NoSuchKey", "404")


@dataclass(frozen=True, kw_only=True)
class Lock:
    """For how long nobody may change what is written."""

    days: int
    mode: Mode = "COMPLIANCE"

    def until(self, now: datetime) -> datetime:
        """Whole seconds: more is not kept."""
        return (now + timedelta(days=self.days)).replace(microsecond=0)


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """Where it is and how one gets in; who one is comes by the usual chain, or from a file."""

    name: str
    prefix: str = ""
    endpoint_url: str | None = None
    region: str | None = None
    credentials_file: Path | None = None

    @property
    def where(self) -> str:
        """As it is named on a command line."""
        return f"s3://{self.name}/{self.prefix}".rstrip("/")

    def client(self) -> Any:
        """What talks to it."""
        session = botocore.session.Session()
        if self.credentials_file is not None:
            session.set_config_variable("credentials_file", str(self.credentials_file))
            # Else keys in the environment would win over the file that is named.
            session.get_component("credential_provider").remove("env")
        region = self.region or session.get_config_variable("region") or "us-east-1"
        return boto3.session.Session(botocore_session=session).client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name=region,
            config=Config(
                retries={"max_attempts": 6, "mode": "standard"},
                connect_timeout=10,
                read_timeout=120,
                # We send and compare SHA-256 ourselves; other makers' servers stumble over more.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "path" if self.endpoint_url else "auto"},
            ),
        )


class Objects:
    """The objects below a bucket's prefix; keys here are without it. Raises BackupError."""

    def __init__(self, bucket: Bucket, *, part: int = PART) -> None:
        self.where = bucket.where
        self._bucket, self._part = bucket.name, part
        self._prefix = f"{bucket.prefix}/" if bucket.prefix else ""
        with self._telling():
            self._client = bucket.client()

    def sizes(self) -> dict[str, int]:
        """How large each object is."""
        with self._telling():
            return {
                each["Key"].removeprefix(self._prefix): int(each["Size"])
                for each in self._listed("list_objects_v2", "", "Contents")
            }

    def begun(self, prefix: str = "") -> dict[str, str]:
        """Uploads that nobody has ended: by its id, the key of each."""
        with self._telling():
            return {
                each["UploadId"]: each["Key"].removeprefix(self._prefix)
                for each in self._listed("list_multipart_uploads", prefix, "Uploads")
            }

    def read(self, key: str) -> tuple[bytes, datetime | None] | None:
        """What is in a small object, and until when it is locked; None where there is none."""
        with self._telling():
            got = self._got(key)
            if got is None:
                return None
            return got["Body"].read(), got.get("ObjectLockRetainUntilDate")

    def download(self, key: str, into: Path) -> None:
        """Raises DamageError where it is not there."""
        with self._telling():
            got = self._got(key)
            if got is None:
                raise DamageError(f"{self.where}/{key} is not there")
            into.touch(mode=0o600)
            with into.open("wb") as opened:
                for piece in got["Body"].iter_chunks(_PIECE):
                    opened.write(piece)

    def put(self, key: str, data: bytes, *, lock: Lock | None = None, now: datetime) -> None:
        """A small object, at once."""
        with self._telling():
            self._put(key, data, _held(lock, now))

    def upload(self, file: Path, key: str, *, lock: Lock | None, now: datetime) -> None:
        """A file, in parts where it is large; then it is read back, and its lock looked at."""
        held = _held(lock, now)
        with self._telling():
            digest = folder.digest(file)
            if file.stat().st_size <= self._part:
                self._put(key, file.read_bytes(), held)
            else:
                self._put_parts(key, file, held)
            self._compare(key, digest)
            if lock is not None:
                self._require_held(key, lock.until(now))

    def remove(self, prefix: str, *, first: str) -> None:
        """Each version of each object; those whose key ends with `first` before the others."""
        with self._telling():
            doomed = self._versions(prefix)
            for each in sorted(doomed, key=lambda each: not each["Key"].endswith(first)):
                self._client.delete_object(Bucket=self._bucket, **each)
            for upload, key in self.begun(prefix).items():
                self._client.abort_multipart_upload(**self._at(key), UploadId=upload)

    def locked_until(self, key: str) -> datetime | None:
        """None where it is not locked, or not there."""
        with self._telling():
            try:
                got: Mapping[str, Any] = self._client.head_object(**self._at(key))
            except ClientError as error:
                if _code(error) in _ABSENT:
                    return None
                raise
            return got.get("ObjectLockRetainUntilDate")

    def require_lock(self) -> None:
        """Raises RefusedError where the bucket can lock nothing."""
        with self._telling():
            try:
                got = self._client.get_object_lock_configuration(Bucket=self._bucket)
                on = got["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled"
            except ClientError as error:
                if _code(error) not in _UNLOCKED:
                    raise
                on = False
        if not on:
            raise RefusedError(
                f"the bucket {self._bucket} has no object lock, and one is asked for: it is given"
                " to a bucket when that is made"
            )

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + key}

    def _listed(self, what: str, prefix: str, kind: str) -> Iterator[Mapping[str, Any]]:
        pages = self._client.get_paginator(what).paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        for page in pages:
            yield from page.get(kind, ())

    def _versions(self, prefix: str) -> list[dict[str, str]]:
        found = [
            {"Key": each["Key"], "VersionId": each["VersionId"]}
            for kind in ("Versions", "DeleteMarkers")
            for each in self._listed("list_object_versions", prefix, kind)
        ]
        # Some makers' servers know no versions: then there are the objects themselves.
        return found or [
            {"Key": each["Key"]} for each in self._listed("list_objects_v2", prefix, "Contents")
        ]

    def _got(self, key: str) -> Mapping[str, Any] | None:
        try:
            got: Mapping[str, Any] = self._client.get_object(**self._at(key))
        except ClientError as error:
            if _code(error) in _ABSENT:
                return None
            raise
        return got

    def _put(self, key: str, data: bytes, held: Mapping[str, Any]) -> None:
        self._client.put_object(**self._at(key), Body=data, **_checksum(data), **held)

    def _put_parts(self, key: str, file: Path, held: Mapping[str, Any]) -> None:
        at = self._at(key)
        size = max(self._part, math.ceil(file.stat().st_size / _MOST_PARTS))
        upload = self._client.create_multipart_upload(**at, ChecksumAlgorithm="SHA256", **held)
        at["UploadId"] = upload["UploadId"]
        parts: list[dict[str, Any]] = []
        try:
            with file.open("rb") as opened:
                while data := opened.read(size):
                    number, checksum = len(parts) + 1, _checksum(data)
                    got = self._client.upload_part(**at, PartNumber=number, Body=data, **checksum)
                    parts.append(
                        {
                            "PartNumber": number,
                            "ETag": got["ETag"],
                            "ChecksumSHA256": checksum["ChecksumSHA256"],
                        }
                    )
            self._client.complete_multipart_upload(**at, MultipartUpload={"Parts": parts})
        except BaseException:
            with contextlib.suppress(ClientError, BotoCoreError):
                self._client.abort_multipart_upload(**at)
            raise

    def _compare(self, key: str, digest: str) -> None:
        """What a server says of itself is not what it has stored."""
        got = self._client.get_object(**self._at(key))
        found = hashlib.sha256()
        for piece in got["Body"].iter_chunks(_PIECE):
            found.update(piece)
        if found.hexdigest() != digest:
            raise DamageError(
                f"{self.where}/{key}: its SHA-256 is {found.hexdigest()[:12]}… in the bucket, and"
                f" was {digest[:12]}… here"
            )

    def _require_held(self, key: str, until: datetime) -> None:
        kept = self.locked_until(key)
        if kept is None or kept < until:
            raise DamageError(f"{self.where}/{key} is not locked until {until:%Y-%m-%d %H:%M} UTC")

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """What S3 says, as an error of ours; it quotes no secret."""
        try:
            yield
        except ClientError as error:
            said = error.response.get("Error", {})
            code, words = said.get("Code", "unknown"), said.get("Message", "")
            raise TargetError(f"{self.where}: {error.operation_name}: {code} {words}") from error
        except (BotoCoreError, ValueError) as error:
            # A ValueError: an endpoint's address that is none.
            raise TargetError(f"{self.where}: {' '.join(str(error).split())}") from error
        except OSError as error:
            raise BackupError(f"{error.filename}: {error.strerror}") from error


def _held(lock: Lock | None, now: datetime) -> dict[str, Any]:
    if lock is None:
        return {}
    return {"ObjectLockMode": lock.mode, "ObjectLockRetainUntilDate": lock.until(now)}


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _checksum(data: bytes) -> dict[str, str]:
    """What S3 wants of whoever locks something; a server that knows it compares it."""
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    return {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": digest}
