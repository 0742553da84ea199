"""A request held against what its model declares, before the model gets to see it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from detection.errors import TensorError
from detection.layouts.layout import Shape, Tensor
from detection.tensors.datatype import of_numpy


def check(inputs: Mapping[str, NDArray[Any]], declared: Sequence[Tensor]) -> None:
    """Raise TensorError unless these are the inputs that the model declares."""
    expected = {tensor.name: tensor for tensor in declared}
    known = ", ".join(expected)
    for index, (name, array) in enumerate(inputs.items()):
        at = f"inputs[{index}]"
        if name not in expected:
            raise TensorError(
                f"{name[:60]!r} is not an input of this model (known: {known})",
                field=f"{at}.name",
                limit=known,
            )
        _check(array, expected[name], at)
    for name in expected:
        if name not in inputs:
            raise TensorError(f"{name!r} is missing (this model takes: {known})", field="inputs")


def _check(array: NDArray[Any], tensor: Tensor, at: str) -> None:
    found, wanted = of_numpy(array.dtype.name).name, of_numpy(tensor.dtype).name
    if found != wanted:
        raise TensorError(
            f"{tensor.name!r} is {found}, expected {wanted}", field=f"{at}.datatype", limit=wanted
        )
    fixed = sides(tensor.shape)
    if len(array.shape) != len(fixed) or any(
        want not in (-1, have) for have, want in zip(array.shape, fixed, strict=True)
    ):
        raise TensorError(
            f"{tensor.name!r} is {list(array.shape)}, expected {fixed}"
            + (" (-1: any)" if -1 in fixed else ""),
            field=f"{at}.shape",
            limit=str(fixed),
        )


def chosen(wanted: Mapping[str, bool | None], declared: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The outputs that are wanted, in the order asked for; all, where none is named."""
    if not wanted:
        return tuple(declared)
    given = {tensor.name: tensor for tensor in declared}
    for index, name in enumerate(wanted):
        if name not in given:
            known = ", ".join(given)
            raise TensorError(
                f"{name[:60]!r} is not an output of this model (known: {known})",
                field=f"outputs[{index}].name",
                limit=known,
            )
    return tuple(given[name] for name in wanted)


def sides(shape: Shape) -> list[int]:
    """A declared shape in the protocol's words: -1 for what the model leaves open."""
    return [side if isinstance(side, int) and side >= 0 else -1 for side in shape]
