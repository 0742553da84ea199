"""A bucket of S3 on loopback (moto's server), and hands that spoil what is in it."""

from __future__ import annotations

import contextlib
import itertools
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from sightline.backups.bucket import Bucket

_numbers = itertools.count()
KEYS = "[default]\naws_access_key_id = AKIATEST\naws_secret_access_key = of-no-worth\n"


class Buckets:
    """The server, as an administrator sees it."""

    def __init__(self, endpoint_url: str, credentials_file: Path) -> None:
        self.endpoint_url, self.credentials_file = endpoint_url, credentials_file
        self.client: Any = boto3.client(
            "s3", endpoint_url=endpoint_url, region_name="us-east-1",
            aws_access_key_id="AKIATEST", aws_secret_access_key="of-no-worth",
        )  # fmt: skip

    def create(self, *, locks: bool = False, prefix: str = "site/backups") -> Bucket:
        """An empty one."""
        name = f"bucket-{next(_numbers)}"
        self.client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locks)
        return Bucket(
            name=name, prefix=prefix, endpoint_url=self.endpoint_url,
            credentials_file=self.credentials_file,
        )  # fmt: skip

    def keys(self, bucket: Bucket) -> list[str]:
        """Of every object in it."""
        listed = self.client.list_objects_v2(Bucket=bucket.name)
        return sorted(each["Key"] for each in listed.get("Contents", ()))

    def options(self) -> list[str]:
        """How a command finds it."""
        return [
            f"--endpoint-url={self.endpoint_url}", f"--credentials-file={self.credentials_file}",
        ]  # fmt: skip


@contextlib.contextmanager
def buckets(folder: Path) -> Iterator[Buckets]:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - it takes a second

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        keys = folder / "credentials"
        keys.write_text(KEYS)
        yield Buckets(f"http://{host}:{port}", keys)
    finally:
        server.stop()
