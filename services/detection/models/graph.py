"""A graph's steps, weights and ends, found in one walk over its bytes. Source: onnx.proto3."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.models.wire import Field, fields, numbers, text

_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12
_NODE_INPUT, _NODE_OUTPUT, _OP, _ATTRIBUTE, _DOMAIN = 1, 2, 4, 5, 7
_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 6, 11
_FLOAT, _UINT8 = 1, 2
_DATA_TYPE, _FLOAT_DATA, _INT32_DATA, _TENSOR_NAME, _RAW_DATA = 2, 4, 5, 8, 9


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A node, as far as it matters here."""

    at: int
    """Which of the graph's fields it is."""
    operator: str
    """With its domain where that is not ONNX's own: `com.microsoft.FusedConv`."""
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Graph:
    """What a graph consists of; the numbers say which of its fields each thing is."""

    fields: tuple[Field, ...]
    steps: tuple[Step, ...]
    weights: Mapping[str, int]
    inputs: Mapping[str, int]
    outputs: frozenset[str]
    nests: bool
    """Whether a step has graphs of its own (If, Loop), which may read all that this one has."""

    def readers(self, name: str) -> list[Step]:
        """The steps that read a value, each as often as it does."""
        return [step for step in self.steps for each in step.inputs if each == name]

    def weight(self, name: str) -> NDArray[Any] | None:
        """What a weight holds, flat; None where there is none, or not floats or bytes in plain."""
        at = self.weights.get(name)
        tensor = None if at is None else self.fields[at].value
        return _values(tensor) if isinstance(tensor, memoryview) else None


def read(graph: memoryview) -> Graph:
    """Walk over it once. Raises NotWhole."""
    found = tuple(fields(graph))
    steps: list[Step] = []
    weights: dict[str, int] = {}
    inputs: dict[str, int] = {}
    outputs: list[str] = []
    nests = False
    for at, field in enumerate(found):
        if not isinstance(field.value, memoryview):
            continue
        if field.number == _NODE:
            step, deeper = _step(at, field.value)
            steps.append(step)
            nests = nests or deeper
        elif field.number == _INITIALIZER:
            weights[_text(field.value, _TENSOR_NAME)] = at
        elif field.number == _INPUT:
            inputs[_text(field.value, 1)] = at
        elif field.number == _OUTPUT:
            outputs.append(_text(field.value, 1))
    return Graph(
        fields=found,
        steps=tuple(steps),
        weights=weights,
        inputs=inputs,
        outputs=frozenset(outputs),
        nests=nests,
    )


def _step(at: int, node: memoryview) -> tuple[Step, bool]:
    inputs: list[str] = []
    outputs: list[str] = []
    operator = domain = ""
    nests = False
    for number, value, _ in fields(node):
        if not isinstance(value, memoryview):
            continue
        if number == _NODE_INPUT:
            inputs.append(text(value))
        elif number == _NODE_OUTPUT:
            outputs.append(text(value))
        elif number == _OP:
            operator = text(value)
        elif number == _DOMAIN:
            domain = text(value)
        elif number == _ATTRIBUTE and not nests:
            nests = any(
                each.number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS) for each in fields(value)
            )
    if domain not in ("", "ai.onnx"):
        operator = f"{domain}.{operator}"
    step = Step(at=at, operator=operator, inputs=tuple(inputs), outputs=tuple(outputs))
    return step, nests


def _text(message: memoryview, number: int) -> str:
    """A name: of several the last counts. Long lists of numbers are left alone."""
    found = ""
    for field in fields(message):
        if field.number == number and isinstance(field.value, memoryview):
            found = text(field.value)
    return found


def _values(tensor: memoryview) -> NDArray[Any] | None:
    """Floats or bytes, however they are stored."""
    kind = 0
    raw: memoryview | bytes = b""
    floats: list[memoryview] = []
    for number, value, _ in fields(tensor):
        if number == _DATA_TYPE and isinstance(value, int):
            kind = value
        elif number == _RAW_DATA and isinstance(value, memoryview):
            raw = value
        elif number == _FLOAT_DATA and isinstance(value, memoryview):
            # Repeated floats are bytes as well, packed or each by itself.
            floats.append(value)
    if kind == _FLOAT:
        raw = raw or b"".join(floats)
        return np.frombuffer(raw, dtype="<f4") if raw and len(raw) % 4 == 0 else None
    if kind == _UINT8:
        return np.array(list(raw) or list(numbers(tensor, _INT32_DATA)), dtype=np.uint8)
    return None
