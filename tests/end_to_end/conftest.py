"""One engine and one stack for all end-to-end tests: starting them takes longer than most tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import container_engine
from container_engine import Engine
from stack import Stack


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Both daemons, with nothing in them but what earlier runs built."""
    container_engine.needs()
    # A socket's path may be no longer than a hundred bytes.
    folder = Path(tmp_path_factory.mktemp("engine", numbered=True))
    with Engine(folder).running() as running:
        yield running


@pytest.fixture(scope="session")
def images(engine: Engine) -> Engine:
    """The same, with every image that compose.yaml needs."""
    engine.images()
    return engine


@pytest.fixture(scope="session")
def stack(images: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All of compose.yaml, drones included; `started` is how many seconds it took."""
    stack = Stack(images, tmp_path_factory.mktemp("stack"))
    try:
        stack.started = stack.up()
        yield stack
    finally:
        stack.down()
