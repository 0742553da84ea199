"""Answers of the protocol, and how inferred tensors are written. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from numpy.typing import NDArray

from detection.layouts.layout import Tensor
from detection.tensors import content
from detection.tensors.datatype import of_numpy
from detection.tensors.declaration import sides
from detection.tensors.model import TensorModel
from detection.tensors.request import HEADER_LENGTH, InferRequest
from sightline.messages import encode
from sightline.messages.value import Answer

EXTENSIONS = ("binary_tensor_data",)
PLATFORM = "onnx_onnxv1"
"""As the protocol calls ONNX models."""


class ServerMetadata(Answer, frozen=True, kw_only=True):
    """Who serves, and what it can do beyond the protocol."""

    name: str
    version: str
    extensions: tuple[str, ...] = EXTENSIONS


class ServerLive(Answer, frozen=True, kw_only=True):
    """The process lives."""

    live: Literal[True] = True


class ServerReady(Answer, frozen=True, kw_only=True):
    """Every model can be asked."""

    ready: Literal[True] = True


class ModelReady(Answer, frozen=True, kw_only=True):
    """This model can be asked."""

    name: str
    ready: Literal[True] = True


class TensorMetadata(Answer, frozen=True, kw_only=True):
    """An input or output as the model declares it."""

    name: str
    datatype: str
    shape: list[int]
    """-1 for a side that the model leaves open."""


class ModelMetadata(Answer, frozen=True, kw_only=True):
    """What a model takes and gives."""

    name: str
    versions: tuple[str, ...]
    platform: str = PLATFORM
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]


class IndexedModel(Answer, frozen=True, kw_only=True):
    """A model of the repository."""

    name: str
    version: str
    state: Literal["READY"] = "READY"
    reason: str = ""


class OutputParameters(Answer, frozen=True, kw_only=True):
    """Of an output whose bytes follow the JSON."""

    binary_data_size: int


class InferredTensor(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """One output: its values in row-major order, or how many bytes of it follow the JSON."""

    name: str
    datatype: str
    shape: list[int]
    parameters: OutputParameters | msgspec.UnsetType = msgspec.UNSET
    data: list[Any] | msgspec.UnsetType = msgspec.UNSET


class InferReply(Answer, frozen=True, kw_only=True, omit_defaults=True):
    """What a model inferred."""

    model_name: str
    model_version: str
    id: str | msgspec.UnsetType = msgspec.UNSET
    outputs: tuple[InferredTensor, ...]


class Failure(Answer, frozen=True, kw_only=True):
    """Why not: the protocol's errors have one sentence and nothing else."""

    error: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A body and the headers that tell how to read it."""

    body: bytes
    headers: Mapping[str, str]


def described(model: TensorModel) -> ModelMetadata:
    """The model's metadata."""

    def told(tensor: Tensor) -> TensorMetadata:
        return TensorMetadata(
            name=tensor.name, datatype=of_numpy(tensor.dtype).name, shape=sides(tensor.shape)
        )

    return ModelMetadata(
        name=model.name,
        versions=(model.version,),
        inputs=tuple(told(tensor) for tensor in model.inputs),
        outputs=tuple(told(tensor) for tensor in model.outputs),
    )


def write(
    request: InferRequest,
    model: TensorModel,
    outputs: Sequence[Tensor],
    arrays: Sequence[NDArray[Any]],
) -> Written:
    """The answer to a request; `arrays` are the values of `outputs`, in the same order."""
    told: list[InferredTensor] = []
    parts: list[bytes | memoryview] = []
    for tensor, array in zip(outputs, arrays, strict=True):
        datatype = of_numpy(tensor.dtype)
        as_bytes = request.outputs.get(tensor.name)
        if request.binary if as_bytes is None else as_bytes:
            parts.append(content.to_bytes(array, datatype))
            form: dict[str, Any] = {"parameters": OutputParameters(binary_data_size=len(parts[-1]))}
        else:
            form = {"data": content.to_json(array)}
        told.append(
            InferredTensor(
                name=tensor.name, datatype=datatype.name, shape=list(array.shape), **form
            )
        )
    reply = InferReply(
        model_name=model.name,
        model_version=model.version,
        id=msgspec.UNSET if request.id is None else request.id,
        outputs=tuple(told),
    )
    header = encode(reply)
    if not parts:
        return Written(body=header, headers={"Content-Type": "application/json"})
    return Written(
        body=b"".join([header, *parts]),
        headers={
            "Content-Type": "application/octet-stream",
            HEADER_LENGTH: str(len(header)),
        },
    )
