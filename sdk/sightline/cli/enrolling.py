"""`sightline secrets enrol`: a certificate from a TAK server, and its renewal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from sightline.cli.duration import Duration
from sightline.cli.effects import confirm, document, effect_options, progress, show_plan
from sightline.cli.secrets import told

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--server", required=True, help="The TAK server's host.")
@click.option(
    "--port",
    default=8446,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Where it enrols.",
)
@click.option("--user", required=True, help="Whom the certificate is for.")
@click.option("--password-file", type=_file, help="File with the user's password.")
@click.option("--token-file", type=_file, help="File with a token to show instead.")
@click.option(
    "--ca",
    required=True,
    type=_file,
    help="Whom to trust: PEM, or a truststore (.p12) with --ca-password-file.",
)
@click.option("--ca-password-file", type=_file, help="File with the truststore's password.")
@click.option("--server-name", help="The name in the server's certificate, where it is another.")
@click.option(
    "--any-name",
    is_flag=True,
    help="Take any name in the server's certificate, as long as the CA signed it.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for client.pem and ca.pem, such as tak/ in entrust.py's folder.",
)
@click.option(
    "--client-uid",
    default="sightline",
    show_default=True,
    help="How the client is called to the server.",
)
@click.option(
    "--renew-before",
    type=Duration(),
    default=2_592_000.0,
    show_default="30d",
    help="Renew a certificate when it ends within this.",
)
@effect_options
def enrol(
    *,
    server: str,
    port: int,
    user: str,
    password_file: Path | None,
    token_file: Path | None,
    ca: Path,
    ca_password_file: Path | None,
    server_name: str | None,
    any_name: bool,
    out: Path,
    client_uid: str,
    renew_before: float,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Get a certificate from a TAK server (port 8446), or renew it when it is time."""
    from sightline.journal import Journal  # noqa: PLC0415 - after --help
    from sightline.secrets import folder as folders  # noqa: PLC0415
    from sightline.secrets import tak_enrolment  # noqa: PLC0415

    if (password_file is None) == (token_file is None):
        raise click.UsageError("either --password-file or --token-file is needed")
    with told():
        asked = tak_enrolment.Server(
            host=server, port=port, user=user, password=_words(password_file),
            token=_words(token_file), server_name=server_name, verify_hostname=not any_name,
            ca=tak_enrolment.authorities(
                folders.read(ca), password=_words(ca_password_file), name=str(ca)
            ),
        )  # fmt: skip
        present = None
        if out.is_dir():
            present = tak_enrolment.enrolled(folders.Folder(out, make=False))
        why = tak_enrolment.due(
            present, now=datetime.now(UTC), before=timedelta(seconds=renew_before)
        )
        steps = [] if why is None else [
            tak_enrolment.EnrolStep(server=asked.target, user=user, why=why)
        ]  # fmt: skip
        if dry_run:
            show_plan(steps, as_json=as_json)
            return
        if steps:
            confirm(f"{steps[0].sentence}?", yes=yes)
            with progress() as watch, Journal(watch).step(steps[0]):
                present = tak_enrolment.enrol(asked, folders.Folder(out), client_uid=client_uid)
    assert present is not None
    if as_json:
        document({"enrolled": bool(steps), "certificate": present})
        return
    click.echo(f"{present.certificate}: {present.subject}, until {present.ends:%Y-%m-%d}")


def _words(path: Path | None) -> str | None:
    from sightline.secrets import folder as folders  # noqa: PLC0415 - after --help

    return None if path is None else folders.read(path).decode(errors="replace").strip("\r\n")
