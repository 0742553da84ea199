"""The calls about models: which there are, and a new version of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from detection.models.store import Store
from serving.answers import json_answer
from sightline.messages import ModelList


@dataclass(frozen=True, kw_only=True)
class ModelDuty:
    """What a switch of colours must know: the models. There is nothing to be left to others."""

    store: Store

    async def change(self, *, draining: bool) -> None:
        """Requests are all that this service has."""

    async def details(self) -> Mapping[str, Any]:
        """Which models are loaded, and what they are made of."""
        models = self.store.models.values()
        return {"models": [{"name": each.info.name, "sha256": each.info.sha256} for each in models]}


@dataclass(frozen=True, kw_only=True)
class Models:
    """Over the models that are served."""

    store: Store
    mended: Callable[[str], None]
    """Told of each model that was loaded anew."""

    def routes(self) -> list[Route]:
        """Where each call is found."""
        return [
            Route("/v1/models", self.list, methods=["GET"]),
            Route("/v1/models/{name}/reload", self.reload, methods=["POST"]),
        ]

    async def list(self, _request: Request) -> Response:
        """Tell every loaded model, the default one first."""
        return json_answer(
            ModelList(models=tuple(model.info for model in self.store.models.values()))
        )

    async def reload(self, request: Request) -> Response:
        """Load a model's file anew; the answer comes once the new one serves, or was refused."""
        name = request.path_params["name"]
        model = await self.store.reload(name)
        self.mended(name)
        return json_answer(model.info)
