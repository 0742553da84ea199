"""The models that are served, for those who bring tensors: in the same lanes as images."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from detection.account import Account
from detection.errors import InferenceError, ModelChangedError, ModelError, TensorError
from detection.lanes import Lanes
from detection.layouts.layout import Tensor
from detection.models.model import Model
from detection.models.store import Store
from detection.scratch import Scratch


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """One model, as its file has it."""

    model: Model
    lanes: Lanes
    account: Account

    @property
    def name(self) -> str:
        """As requests call it."""
        return self.model.info.name

    @property
    def version(self) -> str:
        """As GET /v1/models has it."""
        return self.model.info.version

    @property
    def inputs(self) -> Sequence[Tensor]:
        """What the file takes."""
        return self.model.signature.inputs

    @property
    def outputs(self) -> Sequence[Tensor]:
        """What the file gives."""
        return self.model.signature.outputs

    def admit(self, *, deadline: float, client: str) -> None:
        """Raise LaneError where the queue is full, or too long."""
        self.lanes.check(client, seconds=self.model.pace.seconds, deadline=deadline)

    async def infer(
        self,
        inputs: Mapping[str, NDArray[Any]],
        outputs: Sequence[str],
        *,
        deadline: float,
        client: str,
    ) -> Sequence[NDArray[Any]]:
        """Run the file's own graph. Raises LaneError, TensorError, or ModelChangedError."""

        def work(scratch: Scratch) -> list[NDArray[Any]]:
            session = self.model.plain.get()
            return session.run(inputs, outputs=outputs, options=scratch.begin())

        began = time.perf_counter()
        try:
            turn = await self.lanes.run(
                work,
                deadline=deadline,
                client=client,
                model=self.name,
                seconds=self.model.pace.seconds,
            )
        except InferenceError as error:
            raise TensorError(str(error), field="inputs") from error
        except ModelError as error:
            raise ModelChangedError(str(error)) from error
        self.account.ran(self.name, turn, began=began)
        return turn.result


@dataclass(frozen=True, kw_only=True)
class ServedModels:
    """All of them."""

    store: Store
    lanes: Lanes
    account: Account
    refusal: Callable[[], str | None]
    """Why requests should go elsewhere."""

    def find(self, name: str, version: str | None) -> ServedModel | None:
        """The model of this name, in this version where one is named."""
        model = self.store.find(name)
        if model is None or version not in (None, model.info.version):
            return None
        return ServedModel(model=model, lanes=self.lanes, account=self.account)

    def names(self) -> Sequence[str]:
        """Of every model, the default one first."""
        return tuple(self.store.models)

    def ready(self) -> str | None:
        """None when all is well."""
        return self.refusal()
