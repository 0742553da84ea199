"""A fake cluster, and the namespace over it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from fakes.colours import FakeCluster, Time
from sightline.colours.account import Account
from sightline.colours.colour import Colour, Component
from sightline.colours.namespace import Namespace
from sightline.colours.plan import Haste
from sightline.colours.receipt import Receipt


class Desk:
    """Somebody at the command line."""

    def __init__(self, cluster: FakeCluster, who: str = "eva@desk") -> None:
        self.cluster, self.who = cluster, who
        self.told: list[str] = []
        self.namespace = Namespace(cluster, cluster, clock=cluster.time, tell=self.told.append)
        self.count = 0

    def switch(
        self,
        to: Colour | None = None,
        *,
        haste: Haste = "orderly",
        components: Sequence[Component] = (),
        wait: float = 120.0,
    ) -> Receipt | None:
        self.count += 1
        prepared = self.namespace.prepared(to, components, haste=haste)
        account = Account(self.cluster.time, id=f"{self.who}-{self.count}", who=self.who)
        return self.namespace.switch(prepared, account, wait=wait)

    def rollback(self, to: Colour | None = None) -> Receipt | None:
        return self.switch(to, haste="rollback")


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster(Time())


@pytest.fixture
def desk(cluster: FakeCluster) -> Desk:
    return Desk(cluster)
