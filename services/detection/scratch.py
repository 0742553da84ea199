"""What a lane keeps between images, and how it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Callable

import onnxruntime

from detection.canvas import Canvas
from detection.errors import DeadlineError, StuckError
from detection.layouts.layout import Preparation
from detection.models.form import InputForm


class Scratch:
    """A lane's own: its input tensors, and the run that it is in.

    `alone` tells whether no other image is looked at or waits: then one image may have all cores.
    """

    def __init__(
        self,
        alone: Callable[[], bool] = lambda: False,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.alone = alone
        self.stopped = False
        self.awaited: Callable[[], bool] = _always
        """Whether anybody still waits for the image that is looked at."""
        self._clock = clock
        self.active = clock()
        """When something was begun last; a lane that stays in one step for too long is stuck."""
        self._canvases: dict[tuple[InputForm, Preparation], Canvas] = {}
        self._options: onnxruntime.RunOptions | None = None

    def canvas(self, form: InputForm, preparation: Preparation) -> Canvas:
        """This lane's input tensor of a form: models of one form share it, new versions as well."""
        key = (form, preparation)
        canvas = self._canvases.get(key)
        if canvas is None:
            canvas = self._canvases[key] = Canvas(form, preparation)
        return canvas

    def begin(self) -> onnxruntime.RunOptions:
        """A step begins: what ONNX Runtime is told of it, so that `stop` can end it.

        Raises LaneError where the step would be for nothing.
        """
        self.active = self._clock()
        options = self._options = onnxruntime.RunOptions()
        # Looked at after the options are there for `stop` to find.
        if self.stopped:
            raise StuckError("the lane was stopped", retry_seconds=1.0)
        if not self.awaited():
            raise DeadlineError("nobody waits for the image any more", retry_seconds=0.0)
        return options

    def rest(self) -> None:
        """The image is done with, and nothing of it kept but what the next may need."""
        self.awaited = _always
        self._options = None

    def stop(self) -> None:
        """End the run at its next operator; from any thread."""
        self.stopped = True
        options = self._options
        if options is not None:
            options.terminate = True


def _always() -> bool:
    return True
