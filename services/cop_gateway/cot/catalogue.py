"""Which CoT type a class of objects is, and how tall such an object stands.

The table that ships is `classes.yaml` (YAML 1.2); operators override or extend it with a file of
their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from cop_gateway.cot.errors import CatalogueError

# Atoms with a battle dimension, and the markers and tasks that imagery makes.
_COT_TYPE = re.compile(r"a-[.pufahnsjkox]-[PAGSUFX](-[A-Za-z0-9]+)*|[btru](-[A-Za-z0-9]+)+")
_MAX_HEIGHT_M = 500.0
_FIELDS = {"type", "height_m", "height_sigma_m", "aliases", "emergency"}
_EMERGENCIES = ("911 Alert", "Ring The Bell", "In Contact", "Geo-fence Breached", "Custom")
"""As ATAK calls its alerts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectClass:
    """One class: its CoT type and, in metres, its height above the ground with one sigma."""

    name: str
    cot_type: str
    height_m: float
    height_sigma_m: float
    emergency: str | None = None
    """Which alert a sighting of it raises in TAK clients."""


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
        """Read the shipped table and, over it, the text of an operator's YAML.

        Raises CatalogueError naming the class and the field.
        """
        shipped = files("cop_gateway.cot").joinpath("classes.yaml").read_text(encoding="utf-8")
        classes = _read(shipped, "classes.yaml")
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
        # Safe: plain values only. A class that is there twice is an error.
        table = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        raise CatalogueError(f"{source}: {' '.join(str(error).split())}") from error
    if table is None:
        return {}
    if not isinstance(table, dict):
        raise CatalogueError(f"{source}: not a mapping of classes")
    classes: dict[str, ObjectClass] = {}
    for name, entry in table.items():
        where = f"{source}: {name}"
        if not isinstance(entry, dict):
            raise CatalogueError(f"{where} is not a mapping")
        if unknown := set(entry) - _FIELDS:
            raise CatalogueError(f"{where}: {min(map(str, unknown))} is not a field of a class")
        if "type" not in entry:
            raise CatalogueError(f"{where}: type is missing")
        object_class = ObjectClass(
            name=str(name),
            cot_type=_checked_type(entry["type"], where),
            height_m=_metres(entry, "height_m", 0.0, where),
            height_sigma_m=_metres(entry, "height_sigma_m", 0.5, where),
            emergency=_emergency(entry, where),
        )
        for alias in (name, *_aliases(entry, where)):
            classes[str(alias).lower()] = object_class
    return classes


def _checked_type(value: Any, where: str) -> str:
    if not isinstance(value, str) or not _COT_TYPE.fullmatch(value):
        raise CatalogueError(f"{where}: type {value!r} is not a CoT type such as a-u-G-E-V")
    return value


def _aliases(entry: Mapping[str, Any], where: str) -> list[Any]:
    value = entry.get("aliases", [])
    if not isinstance(value, list):
        raise CatalogueError(f"{where}: aliases {value!r} is not a list")
    return value


def _emergency(entry: Mapping[str, Any], where: str) -> str | None:
    value = entry.get("emergency")
    if value is not None and value not in _EMERGENCIES:
        raise CatalogueError(f"{where}: emergency {value!r} is none of {', '.join(_EMERGENCIES)}")
    return value


def _metres(entry: Mapping[str, Any], name: str, default: float, where: str) -> float:
    value = entry.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CatalogueError(f"{where}: {name} {value!r} is not a number")
    if not 0.0 <= value <= _MAX_HEIGHT_M:
        raise CatalogueError(f"{where}: {name} {value:g} is outside 0..{_MAX_HEIGHT_M:g}")
    return float(value)
