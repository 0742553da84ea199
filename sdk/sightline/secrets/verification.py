"""Whether sealed files are what they should be: what is judged, without any file or clock. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from sightline.secrets import marks, sealing
from sightline.secrets.errors import SecretsError
from sightline.secrets.manifests import Secret
from sightline.secrets.sealing import Certificate, Scope, SealedSecret

SOON = timedelta(days=14)
"""Before a certificate's end it is said that it ends."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was looked at. `problem` fails the verification, `warning` does not."""

    about: str
    """The object, with its file."""
    kind: Literal["good", "warning", "problem"]
    sentence: str


def examine(
    sealed: SealedSecret,
    *,
    about: str,
    certificate: Certificate | None = None,
    keys: Sequence[rsa.RSAPrivateKey] = (),
    wanted: Secret | None = None,
    mark_key: str | None = None,
    now: datetime,
) -> Iterator[Finding]:
    """All that can be said of one sealed Secret with what is at hand."""
    yield from _structure(sealed, about, certificate)
    if certificate is not None:
        yield from _certificate(sealed, about, certificate, now)
    opened: Secret | None = None
    if keys:
        try:
            opened = sealing.unseal(sealed, keys)
        except SecretsError as error:
            yield Finding(about=about, kind="problem", sentence=str(error))
        else:
            yield _good(about, f"all {len(opened.data)} values open with the private key")
    if wanted is not None:
        yield from _drift(sealed, about, wanted, opened, mark_key)


def _structure(
    sealed: SealedSecret, about: str, certificate: Certificate | None
) -> Iterator[Finding]:
    problems = 0

    def problem(sentence: str) -> Finding:
        nonlocal problems
        problems += 1
        return Finding(about=about, kind="problem", sentence=sentence)

    template = sealed.template.get("metadata") or {}
    try:
        _ = sealed.label
    except SecretsError as error:
        yield problem(str(error))
    for field, own in (("name", sealed.name), ("namespace", sealed.namespace)):
        there = template.get(field)
        if there not in (None, own):
            yield problem(f"template.metadata.{field} is {there}, metadata.{field} is {own}")
    if Scope.of(template.get("annotations") or {}) is not sealed.scope:
        yield problem(
            f"the scope is {sealed.scope} by the object's annotations and another by its"
            " template's: the Secret that is made of it would say the wrong one"
        )
    for key, value in sealed.data.items():
        try:
            wrapped, _ = sealing.parts(value)
        except SecretsError as error:
            yield problem(f"encryptedData.{key}: {error}")
            continue
        if certificate is not None and len(wrapped) * 8 != certificate.key.key_size:
            yield problem(
                f"encryptedData.{key}: its session key has {len(wrapped) * 8} bits, the"
                f" certificate's {certificate.key.key_size}: sealed with another one"
            )
    if not problems:
        yield _good(about, f"{len(sealed.data)} values, scope {sealed.scope}")


def _certificate(
    sealed: SealedSecret, about: str, certificate: Certificate, now: datetime
) -> Iterator[Finding]:
    with_which = sealed.annotations.get(marks.SEALED_WITH)
    if with_which is None:
        yield Finding(
            about=about,
            kind="warning",
            sentence="it does not say with which certificate it was sealed",
        )
    elif with_which != certificate.fingerprint:
        yield Finding(
            about=about,
            kind="problem",
            sentence=f"sealed with the certificate {with_which[:16]}, not with"
            f" {certificate.fingerprint[:16]}: seal it again",
        )
    else:
        yield _good(about, f"sealed with the certificate {with_which[:16]}")
    if now >= certificate.ends:
        yield Finding(
            about=about,
            kind="problem",
            sentence=f"the certificate ended on {certificate.ends:%Y-%m-%d}: fetch the present one",
        )
    elif now + SOON >= certificate.ends:
        days = (certificate.ends - now).days
        yield Finding(about=about, kind="warning", sentence=f"the certificate ends in {days} days")


def _drift(
    sealed: SealedSecret,
    about: str,
    wanted: Secret,
    opened: Secret | None,
    mark_key: str | None,
) -> Iterator[Finding]:
    """Which values are not those that are wanted: by name, then by value as far as can be told."""
    missing, more = wanted.data.keys() - sealed.data.keys(), sealed.data.keys() - wanted.data.keys()
    for keys, sentence in ((missing, "is not sealed"), (more, "is sealed, and no longer wanted")):
        for key in sorted(keys):
            yield Finding(about=about, kind="problem", sentence=f"{key} {sentence}")
    changed = _changed(sealed, wanted, opened, mark_key)
    if changed is None:
        yield Finding(
            about=about,
            kind="warning",
            sentence="whether the values are the wanted ones cannot be told: neither the private"
            " key nor marks of this folder are there",
        )
        return
    for key in changed:
        yield Finding(
            about=about, kind="problem", sentence=f"{key} has another value: seal it again"
        )
    if not (missing or more or changed):
        yield _good(about, "all values are the wanted ones")


def _changed(
    sealed: SealedSecret, wanted: Secret, opened: Secret | None, mark_key: str | None
) -> list[str] | None:
    both = sorted(wanted.data.keys() & sealed.data.keys())
    if opened is not None:
        return [key for key in both if opened.data[key] != wanted.data[key]]
    told = marks.told(sealed.annotations)
    if mark_key is None or not told:
        return None
    own = marks.of(mark_key, sealed.label, wanted.data)
    return [key for key in both if told.get(key) != own[key]]


def reusable(
    before: SealedSecret | None,
    secret: Secret,
    to: Certificate,
    scope: Scope,
    mark_key: str | None,
) -> Mapping[str, str]:
    """Sealed values that may stay as they are: same value, place and certificate, by marks."""
    if before is None or mark_key is None or before.scope is not scope:
        return {}
    if before.annotations.get(marks.SEALED_WITH) != to.fingerprint:
        return {}
    if (before.name, before.namespace) != (secret.name, secret.namespace):
        return {}
    label = scope.label(secret.namespace, secret.name)
    own, told = marks.of(mark_key, label, secret.data), marks.told(before.annotations)
    return {
        key: before.data[key] for key in own if key in before.data and told.get(key) == own[key]
    }


def _good(about: str, sentence: str) -> Finding:
    return Finding(about=about, kind="good", sentence=sentence)
