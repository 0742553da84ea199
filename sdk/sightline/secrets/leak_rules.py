"""The forms that secrets have, and the closer look that tells them from placeholders. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

BEFORE = 48
"""How far before a value its name is looked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A form that secrets have."""

    name: str
    hints: tuple[bytes, ...]
    """Lower case; content with none of them has nothing of this form."""
    pattern: re.Pattern[bytes]
    """Its group `secret` is the secret itself."""
    holds: Callable[[bytes], bool]
    """A closer look at the secret; False is a false alarm."""
    before: re.Pattern[bytes] | None = None
    """What must stand right before the match: looked at last, since that is what takes long."""
    text_only: bool = False

    def spans(self, content: bytes) -> Iterator[tuple[int, int]]:
        """Where its secrets begin and end."""
        for match in self.pattern.finditer(content):
            begin = match.start()
            if self.before and not self.before.search(content, max(0, begin - BEFORE), begin):
                continue
            if self.holds(match["secret"]):
                yield match.span("secret")


def _any(_: bytes) -> bool:
    return True


_WORDS = re.compile(
    rb"(?i)^(?:\W*|x+|\*+|\.+|pass(?:word|wd)?|pw|secret|token|key|user|example|changeme|change-me"
    rb"|redacted|hidden|placeholder|none|null|your[\w-]*|my[\w-]*password|the[\w-]*password)$"
)
_TEMPLATE = re.compile(rb"[{}<>$]|%[sdr(]|\[|\]|\xe2\x80\xa6|\.\.\.|\|")


def placeholder(value: bytes) -> bool:
    """Whether it stands where a secret would: a template, a variable, stars, the word itself."""
    return bool(_WORDS.match(value) or _TEMPLATE.search(value) or b"EXAMPLE" in value)


def drawn(value: bytes) -> bool:
    """Whether it looks drawn by lot: long, its kinds of characters mixed, few of them again."""
    if len(value) < 16 or value.isdigit() or bits(value) < 2.75:
        return False
    kinds = [_kind(each) for each in value]
    pairs = [pair for pair in pairwise(kinds) if pair[0] != pair[1]]
    if kinds.count("0") > 1:
        # A capital before small letters begins a word, which names have and lots do not keep to.
        return len(pairs) - pairs.count(("A", "a")) >= len(value) / 5
    cases = [pair for pair in pairs if set(pair) == {"A", "a"}]
    return len(cases) >= len(value) * 0.42


def bits(value: bytes) -> float:
    """Shannon's entropy of its bytes, in bits a byte."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values()) if total else 0


def _kind(byte: int) -> str:
    character = bytes([byte])
    if character.isalpha():
        return "a" if character.islower() else "A"
    return "0" if character.isdigit() else "-"


def _jwt(secret: bytes) -> bool:
    try:
        header, claims = (
            json.loads(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)))
            for part in secret.split(b".")[:2]
        )
    except (ValueError, binascii.Error):
        return False
    return isinstance(header, dict) and "alg" in header and isinstance(claims, dict)


