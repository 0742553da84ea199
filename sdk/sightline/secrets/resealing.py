"""Files of sealed Secrets, made from plain ones; what is sealed already stays where it may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from sightline.secrets import manifests, marks, sealing, verification
from sightline.secrets.errors import FormatError, RefusedError
from sightline.secrets.folder import Folder, read
from sightline.secrets.manifests import Object, Secret
from sightline.secrets.sealing import Certificate, Scope, SealedSecret
from sightline.steps import Step


class SealStep(Step, frozen=True, kw_only=True, tag="seal"):
    """A Secret is sealed; values that stay as they are are not sealed again."""

    secret: str
    values: tuple[str, ...]
    unchanged: tuple[str, ...]
    scope: str

    @property
    def sentence(self) -> str:
        """As an order."""
        fresh = [value for value in self.values if value not in self.unchanged]
        which = ", ".join(fresh) or "nothing new"
        left = f" (unchanged: {', '.join(self.unchanged)})" if self.unchanged else ""
        return f"seal {self.secret} ({self.scope}): {which}{left}"


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: steps, and the objects in the order in which the plain ones stood."""

    steps: tuple[SealStep, ...]
    objects: tuple[Object, ...]


def seal_all(
    plain: Sequence[Object],
    to: Certificate,
    *,
    name: str,
    scope: Scope | None = None,
    keys: Sequence[rsa.RSAPrivateKey] = (),
    before: Mapping[tuple[str | None, str], SealedSecret] | None = None,
    mark_key: str | None = None,
) -> Sealed:
    """Seal every Secret among objects; the others stay as they are.

    Without `scope` a Secret's annotations say it, else it is strict. With the controller's `keys`
    what is sealed already is opened and sealed anew. `before` is what was sealed already, by
    namespace and name. Raises RefusedError when there is no Secret.
    """
    steps: list[SealStep] = []
    made: list[Object] = []
    for each in plain:
        wanted = scope
        if keys and sealing.is_sealed(each):
            opened = sealing.sealed_secret(each, name=name)
            secret, wanted = sealing.unseal(opened, keys), scope or opened.scope
        elif manifests.is_secret(each):
            secret = manifests.secret(each, name=name)
        else:
            made.append(each)
            continue
        step, sealed = _seal(secret, to, wanted, before or {}, mark_key)
        steps.append(step)
        made.append(sealed.manifest())
    if not steps:
        raise RefusedError(f"{name}: there is no Secret to seal")
    return Sealed(steps=tuple(steps), objects=tuple(made))


def _seal(
    secret: Secret,
    to: Certificate,
    scope: Scope | None,
    before: Mapping[tuple[str | None, str], SealedSecret],
    mark_key: str | None,
) -> tuple[SealStep, SealedSecret]:
    wanted = scope or Scope.of(secret.annotations)
    earlier = before.get((secret.namespace, secret.name))
    kept = verification.reusable(earlier, secret, to, wanted, mark_key)
    also = {marks.SEALED_WITH: to.fingerprint}
    if mark_key is not None:
        label = wanted.label(secret.namespace, secret.name)
        also |= marks.annotation(marks.of(mark_key, label, secret.data))
    step = SealStep(
        secret=f"{secret.namespace or '(any namespace)'}/{secret.name}",
        values=tuple(sorted(secret.data)),
        unchanged=tuple(sorted(kept)),
        scope=str(wanted),
    )
    return step, sealing.seal(secret, to, wanted, also=also, kept=kept)


def sealed_in(objects: Sequence[Object], *, name: str) -> list[SealedSecret]:
    """The sealed Secrets among objects."""
    return [sealing.sealed_secret(each, name=name) for each in objects if sealing.is_sealed(each)]


def read_objects(path: Path) -> list[Object]:
    """All objects of a file. Raises FormatError."""
    try:
        text = read(path).decode()
    except UnicodeDecodeError:
        raise FormatError(f"{path}: not UTF-8 text") from None
    return manifests.objects(text, name=str(path))


def present(path: Path | None) -> dict[tuple[str | None, str], SealedSecret]:
    """What is sealed in a file already, by namespace and name; nothing where there is no file."""
    if path is None or not path.exists():
        return {}
    found = sealed_in(read_objects(path), name=str(path))
    return {(each.namespace, each.name): each for each in found}


def mark_key(path: Path | None, *, make: bool = True) -> str | None:
    """The folder's key of marks; made when it is first needed, and with `make` kept."""
    if path is None:
        return None
    folder = Folder(path, make=False)
    if not make and not folder.has(marks.KEY_NAME):
        return marks.new_key()
    return folder.kept(marks.KEY_NAME, marks.new_key().encode())
