"""What a release changes: rendered objects compared with those that are installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from sightline.colours.colour import Colour, Fact
from sightline.colours.reading import COLOUR

Verb: TypeAlias = Literal["added", "changed", "removed"]
Document: TypeAlias = Mapping[str, Any]
MOST_FIELDS = 12
_OF_A_RELEASE = ("helm.sh/chart", "app.kubernetes.io/version")
"""Labels that each release changes everywhere, and that nothing acts on."""


class Change(Fact, frozen=True, kw_only=True):
    """An object that is added, changed or removed."""

    verb: Verb
    kind: str
    name: str
    colour: Colour | None = None
    """Whose it is, where it is one colour's."""
    fields: tuple[str, ...] = ()
    """Those that differ, as paths; of many the first few."""
    restarts: bool = False
    """Its pods are replaced."""

    @property
    def sentence(self) -> str:
        """In a line."""
        which = f"{self.kind} {self.name}"
        if self.verb != "changed":
            return f"{which}: {self.verb}"
        more = "; its pods are replaced" if self.restarts else ""
        return f"{which}: {', '.join(self.fields)}{more}"


def changes(before: Iterable[Document], after: Iterable[Document]) -> tuple[Change, ...]:
    """From one to the other, by kind and name."""
    old, new = _keyed(before), _keyed(after)
    found: list[Change] = []
    for key in sorted(old.keys() | new.keys()):
        kind, name = key
        if key not in new:
            found.append(Change(verb="removed", kind=kind, name=name, colour=_colour(old[key])))
        elif key not in old:
            found.append(Change(verb="added", kind=kind, name=name, colour=_colour(new[key])))
        elif differing := tuple(_differing(_plain(old[key]), _plain(new[key]))):
            found.append(
                Change(
                    verb="changed",
                    kind=kind,
                    name=name,
                    colour=_colour(new[key]),
                    fields=_few(differing),
                    restarts=any(each.startswith("spec.template.") for each in differing),
                )
            )
    return tuple(found)


def _keyed(documents: Iterable[Document]) -> dict[tuple[str, str], Document]:
    return {(str(each["kind"]), str(each["metadata"]["name"])): each for each in documents if each}


def _colour(document: Document) -> Colour | None:
    found = (document["metadata"].get("labels") or {}).get(COLOUR)
    return found if found in ("blue", "green") else None


def _plain(document: Document) -> Document:
    """Without labels that say which release it is."""
    metadata = dict(document["metadata"])
    metadata["labels"] = _unlabelled(metadata.get("labels"))
    plain = {**document, "metadata": metadata}
    template = (plain.get("spec") or {}).get("template")
    if isinstance(template, Mapping) and "metadata" in template:
        inner = {**template["metadata"], "labels": _unlabelled(template["metadata"].get("labels"))}
        plain["spec"] = {**plain["spec"], "template": {**template, "metadata": inner}}
    return plain


def _unlabelled(labels: Mapping[str, str] | None) -> dict[str, str]:
    return {name: value for name, value in (labels or {}).items() if name not in _OF_A_RELEASE}


def _differing(old: Any, new: Any, path: str = "") -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            below = f"{path}.{name}" if path else str(name)
            if name not in old or name not in new:
                yield below
            else:
                yield from _differing(old[name], new[name], below)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, another) in enumerate(zip(old, new, strict=True)):
            named = one.get("name") if isinstance(one, Mapping) else None
            yield from _differing(one, another, f"{path}[{index if named is None else named}]")
    elif old != new:
        yield path


def _few(fields: tuple[str, ...]) -> tuple[str, ...]:
    if len(fields) <= MOST_FIELDS:
        return fields
    return (*fields[:MOST_FIELDS], f"and {len(fields) - MOST_FIELDS} more")
