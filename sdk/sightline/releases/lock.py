"""Holding the lock while a release is made: taken, renewed beside the work, given up."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import timedelta

from sightline.colours.errors import ColoursError, ConflictError
from sightline.colours.ports import Clock
from sightline.releases import lease
from sightline.releases.errors import LockedError, LostError
from sightline.releases.lease import Lease
from sightline.releases.ports import Store

BEAT_SECONDS = 15.0
_BEAT = timedelta(seconds=BEAT_SECONDS)


class Lock:
    """Ours alone, from `held` on; `check` raises once it is not."""

    def __init__(
        self, store: Store, *, holder: str, clock: Clock, beat: float | None = BEAT_SECONDS
    ) -> None:
        self.holder = holder
        self._store = store
        self._clock = clock
        self._beat = beat
        self._lease = Lease()
        self._lost: str | None = None
        self._over = threading.Event()
        self._guard = threading.RLock()

    @contextlib.contextmanager
    def held(self, reason: str, *, force: bool = False) -> Iterator[None]:
        """Take it, renew it meanwhile, give it up. Raises LockedError."""
        found = self._store.lease()
        wanted = lease.taken(
            found, holder=self.holder, reason=reason, now=self._clock.now(), force=force
        )
        try:
            self._lease = self._store.hold(wanted)
        except ConflictError as error:
            raise LockedError(f"somebody else took the lock at the same moment: {error}") from error
        renewing = self._started()
        try:
            yield
        finally:
            self._over.set()
            if renewing is not None:
                renewing.join()
            # Another's lock is not ours to give up; one that cannot be given up ends by itself.
            with contextlib.suppress(ColoursError):
                if self._lost is None:
                    self._store.hold(lease.freed(self._lease))

    def check(self) -> None:
        """Raises LostError where somebody else has it, or it could not be renewed in time."""
        with self._guard:
            renewed = self._lease.renewed
            if renewed is not None and self._clock.now() - renewed >= _BEAT:
                self.renew()
            until = self._lease.until
            if self._lost is None and until is not None and self._clock.now() >= until:
                self._lost = "the lock could not be renewed in time"
            if self._lost is not None:
                raise LostError(self._lost)

    def renew(self) -> None:
        """Say that we are alive. What goes wrong is told by `check`."""
        with self._guard:
            try:
                self._lease = self._store.hold(
                    lease.taken(
                        self._lease, holder=self.holder, reason=self._lease.reason or "",
                        now=self._clock.now(),
                    )
                )  # fmt: skip
            except ConflictError:
                self._lost = self._successor()
            except ColoursError:
                pass  # the next beat may be luckier; `check` knows when it is too late

    def _successor(self) -> str:
        try:
            found = self._store.lease()
        except ColoursError:
            return "somebody else has taken the lock"
        return (
            f"{found.holder or 'somebody else'} has taken the lock ({found.reason or 'no reason'})"
        )

    def _started(self) -> threading.Thread | None:
        if self._beat is None:
            return None
        thread = threading.Thread(target=self._renewing, args=(self._beat,), daemon=True)
        thread.start()
        return thread

    def _renewing(self, beat: float) -> None:
        while not self._over.wait(beat):
            self.renew()
