"""Sites with a database of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sites import Site, fill


@pytest.fixture(params=["sqlite", "postgres"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    servers = request.getfixturevalue("postgres") if request.param == "postgres" else None
    return Site(request.param, tmp_path, servers)


@pytest.fixture
def filled(site: Site) -> Iterator[Site]:
    """With some frames in it, and its gateway running."""
    store = site.store()
    fill(store)
    site.live = store  # type: ignore[attr-defined]
    yield site
    store.close()
