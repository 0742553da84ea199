"""Everything that a release acts through, and who makes it."""

from __future__ import annotations

from sightline.colours.namespace import Namespace, Smoke
from sightline.colours.ports import Clock, Prober
from sightline.environments import Environment
from sightline.releases.ports import Budget, Chart, Log, Notes, Registry, Repository, Store


class World:
    """All ports of a release, and who makes it."""

    def __init__(
        self,
        *,
        environment: Environment,
        store: Store,
        log: Log,
        chart: Chart,
        namespace: Namespace,
        registry: Registry | None,
        budget: Budget,
        repository: Repository | None,
        notes: Notes | None,
        clock: Clock,
        who: str,
        user: str | None,
        smoke: Smoke | None = None,
        prober: Prober | None = None,
        beat: float | None = 15.0,
    ) -> None:
        self.environment = environment
        self.store = store
        self.log = log
        self.chart = chart
        self.namespace = namespace
        self.registry = registry
        self.budget = budget
        self.repository = repository
        self.notes = notes
        self.clock = clock
        self.who = who
        self.user = user
        self.smoke = smoke
        self.prober = prober
        self.beat = beat
