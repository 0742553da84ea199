"""Pictures with what was seen drawn into them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.cli import exits
from sightline.cli.failure import Failure, missing
from sightline.cli.pictures import SAVED
from sightline.messages import DetectResult

if TYPE_CHECKING:
    from PIL import ImageDraw

_COLOURS = ("#ffb000", "#00c2ff", "#ff5c8a", "#7ee081", "#c792ea", "#ffffff")


def targets(save: Path, images: Sequence[Path]) -> dict[Path, Path]:
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
    try:
        save.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"--save: {save}: {error.strerror}", code=exits.USAGE) from error
    found: dict[Path, Path] = {}
    taken: set[Path] = set()
    for path in images:
        target, number = save / f"{path.stem}{SAVED}", 1
        # Pictures of one name, from several folders, must not replace each other.
        while target in taken:
            number += 1
            target = save / f"{path.stem}-{number}{SAVED}"
        found[path] = target
        taken.add(target)
    return found


def annotate(path: Path, result: DetectResult, target: Path) -> None:
    """Save the picture with its boxes. Raises OSError."""
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
    picture.save(target)


def _label(pen: ImageDraw.ImageDraw, corner: tuple[float, float], text: str, colour: str) -> None:
    left, top, right, bottom = pen.textbbox((corner[0], max(0.0, corner[1] - 12)), text)
    pen.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=colour)
    pen.text((left, max(0.0, corner[1] - 12)), text, fill="#000000")