def _pem_within(secret: bytes) -> bool:
    """Base64 of a PEM file, as Kubernetes' Secrets have it."""
    head = secret[: len(secret) // 4 * 4][:120]
    try:
        return b"PRIVATE KEY-----" in base64.b64decode(head)
    except (ValueError, binascii.Error):
        return False


def _no_example(secret: bytes) -> bool:
    return b"EXAMPLE" not in secret.upper() and bits(secret) > 2.5


def _random(secret: bytes) -> bool:
    return bits(secret) >= 3.0


_BODY = rb"(?:[A-Za-z0-9+/=]|\\n|\\r|[\s\"',+|>#*-]){40}"
"""After a PEM header: base64, as files, JSON, YAML and source code break it into lines."""
_SECRET_NAMES = (
    rb"passw(?:or)?d|passphrase|pwd|secret|token|credential"
    rb"|(?:api|private|access|signing|auth|encryption|gateway)[_.-]?key"
)

RULES: tuple[Rule, ...] = (
    Rule(
        name="private-key",
        hints=(b"private key",),
        # What OpenSSL and age write between (Proc-Type, Comment) is words with a colon.
        pattern=re.compile(
            rb"(?P<secret>-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
            rb"(?:(?:\s|\\n|\\r)*[A-Za-z-]+: [^\n\\]*)*(?:\s|\\n|\\r|[\"'+#|])*"
            rb"[A-Za-z0-9+/]" + _BODY + rb"[A-Za-z0-9+/=\s\\]*)"
        ),
        holds=lambda secret: bits(secret.partition(b"KEY")[2]) > 3.5,
    ),
    Rule(
        name="private-key",
        hints=(b"ls0tls1crudjti",),
        pattern=re.compile(rb"(?P<secret>LS0tLS1CRUdJTi[A-Za-z0-9+/=]{60,})"),
        holds=_pem_within,
    ),
    Rule(
        name="private-key",
        hints=(b"putty-user-key-file-",),
        pattern=re.compile(
            rb"PuTTY-User-Key-File-\d.{0,4000}?Private-Lines: \d+\r?\n"
            rb"(?P<secret>[A-Za-z0-9+/=]{40,})",
            re.DOTALL,
        ),
        holds=_any,
    ),
    Rule(
        name="private-key",
        # PKCS#8 of RSA, and PKCS#1, as DER: version 0, then the algorithm or the modulus.
        hints=(b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01",),
        pattern=re.compile(
            rb"(?P<secret>\x30\x82..\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
            rb"\x05\x00\x04\x82.{40})",
            re.DOTALL,
        ),
        holds=_any,
    ),
    Rule(
        name="age-identity",
        hints=(b"age-secret-key-1", b"age-plugin-"),
        pattern=re.compile(
            rb"(?P<secret>AGE-(?:SECRET-KEY|SECRET-KEY-PQ|PLUGIN-[A-Z0-9]+)-1"
            rb"[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{40,})"
        ),
        holds=_random,
    ),
    Rule(
        name="aws-key",
        hints=(b"akia", b"asia", b"abia", b"acca"),
        pattern=re.compile(
            rb"(?P<secret>A(?:KIA|SIA|BIA|CCA)(?<![A-Za-z0-9/+]....)[A-Z2-7]{16})(?![A-Za-z0-9/+=])"
        ),
        holds=_no_example,
    ),
    Rule(
        name="aws-secret",
        hints=(b"secret",),
        pattern=re.compile(
            rb"[:=]>?\s{0,4}[\"']?(?P<secret>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])"
        ),
        before=re.compile(rb"(?i)aws_?(?:secret)?_?(?:access)?_?(?:secret)?_?key[\"']?\s{0,4}$"),
        holds=_no_example,
        text_only=True,
    ),
    Rule(
        name="jwt",
        hints=(b"eyj",),
        pattern=re.compile(
            rb"(?P<secret>eyJ(?<![A-Za-z0-9_-]eyJ)[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{2,}"
            rb"\.[A-Za-z0-9_-]{20,})"
        ),
        holds=_jwt,
    ),
    Rule(
        name="sightline-api-key",
        hints=(b"sl_",),
        pattern=re.compile(
            rb"(?P<secret>sl_(?<![A-Za-z0-9_]sl_)[a-z0-9][a-z0-9-]{0,63}_[A-Za-z0-9_-]{43})"
            rb"(?![A-Za-z0-9_-])"
        ),
        holds=lambda secret: bits(secret[-43:]) >= 3.5,
    ),
    Rule(
        name="vault-token",
        hints=(b"hvs.", b"hvb.", b"hvr."),
        pattern=re.compile(rb"(?P<secret>hv(?<![A-Za-z0-9_.-]hv)[sbr]\.[A-Za-z0-9_-]{24,})"),
        holds=_random,
    ),
    Rule(
        name="vault-token",
        # Vault before 1.10; the form alone is that of an attribute.
        hints=(b"vault", b"x-vault-token"),
        pattern=re.compile(
            rb"(?P<secret>s\.(?<=[:=\"'\s]s\.)[A-Za-z0-9]{24})(?![A-Za-z0-9(.])"
        ),
        before=re.compile(rb"(?i)vault[^\n]*$"),
        holds=drawn,
        text_only=True,
    ),
    Rule(
        name="provider-token",
        hints=(b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_"),
        pattern=re.compile(rb"(?P<secret>gh[pousr]_(?<![A-Za-z0-9_-]....)[A-Za-z0-9]{36,})"),
        holds=_random,
    ),
    *(
        Rule(
            name="provider-token",
            hints=(prefix.lower(),),
            pattern=re.compile(rb"(?P<secret>" + re.escape(prefix) + form + rb")"),
            before=re.compile(rb"(?:^|[^A-Za-z0-9_-])$"),
            holds=_random,
        )
        for prefix, form in (
            (b"github_pat_", rb"[A-Za-z0-9_]{60,}"),
            (b"glpat-", rb"[A-Za-z0-9_-]{20,}"),
            (b"xox", rb"[abeoprs]-[A-Za-z0-9-]{20,}"),
            (b"AIza", rb"[A-Za-z0-9_-]{35}"),
            (b"glsa_", rb"[A-Za-z0-9]{32}_[a-f0-9]{8}"),
            (b"pypi-AgEIcHlwaS", rb"[A-Za-z0-9_-]{40,}"),
            (b"npm_", rb"[A-Za-z0-9]{36}"),
            (b"sk_live_", rb"[A-Za-z0-9]{24,}"),
        )
    ),
    Rule(
        name="database-password",
        hints=(b"://",),
        pattern=re.compile(
            rb"://[^\s/@:?#\"'<>]*:(?P<secret>[^\s/@\"'`]{4,256})@[^\s\"'/]"
        ),
        before=re.compile(
            rb"(?i)(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|clickhouse)"
            rb"(?:\+[a-z0-9]+)?$"
        ),
        holds=lambda secret: not placeholder(secret),
    ),
    Rule(
        name="url-password",
        hints=(b"://",),
        pattern=re.compile(
            rb"://[^\s/@:?#\"'<>]{0,64}:(?P<secret>[^\s/@\"'`]{8,256})@[A-Za-z0-9\[]"
        ),
        before=re.compile(rb"[A-Za-z0-9]$"),
        holds=lambda secret: not placeholder(secret) and drawn(secret),
    ),
    Rule(
        name="assigned-secret",
        hints=(b"pass", b"pwd", b"secret", b"token", b"credential", b"key"),
        # NAME = "VALUE", name: value, --name=value; the value up to the quote or the space.
        pattern=re.compile(
            rb"[:=]>?\s{0,8}[bru]?[\"']?(?P<secret>[A-Za-z0-9+/=_.~!@#%^&*-]{16,512})"
            rb"(?![A-Za-z0-9(\[{<$\\])"
        ),
        before=re.compile(rb"(?i)(?:" + _SECRET_NAMES + rb")s?[\"']?\s{0,8}:?$"),
        holds=lambda secret: not placeholder(secret) and _no_path(secret) and drawn(secret),
        text_only=True,
    ),
)  # fmt: skip

PRECEDENCE = (
    "sealed-secrets-key",
    "private-key",
    "kubernetes-secret",
    *dict.fromkeys(rule.name for rule in RULES if rule.name != "private-key"),
)
"""Which rule names what several of them find."""

_ID = re.compile(rb"(?i)^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_NAMES = re.compile(rb"^(?:[A-Za-z]+\d{0,3}|\d{1,4})(?:[-_./:@=][A-Za-z]*\d{0,4})*$")


def _no_path(secret: bytes) -> bool:
    """Not words and numbers in a row: a path, a name, an address, a date; not an id (UUID)."""
    if _ID.match(secret) or secret.startswith((b"sha256", b"/", b"./", b"~/")):
        return False
    parts = re.split(rb"[-_./:@=]", secret)
    return not (_NAMES.match(secret) and max(map(len, parts)) < 16)
