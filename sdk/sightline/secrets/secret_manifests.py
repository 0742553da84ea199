"""Kubernetes' Secrets within text: found without a YAML parser, since templates are not YAML."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

_KIND = re.compile(
    rb"^(?P<indent>[ \t-]*)[\"']?kind[\"']?:\s*[\"']?Secret[\"']?\s*,?\s*$", re.MULTILINE
)
_DOCUMENT = re.compile(rb"^---.*$", re.MULTILINE)
_FIELD = re.compile(rb"^[ \t-]*[\"']?(?P<field>data|stringData)[\"']?:\s*\{?\s*$", re.MULTILINE)
_ENTRY = re.compile(
    rb"^(?P<indent>[ \t]*)[\"']?(?P<key>[A-Za-z0-9._-]+)[\"']?:[ \t]*"
    rb"(?:[|>][-+0-9]*[ \t]*\n[ \t]*)?"
    rb"[\"']?(?P<secret>[^\n\"',]+)",
    re.MULTILINE,
)
_FLAT = re.compile(rb"[\"']kind[\"']:\s*[\"']Secret[\"']")
_FLAT_DATA = re.compile(rb"[\"'](?P<field>data|stringData)[\"']:\s*\{(?P<inner>[^{}]+)\}")
_FLAT_ENTRY = re.compile(rb"[\"'](?P<key>[^\"']+)[\"']:\s*\"(?P<secret>[^\"]+)\"")
_TEMPLATE = re.compile(
    rb"[{}<>$]|\xe2\x80\xa6|\.\.\.|^\*+$|^x+$|^\s*$|^(?i:change-?me|example|redacted)$"
)
SEALING_KEY = b"sealedsecrets.bitnami.com/sealed-secrets-key"

Found = tuple[int, int, str]
"""Begin, end, rule."""


def secrets(content: bytes) -> Iterator[Found]:
    """What the Secrets in a text hold: begin, end and rule of each value."""
    for begin, end in _documents(content):
        piece = content[begin:end]
        rule = "sealed-secrets-key" if SEALING_KEY in piece else "kubernetes-secret"
        if _KIND.search(piece):
            for found in _yaml(piece):
                yield begin + found[0], begin + found[1], rule
        if _FLAT.search(piece):
            for field in _FLAT_DATA.finditer(piece):
                for entry in _FLAT_ENTRY.finditer(field["inner"]):
                    if _held(field["field"], entry["secret"]):
                        at = begin + field.start("inner")
                        yield at + entry.start("secret"), at + entry.end("secret"), rule


def _documents(content: bytes) -> Iterator[tuple[int, int]]:
    begin = 0
    for mark in _DOCUMENT.finditer(content):
        yield begin, mark.start()
        begin = mark.end()
    yield begin, len(content)


def _yaml(piece: bytes) -> Iterator[tuple[int, int]]:
    """The values below `data:` and `stringData:`, for as long as lines are indented more."""
    for field in _FIELD.finditer(piece):
        line = field[0]
        depth = len(line) - len(line.lstrip(b" \t-"))
        place = field.end() + 1
        while place < len(piece):
            end = piece.find(b"\n", place)
            end = len(piece) if end < 0 else end
            text = piece[place:end]
            if text.strip() and len(text) - len(text.lstrip(b" \t")) <= depth:
                break
            entry = _ENTRY.match(piece, place)
            if entry and _held(field["field"], entry["secret"].strip()):
                yield entry.span("secret")
            place = end + 1


def _held(field: bytes, value: bytes) -> bool:
    """Whether this is a value, not a template, and under `data` base64 of something."""
    if _TEMPLATE.search(value):
        return False
    if field == b"stringData":
        return True
    try:
        return bool(base64.b64decode(value, validate=True))
    except (ValueError, binascii.Error):
        return False
