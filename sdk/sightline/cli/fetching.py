"""`sightline secrets fetch`: values of Vault into a folder."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sightline.cli import exits
from sightline.cli.duration import Duration
from sightline.cli.effects import document, dry_run_option, json_option, progress, show_plan
from sightline.cli.failure import missing
from sightline.cli.secrets import told

if TYPE_CHECKING:
    from sightline.secrets.fetching import Fetched
    from sightline.secrets.vault import Entrance

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write into, mode 0700; files are 0600.",
)
@click.option("--address", envvar="VAULT_ADDR", required=True, help="Vault's address; VAULT_ADDR.")
@click.option("--mount", default="secret", show_default=True, help="Where KV version 2 is mounted.")
@click.option("--vault-namespace", envvar="VAULT_NAMESPACE", help="Vault's own namespace.")
@click.option("--ca", envvar="VAULT_CACERT", type=_file, help="Vault's CA (PEM); VAULT_CACERT.")
@click.option(
    "--auth",
    type=click.Choice(["token", "approle", "kubernetes"]),
    default="token",
    show_default=True,
    help="How to log in.",
)
@click.option("--auth-mount", help="Where the login is mounted, unless it is named as usual.")
@click.option("--token-file", type=_file, help="token: its file; without it VAULT_TOKEN.")
@click.option("--role-id-file", type=_file, help="approle: file with the role's id.")
@click.option("--secret-id-file", type=_file, help="approle: file with the secret id.")
@click.option("--role", help="kubernetes: the role to log in as.")
@click.option(
    "--jwt-file", type=_file, help="kubernetes: the account's token; by default the pod's."
)
@click.option(
    "--as-secrets",
    "namespace",
    metavar="NAMESPACE",
    help="Write a Kubernetes Secret for each PATH instead of a file for each key.",
)
@click.option(
    "--cache",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to keep what was read in, for when Vault does not answer.",
)
@click.option(
    "--cache-recipient",
    "recipients",
    multiple=True,
    help="Encrypt the cache to this age recipient.",
)
@click.option(
    "--cache-identity", type=_file, help="File with the age identity that opens the cache."
)
@click.option(
    "--cache-longest",
    type=Duration(),
    default=604_800.0,
    show_default="7d",
    help="An older cache is not used.",
)
@click.option("--every", type=Duration(), help="Go on, and fetch again after this long.")
@dry_run_option
@json_option
def fetch(
    *,
    paths: tuple[str, ...],
    out: Path,
    address: str,
    mount: str,
    vault_namespace: str | None,
    ca: Path | None,
    auth: str,
    auth_mount: str | None,
    token_file: Path | None,
    role_id_file: Path | None,
    secret_id_file: Path | None,
    role: str | None,
    jwt_file: Path | None,
    namespace: str | None,
    cache: Path | None,
    recipients: tuple[str, ...],
    cache_identity: Path | None,
    cache_longest: float,
    every: float | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write what Vault has at PATH... into a folder. Values are never printed.

    Exit code 7 when Vault does not answer and the cache stood in for it.
    """
    try:
        from sightline.secrets import fetching, vault  # noqa: PLC0415 - after --help
    except ImportError as error:
        raise missing(error, "deploy") from error
    from sightline.journal import Journal  # noqa: PLC0415
    from sightline.secrets.errors import UnreachableError  # noqa: PLC0415
    from sightline.secrets.folder import Folder  # noqa: PLC0415

    with told():
        if dry_run:
            steps = fetching.plan(paths, source=address, folder=out, as_secrets=bool(namespace))
            show_plan(steps, as_json=as_json)
            return
        entrance = _entrance(
            auth, mount=auth_mount, token=token_file, role_id=role_id_file,
            secret_id=secret_id_file, role=role, jwt=jwt_file,
        )  # fmt: skip
        source = vault.Vault(
            address=address, entrance=entrance, mount=mount, namespace=vault_namespace, ca=ca
        )
        kept = None if cache is None else fetching.Cache(
            path=cache, recipients=recipients, identity=cache_identity,
            longest=timedelta(seconds=cache_longest),
        )  # fmt: skip
        folder = Folder(out)
        while True:
            try:
                with progress() as watch:
                    done = fetching.fetch(
                        source, paths, folder, namespace=namespace, cache=kept,
                        now=datetime.now(UTC), journal=Journal(watch),
                    )  # fmt: skip
            except UnreachableError as error:
                # What was written before stays; whoever goes on asks again.
                if every is None:
                    raise
                click.echo(f"sightline: {error}", err=True)
            else:
                _tell(done, out, as_json=as_json)
                if every is None:
                    break
            time.sleep(every)
    if done.cached_at is not None:
        raise click.exceptions.Exit(exits.UNFINISHED)


def _tell(done: Fetched, out: Path, *, as_json: bool) -> None:
    from sightline.secrets import vault_cache  # noqa: PLC0415 - after --help

    if done.cached_at is not None:
        cached = vault_cache.Cached(address="", at=done.cached_at, values={})
        age = vault_cache.age(cached, datetime.now(UTC))
        click.echo(
            f"sightline: NOT FROM VAULT: {done.reason}. What stands in was read"
            f" {age} ago ({done.cached_at:%Y-%m-%d %H:%M} UTC)",
            err=True,
        )
    if as_json:
        document(done)
        return
    for name in done.written:
        click.echo(f"{out / name}")
    click.echo(f"{len(done.written)} written, {len(done.unchanged)} unchanged", err=True)


def _entrance(
    auth: str,
    *,
    mount: str | None,
    token: Path | None,
    role_id: Path | None,
    secret_id: Path | None,
    role: str | None,
    jwt: Path | None,
) -> Entrance:
    import os  # noqa: PLC0415

    from sightline.secrets import vault  # noqa: PLC0415 - after --help
    from sightline.secrets.folder import read  # noqa: PLC0415

    if auth == "approle":
        if role_id is None or secret_id is None:
            raise click.UsageError("--auth approle needs --role-id-file and --secret-id-file")
        return vault.AppRole(role_id=role_id, secret_id=secret_id, mount=mount or "approle")
    if auth == "kubernetes":
        if role is None:
            raise click.UsageError("--auth kubernetes needs --role")
        return vault.KubernetesRole(
            role=role, token=jwt or vault.SERVICE_ACCOUNT, mount=mount or "kubernetes"
        )
    word = read(token).decode(errors="replace").strip() if token else os.environ.get("VAULT_TOKEN")
    if not word:
        raise click.UsageError("--auth token needs --token-file or VAULT_TOKEN")
    return vault.GivenToken(token=word)
