"""`sightline images bundle`: one archive for a site without a network, made, checked, taken in."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli import image_places
from sightline.cli.effects import document, effect_options, json_option, progress, show_plan
from sightline.cli.environment import env_option
from sightline.cli.image_places import (
    FILE,
    FOLDER,
    access_options,
    by_option,
    key_option,
    password_option,
    public_key_option,
    registry_option,
    told,
)

if TYPE_CHECKING:
    from sightline.images.bundles.loading import Place
    from sightline.images.listing import By

BUNDLE = click.argument("archive", type=FILE, metavar="BUNDLE")


@click.group()
def bundle() -> None:
    """One archive for a site without a network: made, checked, taken in."""


@bundle.command()
@click.argument("layouts", nargs=-1, metavar="[LAYOUT]...", type=FOLDER)
@click.option(
    "--images",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default="dist/images",
    show_default=True,
    help="Where layouts lie, when none is named.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="By default dist/sightline-VERSION.tar; also .tar.gz, .tar.zst.",
)
@click.option("--version", required=True, help="What the bundle is called.")
@click.option(
    "--chart",
    type=FOLDER,
    default="deploy/helm/sightline",
    show_default=True,
    help="The Helm chart to take along.",
)
@click.option("--source", type=FOLDER, default=".", help="The repository's root.")
@by_option("What lists the packages.")
@registry_option
@key_option
@password_option
@env_option
@effect_options
def create(
    *, layouts: tuple[Path, ...], folder: Path, output: Path | None, version: str, chart: Path,
    source: Path, by: By, registry: str | None, key: Path | None,
    password_file: Path | None, env: str | None, dry_run: bool, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Pack images, chart, SBOMs and provenance, and sign all of it."""
    del yes
    there = image_places.environment(env, registry=registry, key=key)
    if there.key is None:
        raise click.UsageError("a bundle is signed: say --key, or images.signing_key of --env")
    with told():
        from sightline.images import listing  # noqa: PLC0415 - after --help
        from sightline.images.bundles import creating  # noqa: PLC0415
        from sightline.images.reference import checked_tag  # noqa: PLC0415
        from sightline.images.source import checkout as checked_out  # noqa: PLC0415
        from sightline.images.steps import PackBundle  # noqa: PLC0415
        from sightline.journal import Journal  # noqa: PLC0415

        found = layouts or tuple(sorted(each.parent for each in folder.glob("*/index.json")))
        if not found:
            raise click.UsageError(f"{folder} has no layouts: make images, or name them")
        target = output or Path("dist") / f"sightline-{checked_tag(version)}.tar"
        step = PackBundle(images=tuple(each.name for each in found), output=str(target))
        if dry_run:
            show_plan([step], as_json=as_json)
            return
        contents = creating.Contents(
            version=checked_tag(version), layouts=found, chart=chart, registry=there.known_as
        )
        with progress() as watch, Journal(watch).step(step):
            made = creating.create(
                contents, target, checked_out(source),
                image_places.private(there.key, password_file),
                list_packages=functools.partial(listing.of_layout, by=by),
            )  # fmt: skip
    if as_json:
        document(made)
        return
    click.echo(f"{made.bundle}: {made.size_bytes} bytes, sha256 {made.sha256}")
    click.echo(f"{made.signature}: its signature")


@bundle.command()
@BUNDLE
@public_key_option
@env_option
@json_option
def verify(*, archive: Path, public_key: Path | None, env: str | None, as_json: bool) -> None:
    """Check every file, every image and every signature; nothing of it needs a network."""
    there = image_places.environment(env, public_key=public_key)
    with told():
        from sightline.images.bundles import checking  # noqa: PLC0415 - after --help

        found = checking.verify(archive, image_places.public(there.public_key))
    if as_json:
        document(found)
        return
    dirty = ", with changes that were not committed" if found.dirty else ""
    click.echo(f"{found.bundle}: {found.version} of commit {found.commit[:12]}{dirty}")
    click.echo(f"  {found.files} files, all as they were signed")
    for each in found.images:
        click.echo(f"  {each.name}:{each.tag} {each.digest} ({', '.join(each.platforms)})")
    if found.chart is not None:
        click.echo(f"  {found.chart}")


@bundle.command()
@BUNDLE
@public_key_option
@click.option(
    "--into",
    type=click.Choice(["registry", "docker", "containerd"]),
    help="By default the registry, where one is named, else docker's engine.",
)
@registry_option
@access_options
@env_option
@click.option("--namespace", default="k8s.io", show_default=True, help="Of containerd.")
@click.option("--address", help="Of containerd's socket, if it is not where it usually is.")
@click.option(
    "--chart-to", type=click.Path(file_okay=False, path_type=Path), help="Put the chart here, too."
)
@effect_options
def load(
    *, archive: Path, public_key: Path | None, into: str | None, registry: str | None,
    namespace: str, address: str | None, chart_to: Path | None, env: str | None, dry_run: bool,
    yes: bool, as_json: bool, **access: Any,
) -> None:  # fmt: skip
    """Check a bundle, and then take its images into a registry or a container engine."""
    del yes
    there = image_places.environment(env, registry=registry, public_key=public_key, **access)
    registry = there.registry
    into = into or ("docker" if registry is None else "registry")
    if into == "registry" and registry is None:
        raise click.UsageError("--into registry needs --registry")
    with told():
        from sightline.images.bundles import loading  # noqa: PLC0415 - after --help
        from sightline.images.steps import CheckBundle, LoadBundle  # noqa: PLC0415
        from sightline.journal import Journal  # noqa: PLC0415

        where = registry if into == "registry" and registry else into
        step = LoadBundle(bundle=str(archive), into=where)
        if dry_run:
            show_plan([CheckBundle(bundle=str(archive)), step], as_json=as_json)
            return
        put: Place
        if into == "docker":
            put = loading.into_docker
        elif into == "containerd":
            put = loading.into_containerd(namespace, address)
        else:
            reach = image_places.access(where, **there.access)
            put = loading.into_registry(
                where, functools.partial(image_places.repository, where, reach=reach)
            )
        with progress() as watch, Journal(watch).step(step):
            done = loading.load(
                archive, image_places.public(there.public_key), put, into=where, chart=chart_to
            )
    if as_json:
        document(done)
        return
    for name, digest in done.images.items():
        click.echo(f"{name}@{digest}")
    if done.chart is not None:
        click.echo(done.chart)
