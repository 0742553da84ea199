"""What is said of a folder's models: `models.toml` in it, or nothing but their files.

    default = "yolo11n"

    [[models]]
    name = "yolo11n"
    file = "yolo11n.onnx"
    sha256 = "4bd1..."
    labels_file = "coco.txt"
    thresholds = { person = 0.5 }

Without one, every *.onnx in the folder is a model of its file's name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from detection.errors import ModelError
from detection.layouts.layout import InputSize, Preparation
from detection.models import labels
from sightline.messages import MessageError, convert

FILE = "models.toml"
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""Of a model: what stands in paths and on metrics as it is."""

_Fraction = Annotated[float, Meta(ge=0, le=1)]
_Side = Annotated[int, Meta(ge=1, le=8192)]
_Shift = Annotated[float, Meta(ge=-1000, le=1000)]
_Divisor = Annotated[float, Meta(gt=0, le=1000)]
_Name = Annotated[str, Meta(pattern=rf"^{NAME}\Z")]


class Pixels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of the pixels, where it is not what the layout says."""

    fit: Literal["letterbox", "top_left", "stretch"] | None = None
    """How the image lies in the input: scaled to fit and centred, the same in a corner, or pulled
    to fill it."""
    colours: Literal["RGB", "BGR"] | None = None
    """In which order."""
    padding: Annotated[int, Meta(ge=0, le=255)] | None = None
    """The grey around the image."""
    scale: Annotated[float, Meta(gt=0, le=1000)] | None = None
    """A pixel of 0..255 is multiplied by this."""
    mean: tuple[_Shift, _Shift, _Shift] | None = None
    """Taken off then, one for each colour."""
    deviation: tuple[_Divisor, _Divisor, _Divisor] | None = None
    """Divided by then, one for each colour."""

    @property
    def values(self) -> tuple[str, ...]:
        """What is said of the numbers that pixels become."""
        return tuple(name for name in ("scale", "mean", "deviation") if getattr(self, name))

    def over(self, usual: Preparation) -> Preparation:
        """The layout's own, with what is said here instead."""
        said = {name: value for name in self.__struct_fields__ if (value := getattr(self, name))}
        if self.padding is not None:
            said["padding"] = self.padding
        kept = {name: getattr(usual, name) for name in usual.__slots__}
        return Preparation(**{**kept, **said})


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model: [[models]]."""

    name: _Name
    """As requests call it."""
    file: Annotated[str, Meta(min_length=1)]
    """In this folder."""
    version: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    """Else as the file's metadata says."""
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    """Of the file: another one is refused."""
    layout: str | None = None
    """How it writes its boxes; else it is found out, and refused where it is not clear."""
    labels: tuple[str, ...] | dict[str, str] | None = None
    """Class names in order, or by number; else as labels_file or the file's metadata says."""
    labels_file: Annotated[str, Meta(min_length=1)] | None = None
    """One name a line, in this folder."""
    confidence: _Fraction | None = None
    """Detections that score less are left out."""
    thresholds: dict[str, float] = {}
    """The same for single classes, by name: 0..1."""
    nms_iou: _Fraction | None = None
    """Of two boxes of a class that overlap more than this, only the surer one stays."""
    class_agnostic: bool = False
    """Of two boxes of any classes."""
    max_detections: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    """Of an image, the surest ones."""
    # Not tuple[_Side, _Side]: in a union with a bounded number, msgspec 0.22 takes the bound for
    # the length, and crashes when garbage is collected.
    input_size: _Side | Annotated[tuple[_Side, ...], Meta(min_length=2, max_length=2)] | None = None
    """Width and height, or the side of a square, for models that take any size."""
    pixels: Pixels = Pixels()
    """What becomes of the pixels: a table."""

    def size(self) -> InputSize | None:
        """The input size, if one is asked for."""
        if self.input_size is None:
            return None
        sides = self.input_size
        width, height = (sides, sides) if isinstance(sides, int) else sides
        return InputSize(width=width, height=height)


