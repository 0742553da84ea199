"""Keys, a registry, and images for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from fakes.registry import Registry
from sightline.cli.main import cli
from sightline.images import keys
from sightline.images.keys import PrivateKey


@pytest.fixture(scope="session")
def key() -> PrivateKey:
    return keys.generated()


@pytest.fixture(scope="session")
def other_key() -> PrivateKey:
    return keys.generated()


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as running:
        yield running


@pytest.fixture
def sightline() -> Callable[..., Any]:
    """The command line, within this process: its result, stdout and stderr."""

    def run(*arguments: object) -> Any:
        return CliRunner().invoke(cli, [str(each) for each in arguments])

    return run
