"""Which layout a model is of: what is stated, what its metadata tell, what its tensors can be.

A guess would be worse than a refusal: boxes that are read in the wrong way look like detections.
Where more than one layout fits, the refusal names them, and whoever knows states which.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray

from detection.errors import ModelError
from detection.layouts import LAYOUTS, Layout, provenance
from detection.layouts.layout import InputSize, Signature, Tensor
from detection.layouts.roles import listed


def choose(signature: Signature, *, labels: int | None, stated: str | None) -> tuple[Layout, ...]:
    """The layouts that fit what a model declares, bound to it; at least one.

    `labels` is how many class names are known; `stated` is the layout that a manifest or a setting
    names. It wins over the model's own key `sightline.layout`, that over its exporter's words, and
    these over shapes. What is left after that, `confirm` tells by a warm-up frame. Raises
    ModelError in one sentence.
    """
    if stated is not None:
        return (_named(stated, signature, labels=labels, by="the manifest or the settings"),)
    own = signature.metadata.get(provenance.OWN_KEY)
    if own is not None:
        by = f"`{provenance.OWN_KEY}` in its metadata"
        return (_named(own, signature, labels=labels, by=by),)
    task = provenance.other_task(signature.metadata)
    if task is not None:
        raise ModelError(f"expected a model that finds boxes, found task {task!r} in its metadata")
    told = provenance.told(signature.metadata)
    names = [name for name in LAYOUTS if told is None or name in told]
    fitting = _fitting(names, signature, labels=labels)
    if fitting:
        return tuple(layout.bound(signature) for layout in fitting)
    if len(names) == 1:
        mismatch = LAYOUTS[names[0]].mismatch(signature, labels=labels)
        raise ModelError(f"{mismatch}{_hint(signature, labels=labels)}")
    raise ModelError(
        f"expected outputs of one of the layouts {listed(names)}{_with(labels)},"
        f" found {_outputs(signature)}{_hint(signature, labels=labels)}"
    )


def confirm(
    candidates: Sequence[Layout],
    signature: Signature,
    outputs: Sequence[NDArray[Any]],
    *,
    labels: int | None,
    size: InputSize,
) -> Layout:
    """The one of the candidates that the outputs of a warm-up frame can be of.

    `outputs` are in the order of the signature, `size` is that of the input that the frame had.
    Raises ModelError in one sentence where that is none of them, or more than one.
    """
    seen = observed(signature, outputs)
    reasons: list[str] = []
    left: list[Layout] = []
    for candidate in candidates:
        reason = candidate.mismatch(seen, labels=labels) or candidate.implausible(
            outputs, labels=labels, size=size
        )
        if reason is None:
            left.append(candidate)
        else:
            reasons.append(reason)
    if len(left) == 1:
        return left[0]
    if not left:
        tried = [candidate.name for candidate in candidates]
        raise ModelError("; ".join(reasons) + _hint(seen, labels=labels, but=tried))
    unknown = ", or what its labels are," if labels is None else ""
    ways = " or ".join(f'layout = "{layout.name}"' for layout in left)
    raise ModelError(
        f"its outputs {_outputs(seen)} can be of the layouts {_names(left)}{_with(labels)} alike:"
        f" say which{unknown} in its manifest, as {ways}"
    )


def observed(signature: Signature, outputs: Sequence[NDArray[Any]]) -> Signature:
    """A signature whose outputs are as they came, every side a number."""
    return replace(
        signature,
        outputs=tuple(
            replace(declared, shape=output.shape, dtype=output.dtype.name)
            for declared, output in zip(signature.outputs, outputs, strict=True)
        ),
    )


def _named(name: str, signature: Signature, *, labels: int | None, by: str) -> Layout:
    layout = LAYOUTS.get(name)
    if layout is None:
        raise ModelError(f"expected a layout of {listed(list(LAYOUTS))}, found {name!r} in {by}")
    mismatch = layout.mismatch(signature, labels=labels)
    if mismatch is not None:
        raise ModelError(f"{mismatch}{_hint(signature, labels=labels)}")
    return layout.bound(signature)


def _fitting(names: Iterable[str], signature: Signature, *, labels: int | None) -> list[Layout]:
    return [
        LAYOUTS[name] for name in names if LAYOUTS[name].mismatch(signature, labels=labels) is None
    ]


def _outputs(signature: Signature) -> str:
    return ", ".join(map(str, signature.outputs)) or "(none)"


def _with(labels: int | None) -> str:
    return "" if labels is None else f" with {labels} labels"


def _hint(signature: Signature, *, labels: int | None, but: Sequence[str] = ()) -> str:
    """What would fit if one thing were otherwise: the layout, the labels, the order of sides."""
    names = [name for name in LAYOUTS if name not in but]
    hints: list[str] = []
    fitting = _fitting(names, signature, labels=labels)
    if fitting:
        hints.append(f"it looks like {_names(fitting)}")
    turned = _turned(signature)
    if turned is not None:
        fitting = _fitting(names, turned, labels=labels)
        if fitting:
            hints.append(f"its transpose {_outputs(turned)} would be of {_names(fitting)}")
    for count in _label_counts(signature, near=labels):
        fitting = _fitting(names, signature, labels=count)
        # That many labels were miscounted is likely only where nothing else would explain it.
        if fitting and (not hints or abs(count - (labels or 0)) == 1):
            hints.append(f"with {count} labels it would be of {_names(fitting)}")
            break
    return "".join(f"; {hint}" for hint in hints)


def _names(layouts: Sequence[Layout]) -> str:
    return listed([layout.name for layout in layouts])


def _turned(signature: Signature) -> Signature | None:
    """The same with the last two sides of its one output exchanged."""
    if len(signature.outputs) != 1 or len(signature.outputs[0].shape) != 3:
        return None
    output = signature.outputs[0]
    batch, one, other = output.shape
    return replace(
        signature,
        outputs=(Tensor(name=output.name, shape=(batch, other, one), dtype=output.dtype),),
    )


def _label_counts(signature: Signature, *, near: int | None) -> list[int]:
    """Numbers of labels that a side of an output may stand for, nearest first.

    Before the scores there is nothing, a box or a box and its objectness; after them there may be
    one for no object.
    """
    if near is None:
        return []
    sides = {
        side for output in signature.outputs for side in output.shape[1:] if isinstance(side, int)
    }
    counts = {side - head for side in sides for head in (0, 1, 4, 5) if side > head}
    return sorted(counts - {near}, key=lambda count: (abs(count - near), count))
