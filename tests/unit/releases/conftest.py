"""A site with both colours, and desks of people who release."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from fakes.colours import FakeCluster, Time
from fakes.releases import ENVIRONMENT, Site
from sightline.environments import Approvals


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(Time())


@pytest.fixture
def site(cluster: FakeCluster) -> Site:
    return Site(cluster, ENVIRONMENT)


@pytest.fixture
def strict(cluster: FakeCluster) -> Callable[..., Site]:
    def made(required: int = 1, *approvers: str) -> Site:
        approvals = Approvals(required=required, approvers=approvers)
        return Site(cluster, msgspec.structs.replace(ENVIRONMENT, approvals=approvals))

    return made
