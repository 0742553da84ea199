"""A model's file as it is, for those who bring tensors and want tensors."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path

from detection.errors import ModelError
from detection.models.session import Provider, Session


class PlainSession:
    """Loaded when somebody asks for it first: most never do, and it takes a model's memory again.

    What is served has its pixels' way folded into the graph; here it is not.
    """

    def __init__(
        self, path: Path, *, sha256: str, threads: int, providers: Sequence[Provider]
    ) -> None:
        self._path = path
        self._sha256 = sha256
        self._threads = threads
        self._providers = providers
        self._lock = threading.Lock()
        self._session: Session | None = None

    def get(self) -> Session:
        """The session. Raises ModelError where the file is no longer the one that was checked."""
        with self._lock:
            if self._session is None:
                try:
                    data = self._path.read_bytes()
                except OSError as error:
                    raise ModelError(f"{self._path}: {error.strerror}") from error
                if hashlib.sha256(data).hexdigest() != self._sha256:
                    raise ModelError(f"{self._path}: it has changed since it was loaded: reload it")
                self._session = Session(data, threads=self._threads, providers=self._providers)
            return self._session
