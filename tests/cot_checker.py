"""Whether an event is good CoT, by the rules of the field; knows nothing of the product.

Sources: the MITRE Event.xsd (attributes, decimals, how pattern), MIL-STD-2525 atoms as TAK writes
them, and what ATAK does with each (a stale time that is not after start drops the track).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from datetime import datetime
from decimal import Decimal

_DECIMAL = re.compile(r"-?\d+(\.\d+)?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_HOW = re.compile(r"[hm](-[a-z])+")
_TYPE = re.compile(r"a-[.pufahnsjkox]-[PAGSUFX](-[A-Za-z0-9]+)*|[btru](-[A-Za-z0-9]+)+")
_QOS = re.compile(r"\d-[rfi]-[gcd]")
_REQUIRED = ("version", "uid", "type", "how", "time", "start", "stale")
_KNOWN = {*_REQUIRED, "access", "qos", "opex", "caveat", "releasableTo"}
_UNKNOWN_METRES = Decimal(9999999)
MOST_BYTES = 65_507
"""So that every event also fits into one datagram."""


def problems(event: bytes | str) -> list[str]:
    """What is wrong with an event; nothing is good."""
    data = event.encode() if isinstance(event, str) else event
    found = [f"{len(data)} bytes"] if len(data) > MOST_BYTES else []
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return [*found, "a document type"]
    try:
        root = ET.fromstring(data)
    except ET.ParseError as error:
        return [*found, f"not XML: {error}"]
    if root.tag != "event":
        return [*found, f"root {root.tag}"]
    return [*found, *_attributes(root), *_times(root), *_point(root), *_detail(root)]


def _attributes(root: ET.Element) -> list[str]:
    found = [f"no {name}" for name in _REQUIRED if not root.get(name)]
    found += [f"unknown attribute {name}" for name in root.attrib if name not in _KNOWN]
    if root.get("version") != "2.0":
        found.append(f"version {root.get('version')}")
    for name, pattern in (("type", _TYPE), ("how", _HOW), ("qos", _QOS)):
        value = root.get(name)
        if value is not None and not pattern.fullmatch(value):
            found.append(f"{name} {value}")
    if root.get("opex", "o")[:1] not in "oes":
        found.append(f"opex {root.get('opex')}")
    return found


def _times(root: ET.Element) -> list[str]:
    moments: dict[str, datetime] = {}
    found = []
    for name in ("time", "start", "stale"):
        value = root.get(name, "")
        if _TIME.fullmatch(value):
            moments[name] = datetime.fromisoformat(value)
        else:
            found.append(f"{name} {value}")
    if not found and not moments["start"] < moments["stale"]:
        found.append("stale not after start")
    return found


def _point(root: ET.Element) -> list[str]:
    points = root.findall("point")
    if len(points) != 1 or root[0] is not points[0]:
        return ["not one point, first of all"]
    given = points[0].attrib
    found = [f"unknown attribute of point {name}" for name in given.keys() - set(_RANGES)]
    for name, (low, high) in _RANGES.items():
        value = given.get(name, "")
        if not _DECIMAL.fullmatch(value):
            found.append(f"{name} {value!r} is no xs:decimal")
        elif Decimal(value) != _UNKNOWN_METRES and not low <= Decimal(value) <= high:
            found.append(f"{name} {value}")
        elif value.startswith("-") and not Decimal(value):
            found.append(f"{name} {value} is minus nought")
    return found


_RANGES = {
    "lat": (-90, 90),
    "lon": (-180, 180),
    "hae": (-12_000, 100_000),
    "ce": (0, 100_000),
    "le": (0, 100_000),
}


def _detail(root: ET.Element) -> list[str]:
    details = root.findall("detail")
    if len(details) > 1:
        return ["more than one detail"]
    found = []
    for element in details[0] if details else ():
        name = element.tag
        if name == "link" and element.get("relation") and not element.get("uid"):
            found.append("link without uid")
        if name == "track":
            course, speed = element.get("course", ""), element.get("speed", "")
            if not (_DECIMAL.fullmatch(course) and 0 <= Decimal(course) < 360):
                found.append(f"track course {course}")
            if not (_DECIMAL.fullmatch(speed) and Decimal(speed) >= 0):
                found.append(f"track speed {speed}")
        if name == "sensor":
            for angle in ("azimuth", "fov", "vfov"):
                value = element.get(angle, "")
                if not (_DECIMAL.fullmatch(value) and 0 <= Decimal(value) <= 360):
                    found.append(f"sensor {angle} {value}")
    return found
