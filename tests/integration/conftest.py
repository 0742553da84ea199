"""What several files of tests begin with: stores, and certificates."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.authority import Issued, server_context
from fakes.tls_server import CA, SERVER, Folder
from postgres_server import Postgres
from running import Taky, started
from stores import open_store, postgres, store

__all__ = ["open_store", "postgres", "store"]


@pytest.fixture
def folder(tmp_path):
    folder = Folder(tmp_path)
    folder.put(CA.issue("drone"))
    return folder


@pytest.fixture
def context(tmp_path):
    """A server's, that requires client certificates of the CA."""

    def make(issued: Issued = SERVER, **options) -> ssl.SSLContext:
        return server_context(tmp_path, issued, **{"clients": CA, **options})

    return make


@pytest.fixture
def taky(tmp_path: Path) -> Iterator[Taky]:
    """A TAK server."""
    with started(Taky(tmp_path)) as server:
        yield server


@pytest.fixture(scope="module")
def lone_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A server that the module has for itself."""
    with started(Postgres(tmp_path_factory.mktemp("server"))) as server:
        yield server
