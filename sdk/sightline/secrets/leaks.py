"""Secrets where none should be: found by their form, told without ever repeating them.

Each rule knows one form and looks closer at what matches, so that the name of a secret, a
placeholder or a template is none. What has no form of its own (`password = "…"`) counts only in
text, and only when its value looks drawn by lot: a password of words is not found.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Iterator

import msgspec

from sightline.secrets import secret_manifests
from sightline.secrets.leak_rules import PRECEDENCE, RULES

HEAD = 8192
"""A file with a NUL among its first bytes is binary: its assignments are not looked at."""


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """A secret that was found: where, and by which rule. It does not hold the secret."""

    rule: str
    name: str
    """The file."""
    line: int
    """From 1."""
    fingerprint: str
    """Tells this secret from others, for the file of exceptions; says nothing of what it is."""


def leaks(name: str, content: bytes) -> Iterator[Leak]:
    """The secrets in a file, in the order of its lines; each place and secret once."""
    text = b"\0" not in content[:HEAD]
    found: list[tuple[int, int, str]] = []
    lowered = content.lower()
    for rule in RULES:
        if rule.text_only and not text:
            continue
        if not any(hint in lowered for hint in rule.hints):
            continue
        found += [(*span, rule.name) for span in rule.spans(content)]
    if text and b"secret" in lowered:
        found += secret_manifests.secrets(content)
    yield from _told(name, content, found)


def fingerprint(rule: str, secret: bytes) -> str:
    """16 hexadecimal digits that tell a secret from others. Not enough to guess it from."""
    digest = hashlib.sha256(b"sightline leak\0" + rule.encode() + b"\0" + b"".join(secret.split()))
    return digest.hexdigest()[:16]


def _told(name: str, content: bytes, found: list[tuple[int, int, str]]) -> Iterator[Leak]:
    if not found:
        return
    starts = [0, *(match.end() for match in re.finditer(rb"\n", content))]
    covered = -1
    order = {rule: place for place, rule in enumerate(PRECEDENCE)}
    # What two rules find in one place is told once, by the one that knows more about it.
    for begin, end, rule in sorted(found, key=lambda each: (each[0], order[each[2]], -each[1])):
        if begin < covered:
            continue
        covered = end
        yield Leak(
            rule=rule,
            name=name,
            line=bisect_right(starts, begin),
            fingerprint=fingerprint(rule, content[begin:end]),
        )
