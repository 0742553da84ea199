"""`sightline detect`: what the service sees in pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.table import Table

from sightline.cli import exits
from sightline.cli.failure import Failure, missing
from sightline.cli.keys import key_of, key_option
from sightline.messages import DetectResult, Frame, MessageError, Placement, convert, encode

if TYPE_CHECKING:
    from PIL import ImageDraw

_COLOURS = ("#ffb000", "#00c2ff", "#ff5c8a", "#7ee081", "#c792ea", "#ffffff")


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@click.option("--url", default="http://127.0.0.1:8000", show_default=True,
              help="Where the detection service listens.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document for all images.")
@click.option("--save", type=click.Path(path_type=Path), metavar="PATH",
              help="Save annotated pictures: a folder, or a file for one image.")  # fmt: skip
@click.option("--frames", "with_frames", is_flag=True,
              help="Send the frame in the .json beside each image, to commit it.")  # fmt: skip
@key_option
def detect(
    images: tuple[Path, ...],
    *,
    url: str,
    as_json: bool,
    save: Path | None,
    with_frames: bool,
    key_file: Path | None,
) -> None:
    """Send each IMAGE to the detection service and show what it found."""
    try:
        from sightline.client import Client, ClientError  # noqa: PLC0415 - after --help
    except ImportError as error:
        raise missing(error, "cli") from error
    answers: dict[str, msgspec.Raw] = {}
    frames = {path: _frame(path) if with_frames else None for path in images}
    targets = {} if save is None else _targets(save, images)
    failed = False
    with Client(url, key=key_of(key_file)) as client:
        for path in images:
            data = path.read_bytes()
            try:
                result = client.detect(data, frame=frames[path])
            except ClientError as error:
                failed = True
                click.echo(f"sightline: {path}: {error}", err=True)
                continue
            answers[str(path)] = msgspec.Raw(encode(result))
            if not as_json:
                _show(path, result)
            if path in targets:
                _annotate(path, result, targets[path])
    if as_json:
        click.echo(msgspec.json.encode(answers))
    if failed:
        raise click.exceptions.Exit(exits.FAILED)


def _frame(image: Path) -> Frame:
    """The frame beside an image: the JSON that `simulate` writes, or a frame alone."""
    path = image.with_suffix(".json")
    try:
        content = msgspec.json.decode(path.read_bytes())
        inner = isinstance(content, dict) and "frame" in content
        return convert(content["frame"] if inner else content, Frame)
    except OSError as error:
        raise Failure(f"--frames: {path}: {error.strerror}", code=exits.USAGE) from error
    except (msgspec.DecodeError, MessageError) as error:
        raise Failure(f"--frames: {path}: {error}", code=exits.USAGE) from error


def _show(path: Path, result: DetectResult) -> None:
    table = Table(
        title=f"{path} ({result.image.width}x{result.image.height})", title_justify="left"
    )
    for name in ("class", "confidence", "x1", "y1", "x2", "y2", "where"):
        table.add_column(name, justify="left" if name in ("class", "where") else "right")
    for each in result.detections:
        box = each.box
        table.add_row(
            each.class_name,
            f"{each.confidence:.2f}",
            *(f"{value:.0f}" for value in (box.x1, box.y1, box.x2, box.y2)),
            f"{each.event.position.latitude:.6f}, {each.event.position.longitude:.6f}"
            if isinstance(each.event, Placement)
            else "",
        )
    Console().print(table)


def _targets(save: Path, images: tuple[Path, ...]) -> dict[Path, Path]:
    """Where each annotated picture goes: a file for one image, else a folder."""
    try:
        from PIL import Image  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise missing(error, "detection") from error
    if len(images) == 1 and save.suffix and not save.is_dir():
        if save.suffix.lower() not in Image.registered_extensions():
            raise Failure(
                f"--save: {save} has an ending that no kind of picture has (.png, .jpg, ...)",
                code=exits.USAGE,
            )
        return {images[0]: save}
    save.mkdir(parents=True, exist_ok=True)
    targets: dict[Path, Path] = {}
    for path in images:
        target, number = save / f"{path.stem}.detected.png", 1
        # Pictures of one name, from several folders, must not replace each other.
        while target in targets.values():
            number += 1
            target = save / f"{path.stem}-{number}.detected.png"
        targets[path] = target
    return targets


def _annotate(path: Path, result: DetectResult, target: Path) -> None:
    from PIL import Image, ImageDraw, ImageOps  # noqa: PLC0415 - an extra

    with Image.open(path) as original:
        picture = ImageOps.exif_transpose(original).convert("RGB")
    pen = ImageDraw.Draw(picture)
    labels = sorted({each.class_name for each in result.detections})
    for each in result.detections:
        colour = _COLOURS[labels.index(each.class_name) % len(_COLOURS)]
        box = each.box
        pen.rectangle((box.x1, box.y1, box.x2, box.y2), outline=colour, width=2)
        _label(pen, (box.x1, box.y1), f"{each.class_name} {each.confidence:.2f}", colour)
    try:
        picture.save(target)
    except OSError as error:
        raise Failure(f"--save: {target}: {error.strerror or error}") from error
    click.echo(f"saved {target}", err=True)


def _label(pen: ImageDraw.ImageDraw, corner: tuple[float, float], text: str, colour: str) -> None:
    left, top, right, bottom = pen.textbbox((corner[0], max(0.0, corner[1] - 12)), text)
    pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=colour)
    pen.text((left, max(0.0, corner[1] - 12)), text, fill="#000000")
