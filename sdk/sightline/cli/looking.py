"""Many pictures through the service at once, their answers in the order of the pictures."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.client import ClientError, ProblemError, UnreachableError
from sightline.messages import DetectResult

_AHEAD = 8
"""Pictures that may be answered, for each that is under way, before a slow one that they follow."""

_NOBODY = frozenset({401, 403})
"""Said of whoever asks, and not of a picture."""

Ask = Callable[[Path, bytes], Coroutine[Any, Any, DetectResult]]
Save = Callable[[Path, DetectResult], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What became of one picture: its answer, or what was wrong, or both where saving failed."""

    path: Path
    result: DetectResult | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What became of all of them."""

    images: int = 0
    detections: int = 0
    failed: int = 0

    def with_(self, seen: Seen) -> Tally:
        """And one more."""
        found = 0 if seen.result is None else len(seen.result.detections)
        return Tally(
            images=self.images + 1,
            detections=self.detections + found,
            failed=self.failed + (seen.error is not None),
        )

    def line(self, seconds: float) -> str:
        """In one line."""
        rate = self.images / seconds if seconds > 0 else 0.0
        return (
            f"{self.images} image{'s' * (self.images != 1)},"
            f" {self.detections} detection{'s' * (self.detections != 1)},"
            f" {self.failed} failed, {rate:.1f} images/s"
        )


class Looking:
    """Asks for pictures, of which so many are under way at once; no more are held in memory."""

    def __init__(self, *, ask: Ask, save: Save | None, parallel: int) -> None:
        self._ask = ask
        self._save = save
        self._parallel = parallel
        self._free = asyncio.Semaphore(parallel)
        self._answered = False

    async def over(self, images: Iterable[Path]) -> AsyncIterator[Seen]:
        """Each picture's outcome, in the order of the pictures.

        Raises ClientError when the error is not a picture's: all that follow would meet it, too.
        """
        tasks: deque[asyncio.Task[Seen]] = deque()
        try:
            for path in images:
                tasks.append(asyncio.create_task(self._one(path)))
                if len(tasks) >= self._parallel * _AHEAD:
                    yield await tasks.popleft()
            while tasks:
                yield await tasks.popleft()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, path: Path) -> Seen:
        async with self._free:
            try:
                result = await self._ask(path, await asyncio.to_thread(path.read_bytes))
            except OSError as error:
                return Seen(path=path, error=_reason(error))
            except ClientError as error:
                if _is_everybodys(error, answered=self._answered):
                    raise
                self._answered = self._answered or isinstance(error, ProblemError)
                return Seen(path=path, error=str(error))
            self._answered = True
            try:
                if self._save is not None:
                    await asyncio.to_thread(self._save, path, result)
            except OSError as error:
                return Seen(path=path, result=result, error=f"--save: {_reason(error)}")
            return Seen(path=path, result=result)


def _is_everybodys(error: ClientError, *, answered: bool) -> bool:
    if isinstance(error, ProblemError):
        return error.problem.status in _NOBODY
    return isinstance(error, UnreachableError) and not answered


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
