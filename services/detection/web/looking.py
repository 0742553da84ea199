"""Having an image looked at: which model, whose turn, until when, and what became of it."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

from starlette.requests import ClientDisconnect, Request

from detection import pipeline
from detection.account import Account
from detection.errors import DetectionError, InferenceError, ParameterError
from detection.lanes import Lanes, Turn
from detection.models.model import Model
from detection.models.store import Store
from detection.pipeline import Sighting
from detection.scratch import Scratch
from detection.tiling import Tiling
from detection.web import problems
from detection.web.submission import Asked
from serving.guard import client_of
from sightline.messages import Frame
from sightline.messages.inference import TIMEOUT_HEADER

FAILURES = 3
"""In a row: then a model's session is taken for broken."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What a request gets that does not ask for anything else, and what none gets."""

    deadline_seconds: float
    longest_deadline_seconds: float
    max_image_bytes: int
    max_batch_bytes: int
    max_batch_images: int
    max_megapixels: float
    tiling: Tiling
    cameras: dict[str, Tiling]
    """By camera_id, instead of `tiling`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """On which one request's images are looked at."""

    asked: Asked
    model: Model
    client: str
    """Between whom turns are shared."""
    deadline: float
    """On the clock of the lanes."""


class Looking:
    """What all calls share that look at images."""

    def __init__(
        self,
        *,
        store: Store,
        lanes: Lanes,
        account: Account,
        policy: Policy,
        broken: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`broken` gets the name of a model whose session fails again and again."""
        self.store = store
        self.lanes = lanes
        self.account = account
        self.policy = policy
        self._broken = broken
        self._clock = clock
        self._failures: Counter[str] = Counter()

    def refusal(self) -> str | None:
        """Why no image should come here now: a check of readiness."""
        failing = [name for name in self._failures if self.is_broken(name)]
        return f"model {failing[0]} failed {FAILURES} times in a row" if failing else None

    def is_broken(self, name: str) -> bool:
        """Whether nothing came of a model of late but failures."""
        return self._failures[name] >= FAILURES

    def mended(self, name: str) -> None:
        """A model has a new session."""
        self._failures.pop(name, None)

    def deadline(self, request: Request) -> float:
        """Until when the request's client waits, on our clock. Raises ParameterError."""
        text = request.headers.get(TIMEOUT_HEADER)
        seconds = self.policy.deadline_seconds
        if text is not None:
            longest = self.policy.longest_deadline_seconds
            try:
                seconds = float(text)
            except ValueError:
                seconds = -1.0
            if not 0.0 < seconds < float("inf"):
                raise ParameterError(
                    f"{text[:40]!r} is not a number of seconds above 0",
                    field=TIMEOUT_HEADER,
                    limit=f"above 0, at most {longest:g} s count",
                )
            seconds = min(seconds, longest)
        return self._clock() + seconds

    def model(self, name: str | None) -> Model:
        """The model that a request names, or the default one. Raises ParameterError."""
        model = self.store.find(name)
        if model is None:
            known = ", ".join(self.store.models)
            raise ParameterError(
                f"{(name or '')[:60]!r} is not loaded (known: {known})", field="model"
            )
        return model

    def admit(self, request: Request, deadline: float) -> None:
        """Raise LaneError early, before the body is read, when there is no place anyway."""
        # A model that is not there is told of once the body is read.
        model = self.store.find(request.query_params.get("model"))
        if model is not None:
            with self.counting(model):
                self.lanes.check(client_of(request), seconds=model.pace.seconds, deadline=deadline)

    async def look(
        self,
        image: bytes,
        frame: Frame | None,
        terms: Terms,
    ) -> Turn[Sighting]:
        """Have a lane look at the image. Raises DetectionError."""
        model, asked = terms.model, terms.asked
        wanted = pipeline.Request(
            max_megapixels=self.policy.max_megapixels,
            confidence=asked.confidence,
            tiling=self._tiling(asked, frame),
        )

        def work(scratch: Scratch) -> Sighting:
            return pipeline.detect(image, model=model, scratch=scratch, request=wanted)

        began = time.perf_counter()
        # A frame in tiles is as much work as so many frames, and waits for its turn as such.
        runs = pipeline.runs(image, model=model, request=wanted)
        turn = await self.lanes.run(
            work,
            deadline=terms.deadline,
            client=terms.client,
            model=model.info.name,
            seconds=model.pace.seconds * runs,
        )
        self._failures.pop(model.info.name, None)
        self.account.seen(model.info.name, turn, began=began)
        return turn

    @contextlib.contextmanager
    def counting(self, model: Model | None = None) -> Generator[None]:
        """Count what an image fails of that is not answered."""
        name = model.info.name if model is not None else "none"
        try:
            yield
        except ClientDisconnect:
            self.account.metrics.failed(model=name, outcome="client_gone")
            raise
        except DetectionError as error:
            self.account.metrics.failed(model=name, outcome=problems.outcome(error))
            if isinstance(error, InferenceError) and model is not None:
                self._failures[name] += 1
                if self._failures[name] == FAILURES:
                    self._broken(name)
            raise

    def _tiling(self, asked: Asked, frame: Frame | None) -> Tiling:
        usual = self.policy.tiling
        if frame is not None:
            usual = self.policy.cameras.get(frame.camera_id, usual)
        return usual if asked.tiles is None else replace(usual, side=asked.tiles)
