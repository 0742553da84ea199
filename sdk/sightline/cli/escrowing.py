"""`sightline secrets escrow`: the controller's private keys, kept where the cluster is not."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from sightline.cli import exits
from sightline.cli.effects import confirm, document, effect_options, json_option, show_plan
from sightline.cli.environment import chosen, env_option
from sightline.cli.failure import Failure, missing
from sightline.cli.secrets import told

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def escrow() -> None:
    """Keep the controller's private keys elsewhere: without them nothing in Git can be opened."""


@escrow.command()
@env_option
@click.option("--context", help="Of the kubeconfig.")
@click.option("--kubeconfig", type=_file, help="As kubectl's.")
@click.option(
    "--namespace",
    "-n",
    default="kube-system",
    show_default=True,
    help="Where the controller keeps its keys.",
)
@click.option("--from", "source", type=_file, help="Instead of a cluster: a file with the Secrets.")
@click.option(
    "--recipient",
    "recipients",
    multiple=True,
    required=True,
    help="Who is to open it once: age1… or an ssh key; better two.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write, mode 0600.",
)
@effect_options
def create(
    *,
    env: str | None,
    context: str | None,
    kubeconfig: Path | None,
    namespace: str,
    source: Path | None,
    recipients: tuple[str, ...],
    out: Path,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Take all sealing keys of a cluster into a file that is encrypted to age recipients."""
    with _escrow() as module, told():
        from sightline.secrets import folder as folders  # noqa: PLC0415
        from sightline.secrets import resealing  # noqa: PLC0415

        if source is not None:
            found = resealing.read_objects(source)
        else:
            found = _of_cluster(env, context, kubeconfig, namespace)
        keys, plain = module.keys(found)
        steps = [module.EscrowStep(name=key.name, fingerprint=key.fingerprint) for key in keys]
        content = module.closed(plain, recipients)
        if dry_run:
            show_plan(steps, as_json=as_json)
            return
        for step in steps:
            click.echo(f"  {step.sentence}", err=True)
        confirm(f"Write {len(keys)} keys into {out}?", yes=yes)
        folders.write(out, content)
    if as_json:
        document({"file": str(out), "keys": keys})
        return
    click.echo(f"{out}: {len(keys)} keys; the newest certificate ends {keys[-1].ends:%Y-%m-%d}")


@escrow.command("open")
@click.argument("file", type=_file)
@click.option("--identity", required=True, type=_file, help="File with the age identity.")
@click.option(
    "--keys-to",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each key as a file into this folder instead, for verify --key.",
)
@json_option
def opening(*, file: Path, identity: Path, keys_to: Path | None, as_json: bool) -> None:
    """Print the keys' Secrets for kubectl apply, or with --json only say which keys there are."""
    with _escrow() as module, told():
        from sightline.secrets import folder as folders  # noqa: PLC0415

        words = folders.read(identity).decode(errors="replace")
        plain = module.opened(folders.read(file), words, name=str(file))
        keys, _ = module.keys(plain.get("items", ()))
        if keys_to is not None:
            folders.Folder(keys_to).write_all(module.pems(plain))
    if as_json:
        document({"keys": keys})
    elif keys_to is not None:
        click.echo(f"{keys_to}: {len(keys)} keys")
    elif sys.stdout.isatty():
        raise Failure(
            "this prints private keys: pipe it into kubectl apply --server-side -f -",
            code=exits.USAGE,
        )
    else:
        document(plain)


@contextlib.contextmanager
def _escrow() -> Iterator[Any]:
    try:
        from sightline.secrets import escrow as module  # noqa: PLC0415 - after --help
    except ImportError as error:
        raise missing(error, "deploy") from error
    yield module


def _of_cluster(
    env: str | None, context: str | None, kubeconfig: Path | None, namespace: str
) -> list[Any]:
    try:
        from sightline.colours.apiserver import CORE, ApiServer  # noqa: PLC0415 - after --help
    except ImportError as error:
        raise missing(error, "deploy") from error
    from sightline.colours.errors import ColoursError, UnreachableError  # noqa: PLC0415
    from sightline.secrets.escrow import LABEL  # noqa: PLC0415

    if (found := chosen(env)) is not None:
        context = context or found.cluster.context
        if kubeconfig is None and found.cluster.kubeconfig is not None:
            kubeconfig = Path(found.cluster.kubeconfig)
    try:
        api = ApiServer(context=context, kubeconfig=str(kubeconfig) if kubeconfig else None)
        try:
            listed = api.call("GET", f"{CORE}/{namespace}/secrets", {"labelSelector": LABEL})
        finally:
            api.close()
    except UnreachableError as error:
        raise Failure(str(error), code=exits.UNREACHABLE) from error
    except ColoursError as error:
        raise Failure(str(error)) from error
    # Objects in a list say neither apiVersion nor kind.
    return [{"apiVersion": "v1", "kind": "Secret", **each} for each in listed.get("items") or ()]
