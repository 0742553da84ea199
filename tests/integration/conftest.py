"""What several files of tests begin with: stores, and certificates."""

from __future__ import annotations

import ssl

import pytest

from fakes.authority import Issued, server_context
from fakes.tls_server import CA, SERVER, Folder
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
