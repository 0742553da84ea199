"""Both clients: what one does, the other must do as well."""

from __future__ import annotations

import pytest

from fakes.wire import Caller


@pytest.fixture(params=[False, True], ids=["Client", "AsyncClient"])
def ask(request: pytest.FixtureRequest) -> Caller:
    return Caller(asynchronous=request.param)
