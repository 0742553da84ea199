"""`sightline secrets seal` and `verify`: sealed Secrets, made and checked without a cluster."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli import exits
from sightline.cli.effects import document, dry_run_option, json_option, show_plan
from sightline.cli.environment import checkout, chosen, env_option
from sightline.cli.failure import Failure
from sightline.cli.secrets import told

if TYPE_CHECKING:
    from sightline.secrets.manifests import Object, Secret

_file = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_folder = click.Path(exists=True, file_okay=False, path_type=Path)
_MARKS = "Folder whose mark-key tells equal values from changed ones, as entrust.py's."


@click.command()
@click.argument("manifest", type=_file, default="-")
@env_option
@click.option(
    "--certificate",
    type=click.Path(exists=True, path_type=Path),
    help="The controller's certificate (PEM); by default the environment's.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A private key of the controller: what is sealed already is opened and sealed anew.",
)
@click.option(
    "--scope",
    type=click.Choice(["strict", "namespace-wide", "cluster-wide"]),
    help="Where it may be opened; by default as the Secret says, else strict.",
)
@click.option("--name", help="With --from-file: the name of the Secret to make.")
@click.option("--namespace", "-n", help="With --from-file: its namespace.")
@click.option(
    "--from-file",
    "files",
    multiple=True,
    metavar="KEY=FILE",
    help="Make the Secret of files instead of a manifest; - is stdin.",
)
@click.option(
    "--type",
    "kind",
    default="Opaque",
    show_default=True,
    help="With --from-file: the Secret's type.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; values in it that are unchanged stay as they are.",
)
@click.option("--folder", type=_folder, help=_MARKS)
@dry_run_option
@json_option
def seal(
    *,
    manifest: Path,
    env: str | None,
    certificate: Path | None,
    keys: tuple[Path, ...],
    scope: str | None,
    name: str | None,
    namespace: str | None,
    files: tuple[str, ...],
    kind: str,
    out: Path | None,
    folder: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Seal every Secret of MANIFEST (stdin by default) for a controller's certificate, offline.

    What is no Secret, such as a Namespace, is passed on as it is.
    """
    from sightline.secrets import folder as folders  # noqa: PLC0415 - after --help
    from sightline.secrets import manifests, resealing, sealing  # noqa: PLC0415

    with told():
        certificate, usual = _of_environment(env, certificate)
        if certificate is None:
            raise click.UsageError("--certificate is missing, and no environment names one")
        read = sealing.certificate(folders.read(certificate), name=str(certificate))
        read.must_be_valid(datetime.now(UTC))
        if files:
            if not name:
                raise click.UsageError("--from-file needs --name")
            plain = [_made(name, namespace, kind, files).manifest()]
        else:
            plain = _objects(manifest)
        sealed = resealing.seal_all(
            plain,
            read,
            name=str(manifest),
            scope=sealing.Scope(chosen_scope) if (chosen_scope := scope or usual) else None,
            keys=[sealing.private_key(folders.read(key), name=str(key)) for key in keys],
            before=resealing.present(out),
            mark_key=resealing.mark_key(folder, make=not dry_run),
        )
        if dry_run:
            show_plan(sealed.steps, as_json=as_json)
            return
        for step in sealed.steps:
            click.echo(step.sentence, err=True)
        if out is not None:
            out.parent.mkdir(parents=True, exist_ok=True)
            folders.write(out, manifests.written(sealed.objects).encode())
            # It is for Git and for everybody.
            out.chmod(0o644)
    if as_json:
        document({"plan": sealed.steps, "objects": sealed.objects} if out is None else
                 {"plan": sealed.steps, "file": str(out)})  # fmt: skip
    elif out is None:
        click.echo(manifests.written(sealed.objects), nl=False)


