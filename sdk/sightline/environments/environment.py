"""An environment: where its cluster is, what is installed there, and what a release must keep to.

Paths are relative to the checkout that the file is in. Nothing here is secret: what is, is named by
its file.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
Text = Annotated[str, Meta(min_length=1, max_length=1024)]
Count = Annotated[int, Meta(ge=0, le=100)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of every section: what it does not know is refused."""


class Place(Part, frozen=True, kw_only=True):
    """The cluster and the namespace."""

    context: Text | None = None
    """Of the kubeconfig; the current one where it is not said."""
    kubeconfig: Text | None = None
    """As kubectl's: KUBECONFIG or ~/.kube/config where it is not said."""
    namespace: Name = "detection-system"
    """Where the chart is, or is to be, installed."""


class Chart(Part, frozen=True, kw_only=True):
    """What helm installs."""

    path: Text = "deploy/helm/sightline"
    """The chart: a folder, or a packaged one."""
    release: Name = "sightline"
    """helm's name for what is installed."""
    values: tuple[Text, ...] = ()
    """Values files, each over the one before."""
    timeout_seconds: Annotated[int, Meta(ge=10, le=7200)] = 600
    """How long a rollout may take."""


class Images(Part, frozen=True, kw_only=True):
    """Where images are, and what is asked of them."""

    registry: Annotated[str, Meta(max_length=512, pattern=r"^[^\s/][^\s]*[^\s/]$")] | None = None
    """Before each image's name, such as registry.example.org/sightline."""
    reached_as: Annotated[str, Meta(min_length=1, max_length=512)] | None = None
    """The same registry as this machine names it, where nodes have another name for it."""
    platforms: Annotated[
        tuple[Literal["linux/amd64", "linux/arm64"], ...], Meta(min_length=1, max_length=2)
    ] = ("linux/amd64",)
    """What images are built for."""
    insecure: bool = False
    """The registry speaks plain HTTP."""
    ca_file: Text | None = None
    """Certificates that the registry's is signed by, beside the system's."""
    public_key: Text | None = None
    """File with the key that signatures are checked with (PEM)."""
    signing_key: Text | None = None
    """File with the key to sign with (PEM); never in Git."""


class Guards(Part, frozen=True, kw_only=True):
    """What a release is refused for."""

    clean_tree: bool = True
    """The checkout has changes that are not committed."""
    signed_images: bool = True
    """An image has no signature of `images.public_key`."""
    active_colour: bool = True
    """The chart would change pods of the colour that serves users."""


class Approvals(Part, frozen=True, kw_only=True):
    """Who else must have agreed."""

    required: Count = 0
    """How many people other than the one who releases."""
    approvers: tuple[Text, ...] = ()
    """Kubernetes users who may; empty: anyone who may write the record."""


class Git(Part, frozen=True, kw_only=True):
    """Where the colour and the versions are written back to."""

    remote: Text = "origin"
    """A remote of the checkout, or a URL without a password."""
    branch: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][-A-Za-z0-9._/]{0,199}$")] = "main"
    """The one that is written to."""
    file: Text
    """A values file of helm that holds nothing else: it is written anew each time."""


class Watching(Part, frozen=True, kw_only=True):
    """After the switch: how long the error budget is watched, and when users are led back."""

    minutes: Annotated[float, Meta(ge=0, le=1440)] = 10.0
    """How long; 0 watches nothing."""
    objective: Annotated[float, Meta(ge=0.5, lt=1)] = 0.999
    """Of requests, the share that must not fail (the services' own objective)."""
    burn: Annotated[float, Meta(gt=0, le=1000)] = 14.4
    """How many times faster than the objective allows errors may come (a page at 14.4)."""
    least_failures: Annotated[int, Meta(ge=1, le=1_000_000)] = 3
    """Fewer failures than that are no reason: one of three requests is not a trend."""
    prometheus: Text | None = None
    """URL of Prometheus; without one the pods' own metrics are asked."""


class Grafana(Part, frozen=True, kw_only=True):
    """Where a release is drawn into dashboards."""

    url: Text
    """Grafana's address."""
    token_file: Text | None = None
    """File with a service account's token that may write annotations."""


class Backups(Part, frozen=True, kw_only=True):
    """Where backups go, and who can read them."""

    target: Text | None = None
    """A folder, or s3://BUCKET/PREFIX."""
    endpoint_url: Text | None = None
    """Of an S3 that is not Amazon's."""
    recipients: tuple[Annotated[str, Meta(pattern="^(age1|ssh-)")], ...] = ()
    """age's public keys; none: backups are not encrypted."""
    object_lock_days: Annotated[int, Meta(ge=0, le=36500)] = 0
    database_file: Text | None = None
    """File with the database's URL, as the gateway has it; never in Git."""


class Secrets(Part, frozen=True, kw_only=True):
    """How secrets are sealed for this cluster."""

    certificate: Text | None = None
    """The Sealed Secrets controller's, for sealing without the cluster."""
    scope: Literal["strict", "namespace-wide", "cluster-wide"] = "strict"
    """Where a sealed value may be unsealed: under its own name, in its namespace, anywhere."""


class Environment(Part, frozen=True, kw_only=True):
    """All of one."""

    name: Name
    """As the file is called."""
    cluster: Place = Place()
    chart: Chart = Chart()
    images: Images = Images()
    guards: Guards = Guards()
    approvals: Approvals = Approvals()
    git: Git | None = None
    watch: Watching = Watching()
    grafana: Grafana | None = None
    backups: Backups = Backups()
    secrets: Secrets = Secrets()
    key_file: Text | None = None
    """API key of both services; by default the cluster's own Secret sightline-deployer has it."""
    gateway_url: Text | None = None
    """Where users reach the gateway."""
    probe_url: Text | None = None
    """Asked all the while a switch is made, such as …/health of the gateway's `-active`."""


def objections(environment: Environment) -> tuple[str, ...]:
    """What contradicts itself: each a sentence that names its fields."""
    found: list[str] = []
    guards, images = environment.guards, environment.images
    if guards.signed_images and images.public_key is None:
        found.append(
            "guards.signed_images asks for signatures, and images.public_key names no key to check"
            " them with"
        )
    if guards.signed_images and images.registry is None:
        found.append(
            "guards.signed_images asks for signatures: images.registry says where they are"
        )
    approvals = environment.approvals
    if approvals.approvers and len(set(approvals.approvers)) < approvals.required:
        found.append(
            f"approvals.required is {approvals.required}, and approvals.approvers has"
            f" {len(set(approvals.approvers))}"
        )
    if environment.backups.object_lock_days and not (environment.backups.target or "").startswith(
        "s3://"
    ):
        found.append("backups.object_lock_days needs a backups.target that begins with s3://")
    if (
        environment.git is not None
        and "@" in environment.git.remote.partition("://")[2].partition("/")[0]
    ):
        found.append("git.remote holds a name or a password: leave it to git's credential helpers")
    return tuple(found)