class _Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    models: Annotated[tuple[Entry, ...], Meta(min_length=1, max_length=256)]
    default: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A model that should be served."""

    entry: Entry
    path: Path
    labels: tuple[str, ...] | None
    """As the manifest has them; None leaves them to the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """All models that should be served, by name."""

    models: Mapping[str, Listed]
    default: str | None = None


def read(path: Path) -> Catalogue:
    """Of one file, or of a folder with or without a manifest. Raises ModelError."""
    if not path.exists():
        raise ModelError(f"{path}: there is no such file or folder")
    if not path.is_dir():
        return Catalogue(models=_bare([path]))
    manifest = path / FILE
    if manifest.exists():
        return _parsed(manifest)
    found = files(path)
    if not found:
        raise ModelError(f"{path}: expected {FILE} or *.onnx files in this folder, found none")
    return Catalogue(models=_bare(found))


def files(folder: Path) -> list[Path]:
    """A folder's models, by name; hidden ones are leavings of editors and file systems."""
    return sorted(file for file in folder.glob("*.onnx") if not file.name.startswith("."))


def _bare(files: list[Path]) -> dict[str, Listed]:
    for file in files:
        if not re.fullmatch(NAME, file.stem):
            raise ModelError(
                f"{file.parent}: expected a model's name of at most 64 letters, digits and ._-,"
                f" the first a letter or a digit, found {file.name[:80]!a}: rename it, or name it"
                f" in {FILE}"
            )
    return {
        file.stem: Listed(entry=Entry(name=file.stem, file=file.name), path=file, labels=None)
        for file in files
    }


def _parsed(manifest: Path) -> Catalogue:
    try:
        content = tomllib.loads(manifest.read_text(encoding="utf-8"))
        stated = convert(content, _Manifest)
    except OSError as error:
        raise ModelError(f"{manifest}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{manifest}: not TOML: {error}") from error
    except MessageError as error:
        raise ModelError(f"{manifest}: {error}") from error
    listed: dict[str, Listed] = {}
    for number, entry in enumerate(stated.models):
        if entry.name in listed:
            raise ModelError(f"{manifest}: models[{number}].name: {entry.name!r} is there twice")
        try:
            listed[entry.name] = _listed(entry, manifest.parent)
        except ModelError as error:
            raise ModelError(f"{manifest}: models[{number}].{error}") from error
    if stated.default is not None and stated.default not in listed:
        known = ", ".join(listed)
        raise ModelError(f"{manifest}: default: {stated.default!r} is not in it (known: {known})")
    return Catalogue(models=listed, default=stated.default)


def listed(stated: Mapping[str, object], folder: Path) -> Listed:
    """One model of a folder, as an entry of its manifest would say it. Raises ModelError."""
    try:
        return _listed(convert(stated, Entry), folder)
    except MessageError as error:
        raise ModelError(str(error)) from error


def _listed(entry: Entry, folder: Path) -> Listed:
    path = _inside(folder, entry.file, "file")
    for name, threshold in entry.thresholds.items():
        if not 0.0 <= threshold <= 1.0:
            raise ModelError(f"thresholds.{name[:64]}: {threshold:g} is outside 0..1")
    names: tuple[str, ...] | None = None
    if entry.labels is not None and entry.labels_file is not None:
        raise ModelError("labels_file: state it or `labels`, not both")
    if entry.labels is not None:
        names = labels.stated(entry.labels, "labels")
    elif entry.labels_file is not None:
        names = labels_in(_inside(folder, entry.labels_file, "labels_file"), "labels_file")
    return Listed(entry=entry, path=path, labels=names)


def labels_in(file: Path, field: str) -> tuple[str, ...]:
    """Of a file of one name a line. Raises ModelError that names the field."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ModelError(f"{field}: {file}: {reason}") from error
    return labels.stated(tuple(line.strip() for line in lines if line.strip()), field)


def _inside(folder: Path, name: str, field: str) -> Path:
    path = folder / name
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # a NUL, or links in a circle
        raise ModelError(f"{field}: {name[:80]!a} is no name of a file") from None
    if not inside:
        raise ModelError(f"{field}: {name[:80]!r} is not in the manifest's folder")
    return path
