"""Pixels as they are, into the graph: what a model does to them first becomes a part of it.

A model wants floats, scaled and shifted; an image is bytes. Done outside, that is a pass over four
times the memory for each image. Here the graph gets a new first step instead, so that its input is
bytes: a cast and what the preparation says. Where the model begins with a convolution, its weights
take the scale in; where it begins by quantising to the very same bytes, nothing is left to do.

The file is edited on the wire (see `wire`), so that no ONNX library is needed to serve a model.
Source: onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.errors import ModelError
from detection.layouts.layout import Preparation
from detection.models import graph
from detection.models.form import InputForm
from detection.models.graph import Graph, Step
from detection.models.wire import NotWhole, fields, heading, integer, nested

_GRAPH = 7
_NODE, _INITIALIZER, _INPUT = 1, 5, 11
_FLOAT, _UINT8, _FLOAT16 = 1, 2, 10
_DIMS, _DATA_TYPE, _FLOAT_DATA, _TENSOR_NAME, _RAW_DATA = 1, 2, 4, 8, 9
_SAME = 1e-3
"""How far the scale of a quantised input may be off, as a fraction: a quarter of a grey level."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Folded:
    """The changed file."""

    data: bytes
    input_name: str
    """Of the image; a tensor of uint8 now."""
    how: str
    """What became of the preparation: `convolution`, `quantised`, `steps`, or `bytes` where the
    model takes pixels as they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Change:
    """What becomes of a graph; new steps go before all others."""

    how: str
    name: str
    steps: tuple[bytes, ...] = ()
    replaced: Mapping[int, bytes]
    """By the number of the field."""


def fold(data: bytes, form: InputForm, preparation: Preparation) -> Folded:
    """The model with bytes for its input; the file was inspected before.

    Raises ModelError (without the file's name).
    """
    if form.dtype == "uint8":
        return Folded(data=data, input_name=form.name, how="bytes")
    try:
        whole = tuple(fields(memoryview(data)))
        at, inside = next(
            (at, field.value)
            for at, field in enumerate(whole)
            if field.number == _GRAPH and isinstance(field.value, memoryview)
        )
        found = graph.read(inside)
        change = _changed(found, form, preparation, prefix=_unused(data))
    except NotWhole as error:
        raise ModelError(f"not a whole ONNX file ({error})") from None
    replaced = {
        **change.replaced,
        found.inputs[form.name]: _value_info(change.name, form),
    }
    parts = [
        *change.steps,
        *(replaced.get(number, field.span) for number, field in enumerate(found.fields)),
    ]
    # Large models have hundreds of megabytes: they are copied once, here.
    return Folded(
        data=b"".join(
            [
                *(field.span for field in whole[:at]),
                heading(_GRAPH, sum(map(len, parts))),
                *parts,
                *(field.span for field in whole[at + 1 :]),
            ]
        ),
        input_name=change.name,
        how=change.how,
    )


def _changed(found: Graph, form: InputForm, preparation: Preparation, *, prefix: str) -> _Change:
    plain = not any(preparation.mean or ()) and preparation.deviation is None
    readers = found.readers(form.name)
    alone = len(readers) == 1 and not found.nests and form.name not in found.outputs
    pixels = f"{prefix}pixels"
    if plain and alone and _quantises_alike(found, readers[0], preparation.scale):
        (name,) = readers[0].outputs
        return _Change(how="quantised", name=name, replaced={readers[0].at: b""})
    if plain and alone and (weights := _weights(found, readers[0], form)) is not None:
        scaled = _scaled(found, weights, preparation.scale)
        cast = _node("Cast", [pixels], form.name, prefix=prefix, to=_FLOAT)
        return _Change(how="convolution", name=pixels, steps=(cast,), replaced=scaled)
    steps = _steps(pixels, form, preparation, prefix)
    return _Change(how="steps", name=pixels, steps=steps, replaced={})


def _unused(data: bytes) -> str:
    """What no name in the file has in it."""
    number, prefix = 0, "sightline_"
    while prefix.encode() in data:
        number += 1
        prefix = f"sightline{number}_"
    return prefix


def _weights(found: Graph, step: Step, form: InputForm) -> str | None:
    """The weights of the convolution that alone reads the input, and that it alone reads."""
    if step.operator != "Conv" or len(step.inputs) < 2 or form.dtype != "float32":
        return None
    image, name = step.inputs[:2]
    values = found.weight(name)
    used = len(found.readers(name)) > 1 or name in found.outputs
    if image != form.name or used or values is None or values.dtype != np.float32:
        return None
    return name


def _scaled(found: Graph, name: str, scale: float) -> dict[int, bytes]:
    at, values = found.weights[name], found.weight(name)
    tensor = found.fields[at].value
    assert isinstance(tensor, memoryview)
    assert values is not None
    kept = [each.span for each in fields(tensor) if each.number not in (_RAW_DATA, _FLOAT_DATA)]
    # What overflows here, does so in the file's own way as well; the warm-up will tell.
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = nested(_RAW_DATA, (values * np.float32(scale)).astype("<f4").tobytes())
    return {at: nested(_INITIALIZER, *kept, scaled)}


def _quantises_alike(found: Graph, step: Step, scale: float) -> bool:
    """Whether the model's first step makes the image's bytes again, out of scaled ones."""
    if step.operator != "QuantizeLinear" or len(step.inputs) != 3 or len(step.outputs) != 1:
        return False
    size, zero = found.weight(step.inputs[1]), found.weight(step.inputs[2])
    return (
        size is not None
        and zero is not None
        and size.size == zero.size == 1
        and size.dtype == np.float32
        and zero.dtype == np.uint8
        and int(zero[0]) == 0
        and step.outputs[0] not in found.outputs
        and abs(float(size[0]) / scale - 1.0) < _SAME
    )


def _steps(
    pixels: str, form: InputForm, preparation: Preparation, prefix: str
) -> tuple[bytes, ...]:
    """Value = pixel * factor + offset, one of each for a colour; computed in float32."""
    deviation = np.array(preparation.deviation or (1.0, 1.0, 1.0), dtype=np.float64)
    mean = np.array(preparation.mean or (0.0, 0.0, 0.0), dtype=np.float64)
    factor, offset = preparation.scale / deviation, -mean / deviation
    shape = (3,) if form.channels_last else (3, 1, 1)
    last = form.name if form.dtype == "float32" else f"{prefix}prepared"
    steps = [_node("Cast", [pixels], f"{prefix}floats", prefix=prefix, to=_FLOAT)]
    if offset.any():
        steps += [
            _constant(f"{prefix}factor", factor, shape),
            _constant(f"{prefix}offset", offset, shape),
            _node("Mul", [f"{prefix}floats", f"{prefix}factor"], f"{prefix}scaled", prefix=prefix),
            _node("Add", [f"{prefix}scaled", f"{prefix}offset"], last, prefix=prefix),
        ]
    else:
        steps += [
            _constant(f"{prefix}factor", factor, shape),
            _node("Mul", [f"{prefix}floats", f"{prefix}factor"], last, prefix=prefix),
        ]
    if last != form.name:
        steps.append(_node("Cast", [last], form.name, prefix=prefix, to=_FLOAT16))
    return tuple(steps)


def _node(
    operator: str, inputs: list[str], output: str, *, prefix: str, to: int | None = None
) -> bytes:
    content = [nested(1, each) for each in inputs]
    content += [nested(2, output), nested(3, f"{prefix}{operator}_{output}"), nested(4, operator)]
    if to is not None:
        # name, the integer, and that it is one (AttributeProto.INT).
        content.append(nested(5, nested(1, "to"), integer(3, to), integer(20, 2)))
    return nested(_NODE, *content)


def _constant(name: str, values: NDArray[np.float64], shape: tuple[int, ...]) -> bytes:
    content = [integer(_DIMS, side) for side in shape]
    content += [
        integer(_DATA_TYPE, _FLOAT),
        nested(_TENSOR_NAME, name),
        nested(_RAW_DATA, values.astype("<f4").tobytes()),
    ]
    return nested(_INITIALIZER, *content)


def _value_info(name: str, form: InputForm) -> bytes:
    """The declaration of the new input: bytes, of the size that is served."""
    shape = nested(2, *(nested(1, integer(1, side)) for side in form.shape))
    return nested(_INPUT, nested(1, name), nested(2, nested(1, integer(1, _UINT8), shape)))
