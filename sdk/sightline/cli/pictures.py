"""Which pictures a command line names: files, folders and patterns."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import msgspec

from sightline.cli import exits
from sightline.cli.failure import Failure
from sightline.messages import Frame, MessageError, convert

ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"})
"""What is taken out of folders and patterns; a file that is named outright is taken as it is."""

SAVED = ".detected.png"
"""Ends the name of what `--save` writes: never taken for a picture to look at."""


def named(arguments: Iterable[str]) -> tuple[Path, ...]:
    """Every picture once, in the order in which they are named. Raises BadParameter."""
    found: dict[Path, None] = {}
    for argument in arguments:
        pictures = list(_named_by(argument))
        if not pictures:
            raise click.BadParameter(
                f"{argument!r} names no picture ({', '.join(sorted(ENDINGS))})"
            )
        found |= dict.fromkeys(pictures)
    return tuple(found)


def _named_by(argument: str) -> Iterator[Path]:
    path = Path(argument)
    # A name that exists is meant as it is, with whatever signs there are in it.
    if path.is_dir():
        yield from _within(path)
    elif path.exists():
        yield path
    elif glob.has_magic(argument):
        # For shells that do not expand patterns, and for ** in those that do not know it.
        for match in sorted(glob.glob(argument, recursive=True)):  # noqa: PTH207 - whole paths
            yield from _within(Path(match))
    else:
        raise click.BadParameter(f"{argument!r} does not exist")


def _within(path: Path) -> Iterator[Path]:
    for each in sorted(path.rglob("*")) if path.is_dir() else (path,):
        if each.suffix.lower() in ENDINGS and not each.name.endswith(SAVED) and each.is_file():
            yield each


def frame_beside(image: Path) -> Frame:
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
