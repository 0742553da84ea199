"""An environment, looked at from this machine: may we, can we reach it, what ends soon."""

from __future__ import annotations

import email.utils
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import urllib3

from sightline.colours.errors import ColoursError
from sightline.diagnosis.finding import Finding
from sightline.environments import Environment

SKEW_SECONDS = 10.0
"""The lock of releases ends by our clocks; more than that between them is dangerous."""
CERTIFICATE_DAYS = 21
SECONDS = 5.0

NEEDED: tuple[tuple[str, str, str, str, str], ...] = (
    # group, resource, verb, name, what for
    ("", "pods", "list", "", "colours"),
    ("", "services", "patch", "cop-gateway-active", "colours switch"),
    ("", "services", "patch", "detection-active", "colours switch"),
    ("autoscaling", "horizontalpodautoscalers", "patch", "", "colours switch"),
    ("", "pods/portforward", "create", "", "colours preflight"),
    ("", "configmaps", "update", "sightline-colours", "colours switch"),
    ("coordination.k8s.io", "leases", "create", "", "releases apply"),
    ("", "configmaps", "create", "", "releases apply"),
    ("apps", "deployments", "patch", "", "releases apply"),
    ("", "secrets", "create", "", "releases apply (helm keeps its releases there)"),
)


class Api(Protocol):
    """Requests to the API server."""

    def call(
        self, method: str, path: str, query: dict[str, str] | None = None, body: Any = None
    ) -> Any:
        """The document. Raises ColoursError."""

    def date(self) -> str | None:
        """The time of day that it answers with."""


def examine(
    environment: Environment, root: Path, api: Callable[[], Api],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Finding]:  # fmt: skip
    """Everything; a thing that cannot be looked at is a finding, too."""
    yield from _files(environment, root)
    yield from _names(environment)
    yield from registry(environment, root)
    if environment.gateway_url is not None:
        yield certificate(environment.gateway_url, now())
    try:
        server = api()
        version = server.call("GET", "/version")
    except ColoursError as error:
        yield Finding(
            name="API server", ok=False, required=True, detail=str(error),
            remedy=f"kubectl --context {environment.cluster.context or '…'} version",
        )  # fmt: skip
        return
    yield Finding(name="API server", ok=True, required=True,
                  detail=f"Kubernetes {version.get('gitVersion')}")  # fmt: skip
    yield clock(server.date(), now())
    yield from permissions(server, environment.cluster.namespace)


def _files(environment: Environment, root: Path) -> Iterator[Finding]:
    named = {
        "images.public_key": (environment.images.public_key, "`sightline images keys` makes one"),
        "images.ca_file": (environment.images.ca_file, "ask whoever runs the registry"),
        "secrets.certificate": (
            environment.secrets.certificate,
            "kubectl get secrets -n kube-system -l sealedsecrets.bitnami.com/sealed-secrets-key",
        ),
        "backups.database_file": (environment.backups.database_file, ""),
        "key_file": (environment.key_file, ""),
    }
    for name, (value, remedy) in named.items():
        if value is not None:
            there = (root / value).exists()
            yield Finding(
                name=name, ok=there, required=True, remedy=remedy,
                detail=value if there else f"{value} does not exist",
            )  # fmt: skip


def _names(environment: Environment) -> Iterator[Finding]:
    """Names that must be found: of the gateway, and of the registry."""
    hosts: dict[str, str] = {}
    if environment.gateway_url is not None:
        hosts["gateway_url"] = urlsplit(environment.gateway_url).hostname or ""
    registry = environment.images.reached_as or environment.images.registry
    if registry is not None:
        hosts["images.registry"] = urlsplit(f"//{registry}").hostname or ""
    for name, host in hosts.items():
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            addresses = sorted({str(each[4][0]) for each in found})
            yield Finding(name=name, ok=True, required=True,
                          detail=f"{host} is {', '.join(addresses)}")  # fmt: skip
        except OSError as error:
            yield Finding(
                name=name, ok=False, required=True, remedy=f"getent hosts {host}",
                detail=f"{host} is not found: {error.strerror}",
            )  # fmt: skip


