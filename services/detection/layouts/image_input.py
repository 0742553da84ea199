"""Which of a model's inputs takes the image, and what else it wants."""

from __future__ import annotations

from detection.layouts.layout import InputSize, Signature, Tensor

_COLOURS = 3


def image(signature: Signature) -> Tensor | None:
    """The input that takes the image: [batch, 3, height, width], or the colours last.

    torchvision's models leave the batch out.
    """
    for tensor in signature.inputs:
        if len(tensor.shape) == 4:
            return tensor
    return next((tensor for tensor in signature.inputs if len(tensor.shape) == 3), None)


def image_size(signature: Signature) -> InputSize | None:
    """Its size, where both sides are declared as numbers."""
    tensor = image(signature)
    if tensor is None:
        return None
    sides = tensor.shape[:-1] if tensor.shape[-1] == _COLOURS else tensor.shape
    height, width = sides[-2:]
    if isinstance(height, int) and isinstance(width, int):
        return InputSize(width=width, height=height)
    return None


def strangers(signature: Signature, *, layout: str, known: frozenset[str]) -> str | None:
    """Why the inputs are not those of a layout, which knows some beside the image by name."""
    taken = image(signature)
    others = [
        tensor for tensor in signature.inputs if tensor is not taken and tensor.name not in known
    ]
    if not others:
        return None
    expected = " and ".join(["the image", *sorted(known)])
    found = ", ".join(map(str, others))
    return f"expected no input but {expected} (layout {layout}), found also {found}"
