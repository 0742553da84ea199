"""Which CoT type a class of objects is, and how tall such an object stands.

The table that ships is `classes.toml`; operators override or extend it with a file of their own.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from cop_gateway.cot.errors import CatalogueError

# Atoms with a battle dimension, and the markers and tasks that imagery makes.
_COT_TYPE = re.compile(r"a-[.pufahnsjkox]-[PAGSUFX](-[A-Za-z0-9]+)*|[btru](-[A-Za-z0-9]+)+")
_MAX_HEIGHT_M = 500.0
_FIELDS = {"type", "height_m", "height_sigma_m", "aliases"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectClass:
    """One class: its CoT type and, in metres, its height above the ground with one sigma."""

    name: str
    cot_type: str
    height_m: float
    height_sigma_m: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """Every known class by its name in lower case; `fallback` takes the rest, if there is one."""

    classes: Mapping[str, ObjectClass]
    fallback: ObjectClass | None = field(default=None)

    def find(self, class_name: str) -> ObjectClass | None:
        """The class of that name, or the fallback; None when there is neither."""
        return self.classes.get(class_name.lower(), self.fallback)

    @classmethod
    def load(cls, override: str | None = None, *, fallback_type: str | None = None) -> Catalogue:
        """Read the shipped table and, over it, the text of an operator's TOML.

        Raises CatalogueError naming the class and the field.
        """
        shipped = files("cop_gateway.cot").joinpath("classes.toml").read_text(encoding="utf-8")
        classes = _read(shipped, "classes.toml")
        if override is not None:
            classes |= _read(override, "the operator's class table")
        fallback = None
        if fallback_type is not None:
            fallback = ObjectClass(
                name="*",
                cot_type=_checked_type(fallback_type, "the fallback class"),
                height_m=0.0,
                height_sigma_m=1.0,
            )
        return cls(classes=classes, fallback=fallback)


def _read(text: str, source: str) -> dict[str, ObjectClass]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"{source}: {error}") from error
    classes: dict[str, ObjectClass] = {}
    for name, entry in table.items():
        where = f"{source}: [{name}]"
        if not isinstance(entry, dict):
            raise CatalogueError(f"{where} is not a table")
        if unknown := set(entry) - _FIELDS:
            raise CatalogueError(f"{where}: {min(unknown)} is not a field of a class")
        if "type" not in entry:
            raise CatalogueError(f"{where}: type is missing")
        object_class = ObjectClass(
            name=name,
            cot_type=_checked_type(entry["type"], where),
            height_m=_metres(entry, "height_m", 0.0, where),
            height_sigma_m=_metres(entry, "height_sigma_m", 0.5, where),
        )
        for alias in (name, *entry.get("aliases", ())):
            classes[str(alias).lower()] = object_class
    return classes


def _checked_type(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _COT_TYPE.fullmatch(value):
        raise CatalogueError(f"{where}: type {value!r} is not a CoT type such as a-u-G-E-V")
    return value


def _metres(entry: Mapping[str, Any], name: str, default: float, where: str) -> float:
    value = entry.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CatalogueError(f"{where}: {name} {value!r} is not a number")
    if not 0.0 <= value <= _MAX_HEIGHT_M:
        raise CatalogueError(f"{where}: {name} {value:g} is outside 0..{_MAX_HEIGHT_M:g}")
    return float(value)
