"""ONNX Runtime's sessions: which hardware, how many threads, and whether they spin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import onnxruntime
from numpy.typing import NDArray

from detection.errors import InferenceError, ModelError

Provider = Literal["cpu", "cuda", "tensorrt", "openvino"]

PROVIDERS: Mapping[Provider, str] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
}
"""Our name → ONNX Runtime's. Which there are depends on the package that is installed:
onnxruntime, onnxruntime-gpu or onnxruntime-openvino, one of them only."""


class Session:
    """A loaded graph. `run` may be called from any number of threads at once."""

    def __init__(
        self,
        data: bytes,
        *,
        threads: int,
        spinning: bool = False,
        providers: Sequence[Provider] = ("cpu",),
    ) -> None:
        """Load; raises ModelError (without the file's name).

        `threads` work on one run, the calling one included. Spinning ones wait for their next part
        with the core in their hands: quicker, and only good where nobody else wants it.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        # Between images, the cores are the decoder's.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._session = onnxruntime.InferenceSession(
                data, sess_options=options, providers=[PROVIDERS[each] for each in providers]
            )
        except Exception as error:
            raise ModelError(f"ONNX Runtime refuses it: {_sentence(error)}") from error
        self.provider: str = self._session.get_providers()[0]
        self.output_names: list[str] = [each.name for each in self._session.get_outputs()]

    def run(
        self,
        feed: Mapping[str, NDArray[Any]],
        *,
        outputs: Sequence[str] | None = None,
        options: onnxruntime.RunOptions | None = None,
    ) -> list[NDArray[Any]]:
        """The outputs, all or those named; takes as long as inference takes, without the GIL."""
        try:
            found: list[NDArray[Any]] = self._session.run(
                self.output_names if outputs is None else list(outputs), dict(feed), options
            )
        except Exception as error:
            raise InferenceError(f"the model failed: {_sentence(error)}") from error
        return found


def missing(providers: Sequence[Provider]) -> list[Provider]:
    """Those that the installed ONNX Runtime has not."""
    there = onnxruntime.get_available_providers()
    return [each for each in providers if PROVIDERS[each] not in there]


def _sentence(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
