"""The TAK connection data package: a .zip with where to connect, a truststore and a certificate.

ATAK, iTAK and the servers write it in several ways; these are the facts that are relied on here:

- `*.pref` holds `<preference name="cot_streams">` with `connectString<n>` ("host:8089:ssl"),
  `description<n>` and `enabled<n>`, counted from 0.
- The files are named by `caLocation` and `certificateLocation`, opened by `caPassword` and
  `clientPassword`: numbered beside the stream, or without number in
  `com.atakmap.app_preferences`. The location is a path on the phone ("cert/x.p12",
  "/storage/emulated/0/atak/cert/x.p12"); only its last part says which file of the package.
- `MANIFEST/manifest.xml` lists the contents; iTAK's packages do without. Some tools wrap the
  package into a second .zip. taky writes `enabled0` false into the only stream there is.

Sources: the packages of `takyctl build_client` (taky 0.10), of pytak 7.6.1
(`onboarding_packages`), of OpenTAKServer 1.1 (`certificate_authority`), and those of TAK Server
guides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cop_gateway.delivery.archive import Archive
from cop_gateway.delivery.certificates import Bundle, CredentialsError, read_bundle
from cop_gateway.delivery.credential_files import Reloading, Secret, read_file, reveal
from cop_gateway.delivery.credentials import Credentials
from sightline.tak.xml_document import elements

PACKAGE_BYTES = 16 << 20
_CUSTOMARY_PASSWORD = "atakatak"  # noqa: S105 - what TAK servers' scripts use unless told otherwise
_CONNECT = re.compile(r"connectString(\d{1,3})")
_TLS_PROTOCOLS = ("ssl", "tls")


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionPackage:
    """Where to connect and with what.

    `protocol` is as written, in lower case: "ssl", "tcp", "quic". `credentials` is None where the
    protocol needs none; it has no certificate where the client must enrol first (`enrols`).
    """

    host: str
    port: int
    protocol: str
    description: str
    credentials: Credentials | None
    enrols: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stream:
    """A connection as the preferences tell it; `setting` looks a name up beside it."""

    address: str
    setting: Callable[[str], str | None]


def read_package(
    data: bytes, *, name: str = "the package", password: str | None = None
) -> ConnectionPackage:
    """Read a package; `password` is for those that come without their passwords.

    The first stream that is enabled counts, else the first. Raises CredentialsError, whatever the
    bytes are.
    """
    archive = Archive.open(data, name=name)
    files = _contents(archive)
    if not _preferences(files):
        archive = archive.nested()
        files = _contents(archive)
    stream = _first_stream(_preferences(files), archive)
    host, port, protocol = _address(stream.address, name)
    secured = protocol in _TLS_PROTOCOLS
    return ConnectionPackage(
        host=host,
        port=port,
        protocol=protocol,
        description=stream.setting("description") or host,
        credentials=_credentials(stream, files, archive, password) if secured else None,
        enrols=stream.setting("enrollForCertificateWithTrust") == "true",
    )


class PackageFile:
    """A package on disk that may be replaced while we run."""

    def __init__(self, path: Path, *, password: Secret | None = None) -> None:
        """Name the file; nothing is read yet."""
        self._path, self._password = path, password
        paths = [each for each in (path, password) if isinstance(each, Path)]
        self._file = Reloading(paths, self._read)

    def package(self) -> ConnectionPackage:
        """What the file says now, or said when it was last good; raises CredentialsError."""
        return self._file.current()

    def current(self) -> Credentials:
        """Its credentials; raises CredentialsError also when it has none."""
        credentials = self.package().credentials
        if credentials is None:
            raise CredentialsError(f"{self._path} is for a connection without TLS")
        return credentials

    def _read(self) -> ConnectionPackage:
        data = read_file(self._path, limit=PACKAGE_BYTES)
        return read_package(data, name=str(self._path), password=reveal(self._password))


def _contents(archive: Archive) -> Mapping[str, str]:
    """Last part of the name, in lower case → entry; what the manifest ignores is left out."""
    ignored: set[str] = set()
    for entry in archive.entries:
        if _last_part(entry) == "manifest.xml":
            root = archive.document(entry)
            ignored |= {
                each.get("zipEntry", "")
                for each in elements(root, "Content")
                if each.get("ignore", "").lower() == "true"
            }
    found: dict[str, str] = {}
    for entry in archive.entries:
        if entry not in ignored:
            found.setdefault(_last_part(entry), entry)
    return found


def _preferences(files: Mapping[str, str]) -> list[str]:
    return [entry for last, entry in files.items() if last.endswith(".pref")]


def _first_stream(preferences: list[str], archive: Archive) -> _Stream:
    """Of all preference files together; where two say the same thing, the first counts."""
    streams: dict[str, str] = {}
    others: dict[str, str] = {}
    for entry in preferences:
        for preference in elements(archive.document(entry), "preference"):
            into = streams if preference.get("name") == "cot_streams" else others
            for each in elements(preference, "entry"):
                value = (each.text or each.get("value") or "").strip()
                into.setdefault(each.get("key", ""), value)
    numbers = sorted(int(found[1]) for found in map(_CONNECT.fullmatch, streams) if found)
    if not numbers:
        raise CredentialsError(f"{archive.name} names no server: it has no connectString0")
    chosen = next((n for n in numbers if streams.get(f"enabled{n}") == "true"), numbers[0])

    def setting(key: str) -> str | None:
        return streams.get(f"{key}{chosen}") or streams.get(key) or others.get(key)

    return _Stream(address=streams[f"connectString{chosen}"], setting=setting)


def _address(text: str, name: str) -> tuple[str, int, str]:
    """host:port:protocol; an IPv6 address may stand in brackets."""
    host, _, rest = text.rpartition("]") if text.startswith("[") else text.partition(":")
    port, _, protocol = rest.strip(":").partition(":")
    host = host.strip("[] ")
    usable = port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536
    if not host or not protocol or not usable:
        raise CredentialsError(f"{name}: {text[:80]!r} is not host:port:protocol")
    return host, int(port), protocol.strip().lower()


def _credentials(
    stream: _Stream, files: Mapping[str, str], archive: Archive, password: str | None
) -> Credentials:
    def bundle(location: str, secret: str) -> Bundle | None:
        named = stream.setting(location)
        if not named:
            return None
        entry = files.get(_last_part(named))
        if entry is None:
            raise CredentialsError(
                f"{archive.name} does not hold {named[:80]!r}, which its {location} names"
            )
        return read_bundle(
            archive.read(entry),
            password=stream.setting(secret) or password or _CUSTOMARY_PASSWORD,
            name=archive.path(entry),
        )

    return Credentials.of(
        client=bundle("certificateLocation", "clientPassword"),
        ca=bundle("caLocation", "caPassword"),
    )


def _last_part(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].lower()
