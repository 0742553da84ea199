"""`sightline models`: what the detection service would serve of a file or a folder, and why not."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sightline.cli import exits
from sightline.cli.failure import Failure, missing

if TYPE_CHECKING:
    from detection.models.manifest import Catalogue
    from detection.models.model import Model, Options


@click.group()
def models() -> None:
    """Look at model files as the detection service would."""


@models.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE|FOLDER")
@click.option("--layout", metavar="NAME", help="As the service's setting of the same name.")
@click.option("--labels", type=click.Path(path_type=Path, dir_okay=False, exists=True),
              metavar="FILE", help="Class names of one model, one a line.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def check(path: Path, *, layout: str | None, labels: Path | None, as_json: bool) -> None:
    """Load FILE, or all models of FOLDER, and say what would be served."""
    if labels is not None and path.is_dir():
        raise click.UsageError("--labels is for one file; of a folder, models.toml says them")
    served, refused, default = _looked_at(path, layout=layout, labels=labels)
    _tell(served, default=default, as_json=as_json, refused=refused)
    if refused:
        raise click.exceptions.Exit(exits.FAILED)


@models.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
def manifest(folder: Path) -> None:
    """Write a models.toml for the *.onnx files in FOLDER, to be gone through by hand.

    One that is there already is left alone.
    """
    try:
        from detection.models.manifest import FILE, files  # noqa: PLC0415 - an extra
        from sightline.cli.starter import written  # noqa: PLC0415
    except ImportError as error:
        raise missing(error, "detection") from error
    target, found = folder / FILE, files(folder)
    if target.exists():
        raise Failure(f"{target}: it is there already")
    if not found:
        raise Failure(f"{folder}: expected *.onnx files in this folder, found none")
    _quiet()
    text, refused = written(found, _options(None))
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise Failure(f"{target}: {error.strerror}") from error
    click.echo(f"wrote {target}: {len(found)} models")
    for sentence in refused:
        click.echo(f"sightline: {sentence}", err=True)
    if refused:
        raise click.exceptions.Exit(exits.FAILED)


def _looked_at(
    path: Path, *, layout: str | None, labels: Path | None
) -> tuple[list[Model], dict[str, tuple[Path, str]], str | None]:
    """The models that would be served; of the others, file and reason; and the default one."""
    try:
        from detection.errors import ModelError  # noqa: PLC0415 - an extra
        from detection.models import manifest as listing  # noqa: PLC0415
        from detection.models.loading import load  # noqa: PLC0415
    except ImportError as error:
        raise missing(error, "detection") from error
    _quiet()
    try:
        catalogue: Catalogue = listing.read(path)
        names = None if labels is None else listing.labels_in(labels, "--labels")
    except ModelError as error:
        raise Failure(str(error)) from error
    served: list[Model] = []
    refused: dict[str, tuple[Path, str]] = {}
    for name, listed in catalogue.models.items():
        wanted = listed if names is None else replace(listed, labels=names)
        try:
            served.append(load(wanted, _options(layout)))
        except ModelError as error:
            refused[name] = (listed.path, str(error))
    default = catalogue.default or next(iter(catalogue.models), None)
    return served, refused, default


def _options(layout: str | None) -> Options:
    """As the service has them where nothing is set."""
    from detection import cores  # noqa: PLC0415 - an extra
    from detection.models.model import Options  # noqa: PLC0415

    return Options(layout=layout, wide_threads=cores.available())


def _quiet() -> None:
    """Log lines are the service's; whoever looks at a terminal gets the same in words."""
    from telemetry import logs  # noqa: PLC0415 - an extra

    logs.configure(service="models", version="", colour="", level="error", stream=sys.stderr)


def _tell(
    served: list[Model],
    *,
    default: str | None,
    as_json: bool,
    refused: dict[str, tuple[Path, str]],
) -> None:
    from sightline.cli.account import account, lines  # noqa: PLC0415 - an extra

    accounts = [account(model) for model in served]
    if as_json:
        others: list[dict[str, Any]] = [
            {"name": name, "file": str(file), "served": False, "reason": reason}
            for name, (file, reason) in refused.items()
        ]
        document = {"default": default, "models": [*accounts, *others]}
        click.echo(msgspec.json.encode(document))
    else:
        for each in accounts:
            for line in lines(each):
                click.echo(line)
        if len(served) > 1 or refused:
            click.echo(f"default: {default}")
    for _, reason in refused.values():
        click.echo(f"sightline: {reason}", err=True)
