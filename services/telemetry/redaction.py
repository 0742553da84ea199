"""Keeping secrets out of what is told: log lines, sentences on stderr, answers that are errors.

Three nets, each for what the others miss. *By value*: secrets that this process was given are
registered where they are read, and replaced wherever they turn up, in the spellings that quoting
makes of them. *By name*: what a field or a `name=value` says is a password, a token, a cookie.
*By form*: tokens (JWT), `Bearer` and `Basic` credentials, passwords in URLs, private keys in PEM,
and our own API keys, of which the id stays.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus, unquote

REDACTED = "[redacted]"

SHORTEST = 4
"""A secret that is shorter is not looked for: it would be found in everything."""

_WHOLE_WORD_BELOW = 8
"""A shorter secret counts only as a word of its own: four digits are part of many numbers."""

_NAMES = (
    r"passw(?:or)?ds?|passphrases?|pwd|secrets?|tokens?|authorization|cookies?|credentials?"
    r"|(?:api|private|gateway|access|signing)[_-]?keys?"
)
_NAME = re.compile(rf".*(?:{_NAMES})", re.IGNORECASE | re.DOTALL)

_HINTS = (
    "://", "pass", "pwd", "secret", "token", "authoriz", "cookie", "credential", "key", "eyj",
    "sl_", "bearer", "basic",
)  # fmt: skip
"""Lower case; a text with none of them has nothing that is found by name or form."""

_RUN = re.compile(r"[A-Za-z0-9]+")
_PEM = re.compile(
    r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?(?:-----END \1PRIVATE KEY-----|\Z)", re.DOTALL
)
_JWT = re.compile(r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*){1,4}")
_API_KEY = re.compile(r"(sl_[a-z0-9][a-z0-9-]{0,63})_[A-Za-z0-9_-]{16,}", re.ASCII)
_URL = re.compile(r"(://[^\s/@:?#\"'<>]*):[^\s/?#\"'<>]*@")
# What follows Bearer is a token if it has a digit or is long: "bearer authentication" is not.
_BEARER = re.compile(r"(\bbearer\s+)(?=\S*\d|\S{20})[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE)
_BASIC = re.compile(r"(\bbasic\s+)([A-Za-z0-9+/]{6,}={0,2})", re.IGNORECASE)
_HEADER = re.compile(
    r"\b((?:proxy-)?authorization|x-api-key|(?:set-)?cookie)(\s*:\s*)(?![\"'\s])[^\r\n]+",
    re.IGNORECASE,
)
# As JSON, TOML and Python write it, and as JSON within JSON does, whose quotes are escaped.
_QUOTED = re.compile(
    rf"({_NAMES})([\"']?\s*[:=]\s*b?)([\"'])(?:\\.|(?!\3)[^\\])*\3", re.IGNORECASE | re.DOTALL
)
_ESCAPED = re.compile(
    rf"({_NAMES})((?:\\+[\"'])?\s*[:=]\s*)(\\+[\"']).*?(?<!\\)\3", re.IGNORECASE | re.DOTALL
)
_EQUALS = re.compile(rf"({_NAMES})=(?![\"'\[\\])[^\s&;,\"'<>)}}\]\\]+", re.IGNORECASE)


class Redactor:
    """What is kept out, and the way to keep it out."""

    def __init__(self) -> None:
        self._spellings: frozenset[str]
        self._marks: tuple[str, ...]
        """One of them is in every text that holds a secret, however that is written."""
        self._pattern: re.Pattern[str] | None
        self.forget()

    def register(self, *secrets: str | None) -> None:
        """These are secrets from now on; None and what is too short to be told apart are not."""
        found = {each for secret in secrets if secret for each in _spellings(secret)}
        if found <= self._spellings:
            return
        self._spellings |= found
        self._pattern = None
        marks = (each for secret in secrets if secret for each in _marks(secret))
        self._marks = tuple(dict.fromkeys((*self._marks, *marks)))

    def forget(self) -> None:
        """Begin anew, as a process does."""
        self._spellings, self._marks, self._pattern = frozenset(), (), None

    @property
    def _known(self) -> re.Pattern[str] | None:
        """What is registered, to be searched for; made when it is first needed."""
        if self._pattern is None and self._spellings:
            # The longest first: a secret may begin with another one.
            ordered = sorted(self._spellings, key=lambda each: (-len(each), each))
            self._pattern = re.compile("|".join(map(_sought, ordered)))
        return self._pattern

    def suspects(self, text: str) -> bool:
        """Whether the text may hold anything to keep out. Cheap, and never wrongly False."""
        lowered = text.lower()
        for hint in _HINTS:  # a loop is twice as fast here as any() over a generator
            if hint in lowered:
                return True
        return any(mark in text for mark in self._marks)

    def text(self, text: str) -> str:
        """The text without secrets."""
        if not self.suspects(text):
            return text
        known = self._known
        if known is not None:
            text = known.sub(REDACTED, text)
        return _formless(text)

    def value(self, value: object) -> object:
        """A value of JSON without secrets, at whatever depth."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.field(key, inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner) for inner in value]
        known = self._known
        if isinstance(value, bool) or value is None or known is None:
            return value
        return REDACTED if known.search(str(value)) else value

    def field(self, name: object, value: object) -> object:
        """The value of a field, which its name may say is a secret."""
        if not isinstance(name, str) or not is_secret(name):
            return self.value(value)
        # Whether there is one is no secret.
        return value if isinstance(value, bool) or value in (None, "") else REDACTED


