"""`sightline images`: build images, scan, list, sign, verify and push them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli import exits, image_places
from sightline.cli.effects import (
    document,
    dry_run_option,
    effect_options,
    json_option,
    progress,
    show_plan,
)
from sightline.cli.failure import Failure
from sightline.cli.image_bundles import bundle
from sightline.cli.image_places import (
    FILE,
    FOLDER,
    access_options,
    key_option,
    password_option,
    platform_option,
    public_key_option,
    registry_option,
    told,
)

if TYPE_CHECKING:
    from sightline.images.listing import By
    from sightline.images.scanning import Report

SEVERITIES = ("negligible", "low", "medium", "high", "critical")


@click.group()
def images() -> None:
    """Build images, scan, sign and push them, and bundle them for sites without a network.

    An IMAGE is the folder or archive of an OCI layout, or REGISTRY/NAME:TAG.
    """


images.add_command(bundle)


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
@effect_options
def build(
    *, names: tuple[str, ...], source: Path, output: Path, version: str | None,
    tags: tuple[str, ...], platforms: tuple[str, ...], arguments: dict[str, str],
    contexts: dict[str, str], registry: str | None, key: Path | None, password_file: Path | None,
    clean: bool, load: bool, push: bool, ca_file: Path | None, plain_http: bool,
    dry_run: bool, yes: bool, as_json: bool, **means: Any,
) -> None:  # fmt: skip
    """Build detection, cop-gateway and cli, or those NAMEs (models, too), into OCI layouts.

    The same commit gives the same bytes. Beside each layout lies its provenance; with --key both
    are signed.
    """
    del yes
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
            platforms=platforms,
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
        reach = image_places.access(registry or "", ca_file=ca_file, plain_http=plain_http)
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
@click.argument("names", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--severity",
    type=click.Choice(SEVERITIES),
    default="high",
    show_default=True,
    help="A vulnerability as bad as this, or worse, is a failure.",
)
@click.option(
    "--database-days",
    type=click.IntRange(min=1),
    default=7,
    show_default=True,
    help="How old a scanner's database may be.",
)
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="RULE:GLOB",
    help="Secrets of this rule in files of this path are no leak (tests' own keys).",
)
@click.option(
    "--allow-unscanned",
    is_flag=True,
    help='Without a scanner end with 0; the report says "not scanned" all the same.',
)
@access_options
@json_option
def scan(
    *, names: tuple[str, ...], severity: Any, database_days: int, allowed: tuple[str, ...],
    allow_unscanned: bool, as_json: bool, **access: Any,
) -> None:  # fmt: skip
    """Look for secrets in every layer, and for vulnerabilities with a scanner that is installed.

    Without a scanner (trivy, grype), or with a database that is too old, an image is not scanned,
    and is not called so: the exit code is 7.
    """
    import importlib  # noqa: PLC0415 - after --help
    from datetime import timedelta  # noqa: PLC0415

    with told():
        from sightline.images import scanning  # noqa: PLC0415 - after --help

        leaks = importlib.import_module("sightline.secrets.leaks").leaks

        reports = []
        for name in names:
            found = image_places.place(name, **access)
            reports.append(
                scanning.scan(
                    found.source, found.image, leaks, severity=severity, allowed=allowed,
                    oldest=timedelta(days=database_days),
                )
            )  # fmt: skip
    if as_json:
        document(reports)
    else:
        for each in reports:
            _told_of(each)
    if failed := [each.image for each in reports if each.outcome == "failed"]:
        raise Failure(f"{', '.join(failed)}: see what was found")
    unscanned = [each.image for each in reports if each.outcome == "not scanned"]
    if unscanned and not allow_unscanned:
        raise Failure(
            f"{', '.join(unscanned)}: not scanned for vulnerabilities; install trivy or grype with"
            " a database, or say --allow-unscanned",
            code=exits.UNFINISHED,
        )


def _told_of(report: Report) -> None:
    click.echo(f"{report.image}@{report.digest}: {report.outcome}")
    click.echo(f"  {report.files} files of all layers; {len(report.leaks)} secrets")
    published = sum((each.allowed or "").startswith("published") for each in report.secrets)
    if published:
        click.echo(f"  {published} that others have published, unchanged: no leaks")
    for each in report.secrets:
        if (each.allowed or "").startswith("published"):
            continue
        allowed = f" (allowed: {each.allowed})" if each.allowed else ""
        click.echo(f"  {each.rule} in {each.path}:{each.line}, layer {each.layer[:19]}{allowed}")
    click.echo(f"  vulnerabilities: {report.vulnerabilities.sentence}")
    for one in report.vulnerabilities.found:
        fixed = f", fixed in {one.fixed_in}" if one.fixed_in else ""
        click.echo(f"  {one.severity:<10} {one.id} {one.package} {one.version}{fixed}")


@images.command()
@click.argument("name", metavar="IMAGE")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it here; by default on stdout.",
)
@click.option(
    "--with",
    "by",
    type=click.Choice(["auto", "syft", "metadata"]),
    default="auto",
    show_default=True,
    help="syft looks deeper; metadata is what installers left behind.",
)
@platform_option
@access_options
def sbom(
    *, name: str, output: Path | None, by: By, platform: str | None, **access: Any
) -> None:  # fmt: skip
    """List the packages of an image, as CycloneDX 1.6 in JSON."""
    with told():
        from sightline.images import listing  # noqa: PLC0415 - after --help

        found = image_places.place(name, **access)
        content = listing.listed(
            found.source, found.image, found.name, found.tag,
            image_places.platform(platform), by=by,
        )  # fmt: skip
        if output is None:
            click.echo(content, nl=False)
            return
        try:
            output.write_bytes(content)
        except OSError as error:
            raise Failure(f"{output}: {error.strerror}") from error


@images.command()
@click.option("--output", type=FOLDER, default=".", help="The folder to put both keys in.")
@password_option
def keys(*, output: Path, password_file: Path | None) -> None:
    """Make a key pair, as `cosign generate-key-pair` does: cosign.key and cosign.pub."""
    with told():
        from sightline.images.keys import make_pair  # noqa: PLC0415 - an extra

        for each in make_pair(output, password_file):
            click.echo(each)


@images.command()
@click.argument("names", nargs=-1, metavar="[IMAGE]...")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=FILE,
    help="Sign a file instead: into FILE.sig, as base64.",
)
@click.option(
    "--key", required=True, type=FILE, help="The private key: cosign's, or PKCS#8 in PEM."
)
@password_option
@access_options
@dry_run_option
@json_option
def sign(
    *, names: tuple[str, ...], files: tuple[Path, ...], key: Path, password_file: Path | None,
    dry_run: bool, as_json: bool, **access: Any,
) -> None:  # fmt: skip
    """Sign images where they are, as cosign does, and the provenance that lies beside a layout."""
    if not names and not files:
        raise click.UsageError("say what to sign: IMAGE or --file FILE")
    with told():
        from sightline.images import signing  # noqa: PLC0415 - after --help
        from sightline.images.steps import SignFile, SignImage  # noqa: PLC0415

        steps = [
            *(SignImage(image=name, key=str(key)) for name in names),
            *(SignFile(file=str(file), key=str(key)) for file in files),
        ]
        if dry_run:
            show_plan(steps, as_json=as_json)
            return
        secret = image_places.private(key, password_file)
        signed: dict[str, str] = {}
        for name in names:
            found = image_places.place(name, **access)
            signing.sign(found.target, found.image, found.name, secret)
            if found.path is not None:
                signing.attest_beside(found.target, found.image, found.path, secret)
            signed[name] = found.image.digest
        for file in files:
            signed[str(file)] = str(signing.sign_file(file, secret))
    if as_json:
        document(signed)
        return
    for name, what in signed.items():
        click.echo(f"{name}: signed, {what}")


@images.command()
@click.argument("names", nargs=-1, metavar="[IMAGE]...")
@click.option("--file", type=FILE, help="Verify a file instead.")
@click.option("--signature", type=FILE, help="Its signature; by default FILE.sig.")
@public_key_option
@access_options
@json_option
def verify(
    *, names: tuple[str, ...], file: Path | None, signature: Path | None, public_key: Path,
    as_json: bool, **access: Any,
) -> None:  # fmt: skip
    """Check that images, or a file, are signed by a key; anything else is refused."""
    if not names and file is None:
        raise click.UsageError("say what to verify: IMAGE or --file FILE")
    with told():
        from sightline.images import signing  # noqa: PLC0415 - after --help

        key = image_places.public(public_key)
        verified = []
        for name in names:
            found = image_places.place(name, **access)
            verified.append(signing.verify(found.source, found.image, key))
        if file is not None:
            signing.verify_file(file, key, signature)
    if as_json:
        document({"images": verified, "file": None if file is None else str(file)})
        return
    for each in verified:
        said = ", ".join(each.statements) or "nothing more is said"
        click.echo(f"{each.image}@{each.digest}: signed; {said}")
    if file is not None:
        click.echo(f"{file}: signed")


@images.command()
@click.argument("names", nargs=-1, required=True, metavar="LAYOUT...")
@click.option("--registry", required=True, metavar="HOST[:PORT][/PATH]", help="Where to.")
@click.option("--tag", "tags", multiple=True, help="By default the tag that it was built with.")
@access_options
@effect_options
def push(
    *, names: tuple[str, ...], registry: str, tags: tuple[str, ...], ca_file: Path | None,
    plain_http: bool, dry_run: bool, yes: bool, as_json: bool,
) -> None:  # fmt: skip
    """Push layouts to a registry, with their signatures; says the digests to deploy by."""
    del yes
    with told():
        from sightline.images import transfer  # noqa: PLC0415 - after --help
        from sightline.images.steps import PushImage  # noqa: PLC0415
        from sightline.journal import Journal  # noqa: PLC0415

        found = [image_places.place(each, ca_file=ca_file, plain_http=plain_http) for each in names]
        planned = []
        for each in found:
            wanted = tags or ((each.tag,) if each.tag else ())
            if not wanted:
                raise click.UsageError(f"{each.path} has no tag of its own: say --tag")
            target = f"{registry}/{each.name}:{wanted[0]}"
            planned.append((each, wanted, PushImage(image=each.name, target=target)))
        if dry_run:
            show_plan([step for _, _, step in planned], as_json=as_json)
            return
        reach = image_places.access(registry, ca_file=ca_file, plain_http=plain_http)
        sent = []
        with progress() as watch:
            journal = Journal(watch)
            for each, wanted, step in planned:
                with journal.step(step):
                    there = image_places.repository(registry, each.name, reach)
                    sent.append(transfer.push(each.source, each.image, there, wanted))
    if as_json:
        document(sent)
        return
    for one in sent:
        click.echo(f"{one.target}@{one.digest}")
