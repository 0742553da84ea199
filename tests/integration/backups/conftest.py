"""Sites with a database of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyrage
import pytest

from buckets import Buckets, buckets
from sites import Site, fill


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buckets]:
    """An S3 of the module's own."""
    with buckets(tmp_path_factory.mktemp("s3")) as each:
        yield each


@pytest.fixture
def key(tmp_path: Path) -> tuple[str, Path]:
    """A public key of age, and the file with its secret one."""
    identity = pyrage.x25519.Identity.generate()
    file = tmp_path / "identity"
    file.write_text(f"# of nobody\n{identity}\n")
    return str(identity.to_public()), file


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
