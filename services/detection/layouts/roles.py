"""Which of several outputs is which: told by their names, whatever their order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from detection.layouts.layout import Shape, Signature, Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """What an output is for, and what exporters call it."""

    names: tuple[str, ...]
    """In lower case; the first is what it is called in a sentence."""
    shape: Shape
    """What its shape must be where that is declared; None for a side of any length."""
    kind: str
    """float or int."""
    batched: bool = True
    """Whether the first side is the batch, or may be missing."""


def plain(name: str) -> str:
    """A name in lower case, without TensorFlow's `:0`."""
    return name.lower().removesuffix(":0")


def position(outputs: Sequence[Tensor], role: Role) -> int | None:
    """Where the output of this role stands."""
    found = [place for place, output in enumerate(outputs) if plain(output.name) in role.names]
    return found[0] if len(found) == 1 else None


def positions(signature: Signature, roles: Sequence[Role]) -> tuple[int, ...] | None:
    """Where the outputs of these roles stand, if all of them are there."""
    places = tuple(position(signature.outputs, role) for role in roles)
    known = tuple(place for place in places if place is not None)
    return known if len(known) == len(places) else None


def mismatch(
    signature: Signature,
    roles: Sequence[Role],
    places: tuple[int, ...] | None,
    *,
    layout: str,
) -> str | None:
    """Why the outputs at these places are not of these roles."""
    expected = f"expected the outputs {listed([role.names[0] for role in roles])} (layout {layout})"
    if places is None:
        names = [f"`{output.name}`" for output in signature.outputs]
        return f"{expected}, found {listed(names) if names else 'none'}"
    for role, place in zip(roles, places, strict=True):
        output = signature.outputs[place]
        if not (of_kind(output, role.kind) and fits(output.shape, role)):
            wanted = ", ".join("n" if side is None else str(side) for side in role.shape)
            return (
                f"expected {role.names[0]} [{wanted}] of {role.kind} (layout {layout}),"
                f" found {output}"
            )
    return None


def fits(shape: Shape, role: Role) -> bool:
    """Whether a shape is that of a role, as far as it is declared."""
    if not shape:  # Without a single side it is not declared at all.
        return True
    wanted = role.shape
    if not role.batched and len(shape) == len(wanted) + 1:
        shape = shape[1:]
    elif role.batched:
        shape, wanted = (None, *shape[1:]), (None, *wanted[1:])
    return len(shape) == len(wanted) and all(
        want is None or not isinstance(side, int) or side == want
        for side, want in zip(shape, wanted, strict=True)
    )


def of_kind(tensor: Tensor, kind: str) -> bool:
    """Whether a tensor is of float32 and the like, or of int64 and the like."""
    return tensor.dtype.removeprefix("u").startswith(kind)


def listed(words: Sequence[str]) -> str:
    """As a sentence lists them: a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
