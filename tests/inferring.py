"""The Open Inference Protocol for tests: Triton's own client, and a small server of any models."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import tritonclient.http as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from running import Process, wait_for


class TensorServer(Process):
    """The protocol's calls on a free port, over all models of a folder."""

    def __init__(self, folder: Path, models: Path, *, max_bytes: int = 4_000_000) -> None:
        self.port_file = folder / "tensors.port"
        super().__init__(
            command=[
                *(sys.executable, "tests/tensor_server.py"),
                *(str(models), str(self.port_file), str(max_bytes)),
            ],
            log=folder / "tensors.log",
            cwd=Path(__file__).parents[1],
        )

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port_file.read_text()}"

    def start(self) -> None:
        super().start()
        wait_for(lambda: self.port_file.exists() and self.port_file.read_text(), what=self.output)


def tensor(name: str, datatype: str, value: NDArray[Any], *, binary: bool = True) -> Any:
    made = triton.InferInput(name, list(value.shape), datatype)
    made.set_data_from_numpy(value, binary_data=binary)
    return made


def refused(client: triton.InferenceServerClient, model: str, *inputs: Any, **more: Any) -> str:
    with pytest.raises(InferenceServerException) as caught:
        client.infer(model, list(inputs), **more)
    return f"{caught.value.status()} {caught.value.message()}"
