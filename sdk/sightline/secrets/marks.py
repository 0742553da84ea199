"""Marks that tell whether a value is the same, to those alone who have the folder's key. Pure.

What is sealed cannot be compared with what is in the folder. So a sealed object says in an
annotation, for each value, a part of HMAC-SHA-256 of it. A plain digest would let everybody guess
short passwords; the key is in no Git.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping

SEALED_WITH = "sightline.io/sealed-with"
"""The fingerprint of the certificate."""
MARKS = "sightline.io/value-marks"
KEY_NAME = "mark-key"
"""Of the file in the folder."""


def new_key() -> str:
    """For a folder's file."""
    return secrets.token_hex(32)


def mark(key: str, where: bytes, value: bytes) -> str:
    """16 hexadecimal digits of a value in its place."""
    told = where + b"\0" + value
    return hmac.new(key.encode(), told, hashlib.sha256).hexdigest()[:16]


def of(key: str, label: bytes, data: Mapping[str, bytes]) -> dict[str, str]:
    """The marks of all values of a Secret."""
    return {name: mark(key, label + b":" + name.encode(), data[name]) for name in sorted(data)}


def annotation(marks: Mapping[str, str]) -> dict[str, str]:
    """How a sealed object says them."""
    return {MARKS: json.dumps(dict(marks), sort_keys=True)}


def told(annotations: Mapping[str, str]) -> dict[str, str]:
    """What a sealed object says; nothing where it says nothing that can be read."""
    try:
        found = json.loads(annotations.get(MARKS, "{}"))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