@click.command()
@click.argument("sealed", nargs=-1, required=True, type=_file, metavar="SEALED...")
@env_option
@click.option(
    "--certificate",
    type=click.Path(exists=True, path_type=Path),
    help="The certificate that they should be sealed with (PEM).",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="A private key of the controller (PEM), to open all values.",
)
@click.option(
    "--against",
    type=_file,
    help="Plain Secrets (- is stdin) that should be sealed here: says what differs.",
)
@click.option("--folder", type=_folder, help=_MARKS)
@json_option
def verify(
    *,
    sealed: tuple[Path, ...],
    env: str | None,
    certificate: Path | None,
    keys: tuple[Path, ...],
    against: Path | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Check sealed files: form, scope, certificate; with --key the values; with --against drift."""
    from sightline.secrets import folder as folders  # noqa: PLC0415 - after --help
    from sightline.secrets import manifests, resealing, sealing, verification  # noqa: PLC0415

    findings: list[verification.Finding] = []
    with told():
        certificate, _ = _of_environment(env, certificate)
        cert = sealing.certificate(folders.read(certificate), name=str(certificate)) if (
            certificate) else None  # fmt: skip
        opened = [sealing.private_key(folders.read(key), name=str(key)) for key in keys]
        wanted: dict[tuple[str | None, str], Secret] = {}
        if against is not None:
            for each in filter(manifests.is_secret, _objects(against)):
                secret = manifests.secret(each, name=str(against))
                wanted[secret.namespace, secret.name] = secret
        mark_key = resealing.mark_key(folder, make=False)
        seen = set()
        for path in sealed:
            for found in resealing.sealed_in(_objects(path), name=str(path)):
                seen.add((found.namespace, found.name))
                findings += verification.examine(
                    found, about=f"{path}: {found.name}", certificate=cert, keys=opened,
                    wanted=wanted.get((found.namespace, found.name)), mark_key=mark_key,
                    now=datetime.now(UTC),
                )  # fmt: skip
        findings += [
            verification.Finding(about=name, kind="problem", sentence="is in no sealed file")
            for namespace, name in wanted.keys() - seen
        ]
        if not seen:
            raise Failure("there is no SealedSecret in these files")
    if as_json:
        document({"findings": findings})
    for finding in () if as_json else findings:
        mark = {"good": "✓", "warning": "!", "problem": "✗"}[finding.kind]
        click.echo(f"{mark} {finding.about}: {finding.sentence}")
    if any(finding.kind == "problem" for finding in findings):
        raise click.exceptions.Exit(exits.FAILED)


def _of_environment(name: str | None, certificate: Path | None) -> tuple[Path | None, str | None]:
    """The certificate, and the environment's scope where one is named."""
    found = chosen(name)
    if found is None:
        return certificate, None
    if certificate is None and found.secrets.certificate is not None:
        certificate = checkout() / found.secrets.certificate
    return certificate, found.secrets.scope


def _objects(path: Path) -> list[Object]:
    from sightline.secrets import manifests, resealing  # noqa: PLC0415 - after --help

    if str(path) != "-":
        return resealing.read_objects(path)
    if sys.stdin.isatty():
        raise click.UsageError("name a file, or pipe Secrets in")
    try:
        text = sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise Failure("stdin: not UTF-8 text") from None
    return manifests.objects(text, name="stdin")


def _made(name: str, namespace: str | None, kind: str, files: tuple[str, ...]) -> Secret:
    """A Secret of KEY=FILE. Values are never on the command line, where everybody sees them."""
    from sightline.secrets import folder as folders  # noqa: PLC0415 - after --help
    from sightline.secrets import manifests  # noqa: PLC0415

    data: dict[str, bytes] = {}
    for each in files:
        key, equals, path = each.partition("=")
        if not (key and equals and path):
            raise click.UsageError(f"--from-file {each.partition('=')[0]}: KEY=FILE is expected")
        data[key] = sys.stdin.buffer.read() if path == "-" else folders.read(Path(path))
    return manifests.Secret(name=name, namespace=namespace, data=data, type=kind)
