"""Loading models anew in the background: on SIGHUP, and where a session is stuck or broken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from detection.errors import DetectionError, ModelError
from detection.models.store import Store
from telemetry import logs

AGAIN_SECONDS = 2.0
"""Between attempts to give a broken model a new session: until then nobody can be answered."""

log = logs.get("detection.mending")


class Mending:
    """One attempt at a time for each model."""

    def __init__(self, store: Store, *, again_seconds: float = AGAIN_SECONDS) -> None:
        self._store = store
        self._again_seconds = again_seconds
        self._names: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_broken: Callable[[str], bool] = lambda _: False
        """Whether a model still fails."""
        self.mended: Callable[[str], None] = lambda _: None
        """Told of each model that has a new session."""

    def mend(self, name: str) -> None:
        """Give a model a new session; where it is refused, try again for as long as it fails."""
        if name not in self._names:
            self._names.add(name)
            self._start(self._mend(name))

    def reload_all(self) -> None:
        """Serve what is in the folder now."""
        log.info("models reloading", signal="SIGHUP")
        self._start(self._reload_all())

    def close(self) -> None:
        """Drop what is not done."""
        for task in self._tasks:
            task.cancel()

    async def _mend(self, name: str) -> None:
        try:
            while True:
                if await self._reloaded(name) or not self.is_broken(name):
                    return
                await asyncio.sleep(self._again_seconds)
        finally:
            self._names.discard(name)

    async def _reloaded(self, name: str) -> bool:
        try:
            await self._store.reload(name)
        except ModelError:
            return False  # the store has logged why
        except DetectionError as error:
            log.warning("model not mended", model=name, reason=str(error))
            return False
        self.mended(name)
        return True

    async def _reload_all(self) -> None:
        before = dict(self._store.models)
        await self._store.reload_all()
        for name, model in self._store.models.items():
            if model is not before.get(name):
                self.mended(name)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