def registry(environment: Environment, root: Path) -> Iterator[Finding]:
    """Whether it answers as one: 200, or 401 where it wants to know who asks."""
    named = environment.images.reached_as or environment.images.registry
    if named is None:
        return
    host = named.partition("/")[0]
    scheme = "http" if environment.images.insecure else "https"
    authority = environment.images.ca_file
    pool = urllib3.PoolManager(ca_certs=None if authority is None else str(root / authority))
    try:
        answer = pool.request("GET", f"{scheme}://{host}/v2/", timeout=SECONDS, retries=1)
    except urllib3.exceptions.HTTPError as error:
        yield Finding(
            name="registry", ok=False, required=True, detail=f"{host} does not answer: {error}",
            remedy=f"curl -v {scheme}://{host}/v2/",
        )  # fmt: skip
        return
    good = answer.status in (200, 401)
    yield Finding(
        name="registry", ok=good, required=True, remedy=f"curl -v {scheme}://{host}/v2/",
        detail=f"{host} answers {answer.status}" + ("" if good else " and is no registry"),
    )  # fmt: skip


def certificate(url: str, now: datetime) -> Finding:
    """How long the one at an address is good for."""
    parts = urlsplit(url)
    name = "certificate"
    if parts.scheme != "https":
        return Finding(name=name, ok=True, required=False, detail=f"{url} has none")
    host, port = parts.hostname or "", parts.port or 443
    try:
        with (
            socket.create_connection((host, port), timeout=SECONDS) as raw,
            ssl.create_default_context().wrap_socket(raw, server_hostname=host) as tls,
        ):
            ends = ssl.cert_time_to_seconds(str(tls.getpeercert()["notAfter"]))  # type: ignore[index]
    except (OSError, ValueError) as error:
        return Finding(
            name=name, ok=False, required=True, detail=f"{host}:{port}: {error}",
            remedy=f"openssl s_client -connect {host}:{port} -servername {host}",
        )  # fmt: skip
    days = (datetime.fromtimestamp(ends, UTC) - now).days
    return Finding(
        name=name, ok=days >= CERTIFICATE_DAYS, required=True, remedy="renew it",
        detail=f"of {host}: good for {days} days more",
    )  # fmt: skip


def clock(said: str | None, now: datetime) -> Finding:
    """Ours beside the API server's."""
    name = "clock"
    try:
        theirs = email.utils.parsedate_to_datetime(said or "")
    except ValueError:
        return Finding(name=name, ok=True, required=False, detail="the API server tells no time")
    skew = (now - theirs).total_seconds()
    return Finding(
        name=name, ok=abs(skew) <= SKEW_SECONDS, required=True,
        detail=f"{skew:+.0f} s beside the API server's (limit {SKEW_SECONDS:g})",
        remedy="timedatectl set-ntp true",
    )  # fmt: skip


def permissions(api: Api, namespace: str) -> Iterator[Finding]:
    """What each command needs, by asking the API server about ourselves."""
    refused: dict[str, list[str]] = {}
    purposes = dict.fromkeys(purpose for *_, purpose in NEEDED)
    for group, resource, verb, named, purpose in NEEDED:
        kind, _, part = resource.partition("/")
        attributes = {"namespace": namespace, "group": group, "resource": kind, "verb": verb}
        attributes |= {"subresource": part} if part else {}
        attributes |= {"name": named} if named else {}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        try:
            done = api.call(
                "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review
            )
            allowed = bool((done.get("status") or {}).get("allowed"))
        except ColoursError as error:
            yield Finding(name="permissions", ok=False, required=True, detail=str(error))
            return
        if not allowed:
            refused.setdefault(purpose, []).append(
                f"{verb} {resource}" + (f" {named}" if named else "")
            )
    for purpose in purposes:
        lacking = refused.get(purpose, [])
        yield Finding(
            name=f"may {purpose}",
            ok=not lacking,
            required=False,
            detail="yes" if not lacking else f"no: {', '.join(lacking)} in {namespace}",
            remedy="bind the Role sightline-deployer (deployer.subjects in the chart's values)"
            if purpose.startswith("colours")
            else "bind the ClusterRole admin in the namespace",
        )
