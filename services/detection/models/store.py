"""The models that are served: loaded at the start, and exchanged while requests go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from detection.errors import ModelError, ModelNotFoundError
from detection.models import manifest
from detection.models.loading import load
from detection.models.manifest import Catalogue
from detection.models.model import Model, Options
from telemetry import logs

log = logs.get("detection.models")


class Store:
    """A request takes its model once and keeps it: whoever began with the old one ends with it."""

    def __init__(
        self,
        path: Path,
        options: Options,
        *,
        default: str | None = None,
    ) -> None:
        """Load everything; raises ModelError."""
        self._path = path
        self._options = options
        self._default = default
        self.counted: Callable[[str], None] = lambda _: None
        """Gets the outcome of each reload."""
        self._reloading = asyncio.Lock()
        self._refusals: set[str | None] = set()
        catalogue = manifest.read(path)
        self._models = self._ordered(
            {name: load(listed, options) for name, listed in catalogue.models.items()}, catalogue
        )

    @property
    def models(self) -> Mapping[str, Model]:
        """By name, the default one first."""
        return self._models

    def find(self, name: str | None) -> Model | None:
        """The model of this name, where it is loaded; without one, the default one."""
        return next(iter(self._models.values())) if name is None else self._models.get(name)

    async def reload(self, name: str) -> Model:
        """Load one model anew; the one that is served stays where the new one is refused.

        Raises ModelError, or ModelNotFoundError for one that is not listed.
        """
        async with self._reloading:
            try:
                catalogue = await asyncio.to_thread(manifest.read, self._path)
            except ModelError as error:
                self._refused(None, error)
                raise
            self._refusals &= catalogue.models.keys()
            listed = catalogue.models.get(name)
            if listed is None:
                known = ", ".join(catalogue.models)
                raise ModelNotFoundError(
                    f"model {name[:64]!r} is not in the folder (known: {known})"
                )
            try:
                model = await asyncio.to_thread(load, listed, self._options)
                self._models = self._ordered({**self._models, name: model}, catalogue)
            except ModelError as error:
                self._refused(name, error)
                raise
            self._taken(name)
            return model

    async def reload_all(self) -> None:
        """As the folder is now: new models come, and those that are gone go.

        Of a model that is refused, the one that is served stays.
        """
        async with self._reloading:
            try:
                catalogue = await asyncio.to_thread(manifest.read, self._path)
            except ModelError as error:
                self._refused(None, error)
                return
            # What is gone from the folder is refused no longer, and neither is the folder.
            self._refusals &= catalogue.models.keys()
            models: dict[str, Model] = {}
            for name, listed in catalogue.models.items():
                try:
                    models[name] = await asyncio.to_thread(load, listed, self._options)
                    self._taken(name)
                except ModelError as error:
                    self._refused(name, error)
                    if name in self._models:
                        models[name] = self._models[name]
            if not models:
                log.error("models not reloaded, the earlier ones stay", reason="all are refused")
                return
            try:
                ordered = self._ordered(models, catalogue)
            except ModelError as error:
                # Without the default one, requests that name none would be answered by another.
                self._refused(None, error)
                return
            for name in self._models.keys() - ordered.keys():
                log.info("model unloaded", model=name)
            self._models = ordered

    @property
    def refused(self) -> int:
        """How many models, the folder's own list included, are not as they were last read."""
        return len(self._refusals)

    def _taken(self, name: str) -> None:
        self.counted("loaded")
        self._refusals.discard(name)

    def _refused(self, name: str | None, error: ModelError) -> None:
        self.counted("refused")
        self._refusals.add(name)
        if name is None:
            log.error("models not reloaded, the earlier ones stay", reason=str(error))
        elif name in self._models:
            log.error("model not reloaded, the earlier one stays", model=name, reason=str(error))
        else:
            log.error("model not loaded", model=name, reason=str(error))

    def _ordered(self, models: dict[str, Model], catalogue: Catalogue) -> dict[str, Model]:
        """The default one first."""
        default = self._default or catalogue.default
        if default is None:
            return models
        if default not in models:
            known = ", ".join(models)
            raise ModelError(f"default_model: {default!r} is not loaded (known: {known})")
        return {default: models[default], **models}
