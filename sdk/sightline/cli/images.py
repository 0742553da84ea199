"""`sightline images`: build images, scan, list, sign, verify and push them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sightline.cli import image_places
from sightline.cli.effects import (
    document,
    effect_options,
    progress,
    show_plan,
)
from sightline.cli.environment import env_option
from sightline.cli.image_bundles import bundle
from sightline.cli.image_contents import sbom, scan
from sightline.cli.image_places import (
    FOLDER,
    access_options,
    key_option,
    password_option,
    registry_option,
    told,
)
from sightline.cli.image_signing import keys, sign, verify


@click.group()
def images() -> None:
    """Build images, scan, sign and push them, and bundle them for sites without a network.

    An IMAGE is the folder or archive of an OCI layout, or REGISTRY/NAME:TAG.
    """


for each in (scan, sbom, keys, sign, verify, bundle):
    images.add_command(each)


def _pairs(
    _context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> dict[str, str]:
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE", param=parameter)
        found[name] = value
    return found


@images.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--source", type=FOLDER, default=".", help="The repository's root.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default="dist/images",
    show_default=True,
    help="The folder to put layouts in.",
)
@click.option("--version", help="What the images say they are; by default this command line's.")
@click.option("--tag", "tags", multiple=True, help="By default the version and the commit.")
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="OS/ARCH",
    help="For this one (several times: for all of them).",
)
@click.option(
    "--build-arg",
    "arguments",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_pairs,
    help="An argument of the Dockerfile; written down in the provenance.",
)
@click.option(
    "--build-context",
    "contexts",
    multiple=True,
    metavar="NAME=PLACE",
    callback=_pairs,
    help="Stands in for an image or stage of this name, as docker has it.",
)
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="id=ID,src=FILE",
    help="For the build alone; in no layer and not written down.",
)
@click.option("--network", help="Of the build (host, none).")
@click.option("--builder", help="One of docker buildx; by default the one in use.")
@click.option("--buildkit", metavar="ADDRESS", help="Instead a buildkitd (unix:///…, tcp://…).")
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder to keep layers in between builds.",
)
@click.option("--no-cache", "fresh", is_flag=True, help="Use no layer of an earlier build.")
@click.option("--clean", is_flag=True, help="Refuse a checkout with changes not committed.")
@click.option("--load", is_flag=True, help="Take them into docker's engine, too.")
@click.option("--push", is_flag=True, help="Push them to --registry, too.")
@registry_option
@access_options
@key_option
@password_option
@env_option
@effect_options
def build(
    *, names: tuple[str, ...], source: Path, output: Path, version: str | None,
    tags: tuple[str, ...], platforms: tuple[str, ...], arguments: dict[str, str],
    contexts: dict[str, str], registry: str | None, key: Path | None, password_file: Path | None,
    clean: bool, load: bool, push: bool, ca_file: Path | None, plain_http: bool,
    env: str | None, dry_run: bool, yes: bool, as_json: bool, **means: Any,
) -> None:  # fmt: skip
    """Build detection, cop-gateway and cli, or those NAMEs (models, too), into OCI layouts.

    The same commit gives the same bytes. Beside each layout lies its provenance; with --key both
    are signed.
    """
    del yes
    there = image_places.environment(
        env, registry=registry, ca_file=ca_file, plain_http=plain_http, key=key
    )
    registry, key = there.registry, there.key
    with told():
        from sightline.images import building, catalogue, planning  # noqa: PLC0415 - after --help
        from sightline.images.source import checkout as checked_out  # noqa: PLC0415

        checkout = checked_out(source)
        number = version or _version()
        wanted = planning.Wanted(
            recipes=catalogue.chosen(names),
            output=str(output),
            version=number,
            tags=tags or (planning.usual_tag(number, checkout),),
            platforms=platforms or there.platforms,
            arguments=arguments,
            contexts=contexts,
            registry=registry,
            key=None if key is None else str(key),
            load=load,
            push=push,
            allow_dirty=not clean,
        )
        steps = planning.plan(wanted, checkout)
        if dry_run:
            show_plan(steps, as_json=as_json)
            return
        reach = image_places.access(registry or "", **there.access)
        with progress() as watch:
            from sightline.journal import Journal  # noqa: PLC0415 - after --help

            built = building.build(
                steps,
                wanted,
                checkout,
                building.Means(
                    root=source,
                    key=None if key is None else image_places.private(key, password_file),
                    access=reach,
                    **means,
                ),
                Journal(watch),
            )
    if as_json:
        document(built)
        return
    for each in built:
        click.echo(f"{each.name}:{each.tag} {each.digest} in {each.layout}")


def _version() -> str:
    import importlib.metadata  # noqa: PLC0415 - takes long

    return importlib.metadata.version("sightline")


@images.command()
@click.argument("names", nargs=-1, required=True, metavar="LAYOUT...")
@registry_option
@click.option("--tag", "tags", multiple=True, help="By default the tag that it was built with.")
@access_options
@env_option
@effect_options
def push(
    *, names: tuple[str, ...], registry: str | None, tags: tuple[str, ...], ca_file: Path | None,
    plain_http: bool, env: str | None, dry_run: bool, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Push layouts to a registry, with their signatures; says the digests to deploy by."""
    del yes
    there = image_places.environment(env, registry=registry, ca_file=ca_file, plain_http=plain_http)
    registry = there.registry
    if registry is None:
        raise click.UsageError("say where to: --registry or --env")
    with told():
        from sightline.images import transfer  # noqa: PLC0415 - after --help
        from sightline.images.steps import PushImage  # noqa: PLC0415
        from sightline.journal import Journal  # noqa: PLC0415

        found = [image_places.place(each, **there.access) for each in names]
        planned = []
        for each in found:
            wanted = tags or ((each.tag,) if each.tag else ())
            if not wanted:
                raise click.UsageError(f"{each.path} has no tag of its own: say --tag")
            step = PushImage(image=each.name, target=f"{registry}/{each.name}:{wanted[0]}")
            planned.append((each, wanted, step))
        if dry_run:
            show_plan([step for _, _, step in planned], as_json=as_json)
            return
        reach = image_places.access(registry, **there.access)
        sent = []
        with progress() as watch:
            journal = Journal(watch)
            for each, wanted, step in planned:
                with journal.step(step):
                    target = image_places.repository(registry, each.name, reach)
                    sent.append(transfer.push(each.source, each.image, target, wanted))
    if as_json:
        document(sent)
        return
    for one in sent:
        click.echo(f"{one.target}@{one.digest}")
