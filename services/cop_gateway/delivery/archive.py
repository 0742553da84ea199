"""A .zip from others, in memory: entries are names and bytes, nothing is ever unpacked. Pure."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from cop_gateway.delivery.certificates import CredentialsError
from sightline.tak.xml_document import parse_document

_ENTRIES = 2_000
_ENTRY_BYTES = 1 << 20
_NESTED_BYTES = 8 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DIRECTORY_ENTRY = b"PK\x01\x02"
# What `zipfile` says to bytes that are no archive, or one that was tampered with.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    ArithmeticError,
    LookupError,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Archive:
    """Its entries in order; `name` is the file, for people."""

    name: str
    entries: tuple[str, ...]
    _file: zipfile.ZipFile

    @classmethod
    def open(cls, data: bytes, *, name: str) -> Archive:
        """Read the directory; raises CredentialsError for what is no .zip or has too much in it."""
        # Counted before, since `zipfile` makes an object of each.
        if data.count(_DIRECTORY_ENTRY) > _ENTRIES:
            raise CredentialsError(f"{name} has more than {_ENTRIES} entries")
        try:
            file = zipfile.ZipFile(io.BytesIO(data))
        except _BROKEN as error:
            raise CredentialsError(f"{name} is not a .zip, or damaged") from error
        entries = tuple(name for name in file.namelist() if not name.endswith("/"))
        return cls(name=name, entries=entries, _file=file)

    def path(self, entry: str) -> str:
        """An entry, for people: names in an archive may be long and hold anything."""
        return f"{entry[:80]!r} in {self.name}"

    def read(self, entry: str, *, limit: int = _ENTRY_BYTES) -> bytes:
        """Unpack an entry; never more than `limit` bytes, whatever the archive says of itself."""
        try:
            information = self._file.getinfo(entry)
            if information.compress_type not in _METHODS or information.flag_bits & 1:
                raise CredentialsError(f"{self.path(entry)} is encrypted or oddly compressed")
            with self._file.open(information) as file:
                data = file.read(limit + 1)
        except _BROKEN as error:
            raise CredentialsError(f"{self.path(entry)} is damaged") from error
        if len(data) > limit:
            raise CredentialsError(f"{self.path(entry)} is larger than {limit} bytes")
        return data

    def document(self, entry: str) -> ET.Element:
        """An entry that is XML."""
        try:
            return parse_document(self.read(entry))
        except ValueError as error:
            raise CredentialsError(f"{self.path(entry)}: {error}") from error

    def nested(self) -> Archive:
        """The one .zip that this one is a wrapper of; raises CredentialsError."""
        inner = [entry for entry in self.entries if entry.lower().endswith(".zip")]
        if len(inner) != 1:
            raise CredentialsError(f"{self.name} holds no preferences (*.pref): no data package")
        data = self.read(inner[0], limit=_NESTED_BYTES)
        return Archive.open(data, name=self.path(inner[0]))