def _formless(text: str) -> str:
    """What shows by its form or its name, replaced."""
    lowered = text.lower()
    if "-----begin" in lowered:
        text = _PEM.sub(REDACTED, text)
    if "eyj" in lowered:
        text = _JWT.sub(REDACTED, text)
    if "sl_" in lowered:
        text = _API_KEY.sub(rf"\1_{REDACTED}", text)
    if "://" in lowered and "@" in lowered:
        text = _URL.sub(rf"\1:{REDACTED}@", text)
    if "bearer" in lowered:
        text = _BEARER.sub(rf"\1{REDACTED}", text)
    if "basic" in lowered:
        text = _BASIC.sub(_basic, text)
    if ":" in lowered or "=" in lowered:
        text = _HEADER.sub(rf"\1\2{REDACTED}", text)
        text = _QUOTED.sub(rf"\1\2\3{REDACTED}\3", text)
        text = _ESCAPED.sub(rf"\1\2\3{REDACTED}\3", text)
        text = _EQUALS.sub(rf"\1={REDACTED}", text)
    return text


def is_secret(name: str) -> bool:
    """Whether a field of this name is a secret: its last word says what it is.

    `access_token` and `clientPassword` are, `token_seconds` and `password_file` are not.
    """
    return _NAME.fullmatch(name) is not None


def of_url(url: str) -> Iterable[str]:
    """The secrets in an address: its password, as it is written and as it is meant."""
    _, marked, rest = url.partition("://")
    if not marked:
        return
    # An @ or a slash that should have been quoted does not make the rest less of a secret.
    for owner in {rest.partition("@")[0], rest.rpartition("@")[0]}:
        password = owner.partition(":")[2]
        if password and "@" in rest:
            yield password
            yield unquote(password)
    for each in rest.partition("?")[2].split("&"):
        name, _, value = each.partition("=")
        if value and is_secret(name):
            yield value
            yield unquote(value)


def _spellings(secret: str) -> Iterable[str]:
    """As it is, and as a URL, Python, XML and JSON would write it, the latter twice over."""
    if len(secret) < SHORTEST:
        return
    plain = secret.encode("utf-8", "replace").decode()
    for written in (
        secret,
        quote(plain),
        quote(plain, safe=""),
        quote_plus(plain),
        html.escape(secret),
        repr(secret)[1:-1],
        repr(plain.encode())[2:-1],
    ):
        yield written
        yield from (_escaped(written), _escaped(_escaped(written)))
    yield from (json.dumps(secret)[1:-1], _escaped(json.dumps(secret)[1:-1]))


def _marks(secret: str) -> Iterable[str]:
    """Its longest run of letters and digits, which is in all its spellings; else all of these."""
    longest = max(_RUN.findall(secret), key=len, default="")
    return [longest] if len(longest) >= SHORTEST else _spellings(secret)


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _sought(spelling: str) -> str:
    pattern = re.escape(spelling)
    if len(spelling) >= _WHOLE_WORD_BELOW:
        return pattern
    return rf"(?<!\w){pattern}(?!\w)"


def _basic(match: re.Match[str]) -> str:
    """Credentials are base64 of user:password; other words after "basic" are words."""
    try:
        bare = match[2].rstrip("=")
        decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return match[0]
    return f"{match[1]}{REDACTED}" if b":" in decoded else match[0]


SECRETS = Redactor()
"""Of this process."""
