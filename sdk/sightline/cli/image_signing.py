"""`sightline images keys`, `sign` and `verify`."""

from __future__ import annotations

from pathlib import Path

import click

from sightline.cli import image_places
from sightline.cli.effects import document, dry_run_option, json_option, show_plan
from sightline.cli.environment import env_option
from sightline.cli.image_places import (
    FILE,
    FOLDER,
    access_options,
    password_option,
    public_key_option,
    told,
)


@click.command()
@click.option("--output", type=FOLDER, default=".", help="The folder to put both keys in.")
@password_option
def keys(*, output: Path, password_file: Path | None) -> None:
    """Make a key pair, as `cosign generate-key-pair` does: cosign.key and cosign.pub."""
    with told():
        from sightline.images.keys import make_pair  # noqa: PLC0415 - an extra

        for each in make_pair(output, password_file):
            click.echo(each)


@click.command()
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
    dry_run: bool, as_json: bool, ca_file: Path | None, plain_http: bool,
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
            found = image_places.place(name, ca_file=ca_file, plain_http=plain_http)
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


@click.command()
@click.argument("names", nargs=-1, metavar="[IMAGE]...")
@click.option("--file", type=FILE, help="Verify a file instead.")
@click.option("--signature", type=FILE, help="Its signature; by default FILE.sig.")
@public_key_option
@access_options
@env_option
@json_option
def verify(
    *, names: tuple[str, ...], file: Path | None, signature: Path | None, public_key: Path | None,
    env: str | None, as_json: bool, ca_file: Path | None, plain_http: bool,
) -> None:  # fmt: skip
    """Check that images, or a file, are signed by a key; anything else is refused."""
    if not names and file is None:
        raise click.UsageError("say what to verify: IMAGE or --file FILE")
    there = image_places.environment(
        env, ca_file=ca_file, plain_http=plain_http, public_key=public_key
    )
    with told():
        from sightline.images import signing  # noqa: PLC0415 - after --help

        key = image_places.public(there.public_key)
        verified = []
        for name in names:
            found = image_places.place(name, **there.access)
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
