"""Everything that is done with colours, over the two ports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from sightline.colours.account import Account
from sightline.colours.colour import COLOURS, Colour, Component, other, service
from sightline.colours.errors import RefusedError
from sightline.colours.finding import Finding, failures
from sightline.colours.observation import Observation
from sightline.colours.plan import Haste, Plan, plan, settled
from sightline.colours.ports import Clock, Cluster, Pods, Prober, Tell
from sightline.colours.preflight import enough, examine, releasable
from sightline.colours.receipt import Receipt
from sightline.colours.report import Reports
from sightline.colours.standing import Standing, standing
from sightline.colours.switching import Switch

Smoke = Callable[[Observation, Colour], tuple[Finding, ...]]


class Namespace:
    """Both colours of a release, in their namespace."""

    def __init__(self, cluster: Cluster, pods: Pods, *, clock: Clock, tell: Tell) -> None:
        self._cluster = cluster
        self._pods = pods
        self._clock = clock
        self._tell = tell

    def seen(self) -> Observation:
        """All that is to be known of it, now."""
        return self._cluster.observe()

    def status(self) -> Standing:
        """How both stand."""
        seen = self._cluster.observe()
        return standing(seen, self.reports(seen, COLOURS), now=self._clock.now())

    def preflight(
        self,
        to: Colour | None,
        components: Sequence[Component],
        *,
        smoke: Smoke | None = None,
        own: str | None = None,
    ) -> tuple[Colour, tuple[Finding, ...]]:
        """What is looked at before a switch to `to`, by default to the idle colour.

        `own` is a switch that is under way and no obstacle: the caller's, whose process died.
        """
        seen = self._cluster.observe()
        to = to or other(self.active(seen))
        found = self._examined(
            seen, self.reports(seen, COLOURS), to, self._chosen(seen, components), own
        )
        if smoke is not None and not failures(found):
            found += smoke(seen, to)
        return to, found

    def releasable(self, colour: Colour) -> tuple[Finding, ...]:
        """What is looked at before a version is released into `colour`."""
        seen = self._cluster.observe()
        return releasable(seen, self.reports(seen, (colour,)), colour, now=self._clock.now())

    def prepared(
        self,
        to: Colour | None,
        components: Sequence[Component],
        *,
        haste: Haste,
        smoke: Smoke | None = None,
        checked: bool = True,
        own: str | None = None,
    ) -> Prepared:
        """A switch that may be made. Raises RefusedError.

        `own` is as of `preflight`. Without `checked` its findings are there all the same, and
        refuse nothing: a dry run.
        """
        seen = self._cluster.observe()
        chosen = self._chosen(seen, components)
        reports: Reports = {}
        found: tuple[Finding, ...] = ()
        if haste == "rollback":
            to = to or self._back(seen, chosen)
        else:
            to = to or other(self.active(seen))
            reports = self.reports(seen, COLOURS)
        if settled(seen, reports, to, chosen):
            return Prepared(plan=None, to=to, seen=seen, reports=reports, findings=())
        if haste == "orderly":
            found = self._examined(seen, reports, to, chosen, own)
            if checked and not failures(found) and smoke is not None:
                found += smoke(seen, to)
            if checked and failures(found):
                raise RefusedError(
                    f"nothing is changed: {len(failures(found))} findings against {to}", found
                )
        made = plan(seen, reports, to, chosen, haste=haste)
        return Prepared(plan=made, to=to, seen=seen, reports=reports, findings=found)

    def switch(
        self, prepared: Prepared, account: Account, *, wait: float, prober: Prober | None = None
    ) -> Receipt | None:
        """Make it; None where there was nothing to do."""
        if prepared.plan is None:
            return None
        switch = Switch(
            self._cluster, self._pods, account,
            wait=wait, clock=self._clock, tell=self._tell, prober=prober,
        )  # fmt: skip
        return switch.run(prepared.plan, prepared.seen, prepared.reports, prepared.findings)

    def reports(self, seen: Observation, colours: Iterable[Colour]) -> Reports:
        """What all pods that run say of themselves."""
        wanted = [(component, colour) for component in seen.components for colour in colours]
        names = [[each.name for each in seen.pods_of(*place) if each.ready] for place in wanted]
        with ThreadPoolExecutor(max(1, len(wanted))) as threads:
            found = threads.map(
                lambda place, pods: self._pods.ask("look", place[0], pods), wanted, names
            )
            return {pod: each for reports in found for pod, each in reports.items()}

    def active(self, seen: Observation) -> Colour:
        """The one colour that users are led to. Raises RefusedError where there is not one."""
        found = {each: seen.active(each) for each in seen.components}
        colours = set(found.values())
        if len(colours) == 1 and (colour := colours.pop()) is not None:
            return colour
        told = ", ".join(
            f"{service(each, 'active')} leads to {colour or 'none'}"
            for each, colour in found.items()
        )
        raise RefusedError(f"say where to with --to: {told or 'no Service is there'}")

    def _examined(
        self,
        seen: Observation,
        reports: Reports,
        to: Colour,
        chosen: Sequence[Component],
        own: str | None,
    ) -> tuple[Finding, ...]:
        return examine(seen, reports, to, chosen, now=self._clock.now(), own=own)

    def _chosen(self, seen: Observation, components: Sequence[Component]) -> tuple[Component, ...]:
        missing = [each for each in components if each not in seen.components]
        if missing:
            raise RefusedError(f"nothing of {', '.join(missing)} is in namespace {seen.namespace}")
        return tuple(each for each in seen.components if not components or each in components)

    def _back(self, seen: Observation, chosen: Sequence[Component]) -> Colour:
        """Where a rollback without --to leads."""
        if seen.record.intent is not None:
            return seen.record.intent.from_
        to = other(self.active(seen))
        cold = not all(enough(seen, each, to, 1) for each in chosen)
        if seen.record.previous is None and cold:
            raise RefusedError(
                f"no switch is on record, and {to} has no ready pods: there is nothing to go back"
                f" to. `sightline colours rollback --to {to}` brings it up"
            )
        return to


class Prepared:
    """What is to be done, and what it is based on."""

    def __init__(
        self,
        *,
        plan: Plan | None,
        to: Colour,
        seen: Observation,
        reports: Reports,
        findings: tuple[Finding, ...],
    ) -> None:
        self.plan = plan
        """None: users are led there already."""
        self.to = to
        self.seen = seen
        self.reports = reports
        self.findings = findings
