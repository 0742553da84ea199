"""`sightline images scan` and `sbom`: what is in an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli import exits, image_places
from sightline.cli.effects import document, json_option
from sightline.cli.failure import Failure
from sightline.cli.image_places import FILE, access_options, by_option, platform_option, told

if TYPE_CHECKING:
    from sightline.images.listing import By
    from sightline.images.scanning import Report

SEVERITIES = ("negligible", "low", "medium", "high", "critical")


@click.command()
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
    "--exceptions",
    type=FILE,
    help="What `sightline secrets` passes over; by default .secrets-allowed.toml here.",
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
    exceptions: Path | None, allow_unscanned: bool, as_json: bool, **access: Any,
) -> None:  # fmt: skip
    """Look for secrets in every layer, and for vulnerabilities with a scanner that is installed.

    Without a scanner (trivy, grype), or with a database that is too old, an image is not scanned,
    and is not called so: the exit code is 7.
    """
    from datetime import timedelta  # noqa: PLC0415 - after --help

    with told():
        from sightline.images import scanning  # noqa: PLC0415 - after --help

        finder, exempt = _secrets(exceptions)
        reports = []
        for name in names:
            found = image_places.place(name, **access)
            reports.append(
                scanning.scan(
                    found.source, found.image, finder, severity=severity, allowed=allowed,
                    exempt=exempt, oldest=timedelta(days=database_days),
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


def _secrets(exceptions: Path | None) -> tuple[Any, Any]:
    """What finds secrets, and what is excepted."""
    from sightline.secrets import exceptions as excepted  # noqa: PLC0415 - after --help
    from sightline.secrets.leaks import leaks  # noqa: PLC0415

    file = exceptions or Path(excepted.NAME)
    if exceptions is None and not file.exists():
        return leaks, lambda _leak: False
    return leaks, excepted.read(file).covers


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


@click.command()
@click.argument("name", metavar="IMAGE")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it here; by default on stdout.",
)
@by_option("syft looks deeper; metadata is what installers left behind.")
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
