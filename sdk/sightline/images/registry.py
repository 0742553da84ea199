"""One repository of a registry: the calls of the distribution API (1.1) that are needed here.

Blobs are streamed both ways. A password or token is sent to nobody but who asked for it: not on to
where a registry redirects, and not without TLS unless it is this machine or `plain` says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from sightline.images import challenge, oci
from sightline.images.challenge import Login
from sightline.images.errors import AbsentError, DamageError, RegistryError
from sightline.images.oci import Descriptor
from sightline.images.reference import is_digest, is_loopback
from sightline.images.store import Stream

ACCEPTED = ", ".join((oci.INDEX, oci.MANIFEST, oci.DOCKER_INDEX, oci.DOCKER_MANIFEST))
SECONDS = urllib3.Timeout(connect=10.0, read=120.0)
REDIRECTS = 5


class _Token(msgspec.Struct, frozen=True, kw_only=True):
    token: str = ""
    access_token: str = ""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How a registry is reached."""

    login: Login | None = None
    ca_file: Path | None = None
    plain: bool = False
    """By HTTP without TLS, though it is not on this machine."""


class Repository:
    """One of them; a Target of `sightline.images.store`."""

    def __init__(self, registry: str, repository: str, access: Access | None = None) -> None:
        self.registry, self.repository = registry, repository
        self.access = access or Access()
        scheme = "http" if self.access.plain or is_loopback(registry) else "https"
        if self.access.ca_file is not None:
            scheme = "https"
        self._base = f"{scheme}://{registry}/v2/{repository}/"
        trusted = None if self.access.ca_file is None else str(self.access.ca_file)
        self._http = urllib3.PoolManager(timeout=SECONDS, retries=False, ca_certs=trusted)
        self._authorization: str | None = None

    @property
    def where(self) -> str:
        """Its name."""
        return f"{self.registry}/{self.repository}"

    def find(self, name: str) -> Descriptor:
        """What a tag or a digest stands for now."""
        with self._call("GET", f"manifests/{name}", headers={"Accept": ACCEPTED}) as answer:
            self._expect(answer, 200, f"{self.where}:{name}")
            content = answer.read(oci.LARGEST + 1)
        where = f"{self.where}:{name}"
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        if media_type not in oci.INDEXES | oci.MANIFESTS:
            media_type = oci.told_type(content, where=where)
        found = oci.described(content, media_type)
        if is_digest(name) and name != found.digest:
            raise DamageError(f"{self.where}: {name} is not what its digest says")
        return found

    @contextlib.contextmanager
    def blob(self, wanted: Descriptor) -> Iterator[BinaryIO]:
        """Of either kind: a manifest has a place of its own."""
        kind = "manifests" if wanted.media_type in oci.INDEXES | oci.MANIFESTS else "blobs"
        with self._call(
            "GET",
            f"{kind}/{wanted.digest}",
            headers={"Accept": ACCEPTED} if kind == "manifests" else {},
        ) as answer:
            self._expect(answer, 200, f"{self.where}: {wanted.digest}")
            try:
                yield answer  # type: ignore[misc]
            except HTTPError as error:
                raise RegistryError(f"{self.registry} broke off: {_why(error)}") from error

    def has_blob(self, digest: str) -> bool:
        """Whether it is there."""
        with self._call("HEAD", f"blobs/{digest}") as answer:
            if answer.status == 404:
                return False
            self._expect(answer, 200, f"{self.where}: {digest}")
            return True

    def put_blob(self, wanted: Descriptor, content: BinaryIO) -> bool:
        """In one piece, unless it is there."""
        if self.has_blob(wanted.digest):
            return False
        with self._call("POST", "blobs/uploads/") as answer:
            self._expect(answer, 202, f"{self.where}: an upload")
            place = answer.headers.get("Location", "")
        if not place:
            raise RegistryError(f"{self.registry} takes an upload and does not say where")
        there = urljoin(self._base, place)
        there += f"{'&' if urlsplit(there).query else '?'}digest={wanted.digest}"
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(wanted.size)}
        body = Stream(content, wanted, where=wanted.digest)
        with self._call("PUT", there, headers=headers, body=body) as answer:
            self._expect(answer, 201, f"{self.where}: {wanted.digest}")
        return True

    def put_manifest(self, wanted: Descriptor, content: bytes, name: str | None) -> None:
        """Under a tag, or under its digest alone."""
        headers = {"Content-Type": wanted.media_type}
        with self._call(
            "PUT", f"manifests/{name or wanted.digest}", headers=headers, body=content
        ) as answer:
            self._expect(answer, 201, f"{self.where}:{name or wanted.digest}")
            told = answer.headers.get("Docker-Content-Digest", wanted.digest)
        if told != wanted.digest:
            raise DamageError(f"{self.registry} made {told} of {wanted.digest}")

    @contextlib.contextmanager
    def _call(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        url = urljoin(self._base, path)
        answer = self._ask(method, url, headers, body)
        if answer.status == 401:
            if isinstance(body, Stream) and body.begun:
                raise RegistryError(f"{self.registry} let us in, and then no more")
            answer.drain_conn()
            self._authorize(answer.headers.get("WWW-Authenticate", ""), method)
            answer = self._ask(method, url, headers, body)
        try:
            yield answer
        finally:
            if method == "GET" and answer.status == 200:
                # Read to its end it is released already; else nobody wants the rest.
                answer.close()
            else:
                answer.drain_conn()
            answer.release_conn()

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str] | None, body: Any
    ) -> urllib3.BaseHTTPResponse:
        for _ in range(REDIRECTS):
            sent = dict(headers or {})
            if self._authorization and url.startswith(self._root):
                sent["Authorization"] = self._authorization
            try:
                answer = self._http.request(
                    method, url, headers=sent, body=body, redirect=False, preload_content=False
                )
            except HTTPError as error:
                raise RegistryError(f"{self.registry} is not reached: {_why(error)}") from error
            place = answer.headers.get("Location")
            if (
                method not in ("GET", "HEAD")
                or not place
                or answer.status not in (301, 302, 307, 308)
            ):
                return answer
            answer.drain_conn()
            url = urljoin(url, place)
            if self._root.startswith("https:") and not url.startswith("https:"):
                raise RegistryError(f"{self.registry} redirects to a place without TLS: refused")
        raise RegistryError(f"{self.registry} redirects more than {REDIRECTS} times")

    @property
    def _root(self) -> str:
        parts = urlsplit(self._base)
        return f"{parts.scheme}://{parts.netloc}/"

    def _authorize(self, header: str, method: str) -> None:
        asked = challenge.parse(header, registry=self.registry)
        login = self.access.login
        if asked.scheme == "basic":
            if login is None:
                raise RegistryError(
                    f"{self.registry} wants to know who asks: docker login {self.registry}"
                )
            self._authorization = login.basic
            return
        actions = "pull" if method in ("GET", "HEAD") else "pull,push"
        url = challenge.token_url(
            asked,
            registry=self.registry,
            scope=f"repository:{self.repository}:{actions}",
            plain=self.access.plain,
        )
        headers = {} if login is None else {"Authorization": login.basic}
        try:
            answer = self._http.request("GET", url, headers=headers, redirect=False)
        except HTTPError as error:
            raise RegistryError(f"{self.registry} sends us for a token: {_why(error)}") from error
        if answer.status != 200:
            raise RegistryError(
                f"{self.registry} gives no token ({answer.status}): docker login {self.registry}"
            )
        try:
            told = msgspec.json.decode(answer.data, type=_Token)
        except msgspec.DecodeError:
            raise RegistryError(f"{self.registry} gives something that is no token") from None
        self._authorization = f"Bearer {told.token or told.access_token}"

    def _expect(self, answer: urllib3.BaseHTTPResponse, status: int, what: str) -> None:
        if answer.status == status:
            return
        if answer.status == 404:
            raise AbsentError(f"{what} is not there")
        if answer.status in (401, 403):
            raise RegistryError(
                f"{what}: not allowed ({answer.status}): docker login {self.registry}"
            )
        said = answer.read(2000).decode(errors="replace").strip()
        raise RegistryError(f"{what}: {self.registry} answered {answer.status}: {said}")


def _why(error: BaseException) -> str:
    """In a few words: urllib3 names its own objects."""
    cause = getattr(error, "reason", None) or error
    return str(cause).rpartition(">: ")[2] or type(cause).__name__
