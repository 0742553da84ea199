"""What a backup says of itself, read again: as it was written, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.backups import manifest
from sightline.backups.errors import DamageError
from sightline.backups.manifest import Encryption, Manifest

MOMENT = datetime(2026, 11, 26, 2, tzinfo=UTC)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
COUNTS = st.dictionaries(st.text(min_size=1), st.integers(0, 2**53), min_size=1, max_size=5)
MANIFESTS = st.builds(
    Manifest,
    id=st.just("20261126T020000Z-1f09ac"),
    kind=st.sampled_from(["sqlite", "postgres"]),
    source=st.text(),
    started_at=st.just(MOMENT),
    finished_at=st.datetimes(timezones=st.just(UTC)),
    size_bytes=st.integers(1, 2**53),
    sha256=DIGESTS,
    encryption=st.none()
    | st.builds(
        Encryption,
        recipients=st.lists(st.text(), min_size=1).map(tuple),
        plain_bytes=st.integers(1, 2**53),
        plain_sha256=DIGESTS,
    ),
    tables=COUNTS,
    facts=st.dictionaries(st.text(), st.integers(-(2**53), 2**53), max_size=5),
    schema_version=st.integers(1, 99),
    head=st.integers(0, 2**53),
    tools=st.dictionaries(st.text(), st.text(), max_size=3),
    schedule=st.none() | st.text(),
)


@given(MANIFESTS)
def test_it_is_read_as_it_was_written(told):
    again = manifest.read(manifest.written(told), where="here")
    assert msgspec.structs.replace(again, digest=None) == told


@given(MANIFESTS, st.data())
def test_not_one_bit_of_it_may_turn(told, data):
    written = bytearray(manifest.written(told))
    written[data.draw(st.integers(0, len(written) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamageError):
        manifest.read(bytes(written), where="here")


@given(MANIFESTS, st.data())
def test_not_one_byte_of_it_may_be_missing_at_its_end(told, data):
    written = manifest.written(told)
    with pytest.raises(DamageError):
        manifest.read(written[: data.draw(st.integers(0, len(written) - 1))], where="here")


FIRST = b"""{
  "format": 1, "id": "20261126T020000Z-1f09ac", "kind": "postgres", "source": "db:5432/sightline",
  "schema": "public", "started_at": "2026-11-26T02:00:00Z", "finished_at": "2026-11-26T02:00:05Z",
  "size_bytes": 41000, "sha256": "%s", "tables": {"events": 8}, "schema_version": 5, "head": 8,
  "tools": {"pg_dump": "15.14"}, "schedule": null
}""" % (b"ab" * 32)


def test_the_first_format_is_read_for_ever():
    told = manifest.read(FIRST, where="here")
    assert (told.head, told.dump, told.encryption, told.facts) == (8, "dump", None, {})


def test_the_first_format_knew_no_encryption():
    lying = FIRST.replace(b'"schedule": null', b'"digest": "%s"' % (b"0" * 64))
    with pytest.raises(DamageError, match="format 1"):
        manifest.read(lying, where="here")
