"""The port: what the protocol needs of whatever runs models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from detection.layouts.layout import Tensor


class TensorModel(Protocol):
    """A model as its file has it: no preparation of pixels, no reading of boxes."""

    @property
    def name(self) -> str:
        """As the path has it."""
        ...

    @property
    def version(self) -> str:
        """As the path has it, where it has one."""
        ...

    @property
    def inputs(self) -> Sequence[Tensor]:
        """What it takes."""
        ...

    @property
    def outputs(self) -> Sequence[Tensor]:
        """What it gives."""
        ...

    def admit(self, *, deadline: float, client: str) -> None:
        """Raise LaneError where there would be no time anyway: asked before a body is read."""
        ...

    async def infer(
        self,
        inputs: Mapping[str, NDArray[Any]],
        outputs: Sequence[str],
        *,
        deadline: float,
        client: str,
    ) -> Sequence[NDArray[Any]]:
        """The outputs of these names, in this order.

        The inputs are checked against the declaration: names, types, number of sides, and every
        side that it fixes. They may be views of the request, which cannot be written to. `deadline`
        is the event loop's time; `client` is who asks. Raises LaneError when there is no time, and
        TensorError where the model cannot run on these inputs all the same.
        """
        ...


class TensorModels(Protocol):
    """All models that can be asked."""

    def find(self, name: str, version: str | None) -> TensorModel | None:
        """The model of this name, in this version where one is named; None where there is none."""
        ...

    def names(self) -> Sequence[str]:
        """Of every model, the default one first."""
        ...

    def ready(self) -> str | None:
        """Why requests should go elsewhere now; None when all is well."""
        ...
