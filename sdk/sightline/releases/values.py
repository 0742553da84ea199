"""The chart's values of a release: new ones for one colour, and the other kept as it is.

Both colours share the sections `detection` and `gateway`; what each has of its own is below
`colours`. So that what serves users stays what it is while those sections change in Git, whatever
they would change for it is written down as its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from sightline.colours.colour import COLOURS, Colour, other
from sightline.releases.release import Target

Values: TypeAlias = dict[str, Any]
SECTIONS = ("detection", "gateway")


def merged(into: Mapping[str, Any], overlay: Mapping[str, Any]) -> Values:
    """One over the other as helm lays them: maps by key, everything else whole, null takes away."""
    both = dict(into)
    for name, value in overlay.items():
        if value is None:
            both.pop(name, None)
        elif isinstance(value, Mapping):
            old = both.get(name)
            both[name] = merged(old if isinstance(old, Mapping) else {}, value)
        else:
            both[name] = value
    return both


def difference(base: Mapping[str, Any], wanted: Mapping[str, Any]) -> Values:
    """The least that, laid over `base`, gives everything in `wanted`.

    What `base` has beyond that stays: the chart cannot take a name away for one colour.
    """
    found: Values = {}
    for name, value in wanted.items():
        old = base.get(name)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            if inner := difference(old, value):
                found[name] = inner
        elif value != old or name not in base:
            found[name] = value
    return found


def own(values: Mapping[str, Any], colour: Colour) -> Values:
    """What a colour runs with: both sections, its own values laid over."""
    mine = (values.get("colours") or {}).get(colour) or {}
    return {
        section: merged(values.get(section) or {}, mine.get(section) or {}) for section in SECTIONS
    }


def composed(
    base: Mapping[str, Any], live: Mapping[str, Any] | None, colour: Colour, target: Target
) -> Values:
    """What is laid over the environment's values to release `target` into `colour`.

    `base` is the chart's and the environment's files; `live` all that helm has of what runs now,
    None before the first installation: then both colours get the same, and `colour` serves.
    """
    fresh, away = _fresh(base, colour, target), other(colour)
    if live is None:
        return {
            "activeColour": colour,
            "colours": {colour: fresh, away: _fresh(base, away, target)},
        }
    return {"activeColour": away, "colours": {colour: fresh, away: _kept(base, live, away)}}


def pinned(base: Mapping[str, Any], live: Mapping[str, Any], active: Colour) -> Values:
    """What is laid over the environment's values so that both colours stay what they are."""
    both: Values = {colour: _kept(base, live, colour) for colour in COLOURS}
    return {"activeColour": active, "colours": both}


def _fresh(base: Mapping[str, Any], colour: Colour, target: Target) -> Values:
    overlay: Values = {"enabled": True}
    for section in SECTIONS:
        part: Values = dict(target.overlay.get(section) or {})
        if image := target.images.get(section):
            part = merged(part, {"image": {"tag": image.tag, "digest": image.digest or ""}})
        overlay[section] = part
    if image := target.images.get("models"):
        named = {"repository": image.repository, "tag": image.tag, "digest": image.digest or ""}
        overlay["detection"] = merged(overlay["detection"], {"models": {"image": named}})
    # What the environment's files say of this colour alone holds as well, where we say nothing.
    theirs = (base.get("colours") or {}).get(colour) or {}
    return merged({name: theirs[name] for name in theirs if name in SECTIONS}, overlay)


def _kept(base: Mapping[str, Any], live: Mapping[str, Any], colour: Colour) -> Values:
    running = own(live, colour)
    return {"enabled": True} | {
        section: difference(base.get(section) or {}, running[section]) for section in SECTIONS
    }
