"""May users be sent to a colour? An observation and the pods' own reports → findings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sightline.colours.colour import Colour, Component, other, service, workload
from sightline.colours.finding import Finding, failed, ok, warning
from sightline.colours.observation import Observation, Pod, Rollout
from sightline.colours.report import Report, Reports, Schema, Silent, undelivered


def examine(
    seen: Observation,
    reports: Reports,
    to: Colour,
    components: Sequence[Component],
    *,
    now: datetime,
    own: str | None = None,
) -> tuple[Finding, ...]:
    """Everything that is looked at before a switch to `to`; `own` is the intent that is ours."""
    found: list[Finding] = [under_way(seen, now=now, own=own)]
    for component in components:
        found += _workload(seen, component, to)
        found += _pods(seen, component, to)
        found.append(count(seen, component, to))
        found += _endpoints(seen, component, to)
        found += _answers(seen, reports, component, to)
    if "detection" in components:
        found += _models(seen, reports, to)
    found += _schema(seen, reports, to)
    found += _store(seen, reports, to)
    return tuple(found)


def under_way(seen: Observation, *, now: datetime, own: str | None = None) -> Finding:
    """No other switch."""
    check, intent = "no other switch", seen.record.intent
    if intent is None or intent.id == own:
        return ok(check, "no other switch is under way")
    what = f"the switch {intent.id} from {intent.from_} to {intent.to} by {intent.who}"
    if now < intent.until:
        return failed(
            check,
            f"{what} is under way since {intent.began:%H:%M:%S} UTC; if its maker died, it counts"
            f" as over at {intent.until:%H:%M:%S} UTC, and `sightline colours rollback` need not"
            " wait for that",
        )
    return warning(check, f"{what} was never finished; this one takes its place")


def wanted(seen: Observation, component: Component, to: Colour) -> int:
    """How many pods must be ready before users are sent there: as many as serve them now."""
    serving = len(seen.ready(component, other(to)))
    scaler = seen.autoscaler(component, to)
    if scaler is None:
        rollout = seen.rollout(component, to)
        return max(1, rollout.wanted if rollout is not None else 1)
    return max(1, min(serving, scaler.maximum))


def enough(seen: Observation, component: Component, to: Colour, least: int) -> bool:
    """So many are ready, and traffic for the colour reaches as many."""
    ready = set(seen.ready(component, to))
    return len(ready & set(seen.published(component, to))) >= least


def unready(seen: Observation, component: Component, to: Colour, least: int) -> str:
    """What there is where `enough` says no, with the pods' own reasons."""
    troubles = "; ".join(
        _trouble(each) for each in seen.pods_of(component, to) if each.trouble is not None
    )
    told = f"{workload(component, to)} has {len(seen.ready(component, to))} ready pods of {least}"
    return f"{told} ({troubles})" if troubles else told


def count(seen: Observation, component: Component, to: Colour) -> Finding:
    """As many ready pods as serve now."""
    check = f"{component} count"
    name, ready = workload(component, to), len(seen.ready(component, to))
    serving = len(seen.ready(component, other(to)))
    scaler = seen.autoscaler(component, to)
    limit = wanted(seen, component, to)
    has = f"{name} has {ready} ready pods, and {workload(component, other(to))} {serving}"
    if scaler is not None and scaler.maximum < serving:
        return failed(check, f"{has}: its autoscaler allows {scaler.maximum} at most")
    if ready >= limit:
        return ok(check, has)
    if scaler is None and ready == 0 and limit:
        return failed(check, f"{name} has no ready pod of {limit}")
    return warning(check, f"{has}: a switch raises its floor to {limit} and waits for them")


def _workload(seen: Observation, component: Component, to: Colour) -> Iterator[Finding]:
    check, name = f"{component} rollout", workload(component, to)
    rollout = seen.rollout(component, to)
    if rollout is None:
        yield failed(check, f"Deployment {name} does not exist: release a version into it first")
    elif rollout.wanted == 0:
        yield failed(check, f"Deployment {name} is scaled to 0: release a version into it first")
    else:
        yield _rolled_out(check, name, rollout)


def _rolled_out(check: str, name: str, rollout: Rollout) -> Finding:
    if rollout.observed < rollout.generation:
        return failed(
            check,
            f"Deployment {name}: generation {rollout.generation} was not looked at yet"
            f" (last: {rollout.observed})",
        )
    if rollout.updated < rollout.wanted:
        return failed(
            check,
            f"Deployment {name}: {rollout.updated} of {rollout.wanted} pods are of its newest"
            " version",
        )
    if rollout.unavailable:
        return failed(
            check, f"Deployment {name}: {rollout.unavailable} of {rollout.wanted} unavailable"
        )
    return ok(check, f"Deployment {name} is rolled out: {rollout.wanted} pods")


def _pods(seen: Observation, component: Component, to: Colour) -> Iterator[Finding]:
    check, pods = f"{component} pods", seen.pods_of(component, to)
    troubled = [each for each in pods if each.trouble is not None]
    yield from (failed(check, _trouble(each)) for each in troubled)
    if pods and not troubled:
        restarts = sum(each.restarts for each in pods)
        yield ok(check, f"none of {len(pods)} pods of {workload(component, to)} waits or crashes")
        if restarts:
            yield warning(
                check, f"pods of {workload(component, to)} were restarted {restarts} times"
            )
    kinds = {(each.image, each.version) for each in pods}
    check = f"{component} version"
    if len(kinds) > 1:
        mixed = ", ".join(sorted(f"{version} ({image})" for image, version in kinds))
        yield failed(check, f"pods of {workload(component, to)} run several versions: {mixed}")
    elif kinds:
        ((image, version),) = kinds
        yield ok(check, f"all pods of {workload(component, to)} run {version} ({image})")


def _trouble(pod: Pod) -> str:
    return f"pod {pod.name} ({pod.restarts} restarts): {pod.trouble}"


def _endpoints(seen: Observation, component: Component, to: Colour) -> Iterator[Finding]:
    check, ready = f"{component} endpoints", set(seen.ready(component, to))
    names = [service(component, to)]
    preview = seen.pointer(component, "preview")
    if preview is not None and preview.colour == to:
        names.append(preview.name)
    for name in names:
        published = set(seen.endpoints.get(name, ()))
        if not published:
            yield failed(check, f"Service {name} has no ready endpoint")
        elif ready - published:
            missing = ", ".join(sorted(ready - published))
            yield failed(check, f"Service {name} does not lead to {missing}, which is ready")
        else:
            yield ok(check, f"Service {name} leads to {len(published)} pods")
    active = seen.pointer(component, "active")
    if active is None:
        yield failed(check, f"Service {service(component, 'active')} does not exist")
    elif active.colour is None:
        yield failed(check, f"Service {active.name} selects no colour")


def _answers(
    seen: Observation, reports: Reports, component: Component, to: Colour
) -> Iterator[Finding]:
    check, pods = f"{component} drain call", seen.ready(component, to)
    silent = {pod: answer for pod in pods if isinstance(answer := _of(reports, pod), Silent)}
    yield from (failed(check, f"pod {pod}: {why.reason}") for pod, why in silent.items())
    if pods and not silent:
        yield ok(check, f"the drain call of {len(pods)} pods answers our key")


def _of(reports: Reports, pod: str) -> Report | Silent:
    return reports.get(pod) or Silent(reason="it was not asked")


def _models(seen: Observation, reports: Reports, to: Colour) -> Iterator[Finding]:
    check = "models"
    sets: dict[frozenset[tuple[str, str]], str] = {}
    for pod in seen.ready("detection", to):
        report = reports.get(pod)
        if not isinstance(report, Report):
            continue
        loaded = frozenset((each.name, each.sha256) for each in report.details.models or ())
        if loaded:
            sets.setdefault(loaded, pod)
        else:
            yield failed(check, f"pod {pod} serves no model")
    if len(sets) > 1:
        told = "; ".join(f"{pod}: {_named(models)}" for models, pod in sets.items())
        yield failed(check, f"pods of {workload('detection', to)} serve different models: {told}")
    elif sets:
        (models,) = sets
        yield ok(check, f"{workload('detection', to)} serves {_named(models)}")


def _named(models: frozenset[tuple[str, str]]) -> str:
    return ", ".join(f"{name} ({sha256[:12]})" for name, sha256 in sorted(models))


def _schemas(seen: Observation, reports: Reports, colour: Colour) -> dict[str, Schema]:
    return {
        pod: report.details.schema
        for pod in seen.ready("cop-gateway", colour)
        if isinstance(report := reports.get(pod), Report) and report.details.schema is not None
    }


def shared(seen: Observation, reports: Reports) -> bool:
    """Both colours use one database: as the gateways say, or else as their volumes look."""
    said = {
        report.details.shared_database
        for report in reports.values()
        if isinstance(report, Report) and report.details.shared_database is not None
    }
    return said == {True} if said else not seen.volumes_of_their_own()


def _schema(seen: Observation, reports: Reports, to: Colour) -> Iterator[Finding]:
    """With one database, the code of both colours must be able to work on it."""
    check = "schema"
    if not shared(seen, reports):
        yield ok(check, "each colour has a database of its own")
        return
    target, active = (_schemas(seen, reports, each) for each in (to, other(to)))
    bad = False
    oldest = max((each.oldest_code for each in (*target.values(), *active.values())), default=0)
    for pod, schema in {**target, **active}.items():
        if schema.code < oldest:
            bad = True
            yield failed(
                check,
                f"pod {pod} knows schema {schema.code}, and the database (schema"
                f" {schema.database}) needs code of {oldest} at least",
            )
    for pod, schema in target.items():
        if schema.database < schema.code:
            bad = True
            yield failed(
                check,
                f"the database has schema {schema.database}, and pod {pod} needs {schema.code}:"
                " the migration has not run",
            )
    if target and not bad:
        codes = sorted({each.code for each in (*target.values(), *active.values())})
        yield ok(check, f"code of schema {_listed(codes)} works on the database, from {oldest} on")
    elif not target and seen.ready("cop-gateway", to):
        yield failed(check, f"no pod of {workload('cop-gateway', to)} says which schema it knows")


def _listed(numbers: Sequence[int]) -> str:
    return " and ".join(str(each) for each in numbers)


def _store(seen: Observation, reports: Reports, to: Colour) -> Iterator[Finding]:
    check = "undelivered events"
    if shared(seen, reports):
        return
    for colour in (to, other(to)):
        left = undelivered(reports, (pod.name for pod in seen.pods_of("cop-gateway", colour)))
        name = workload("cop-gateway", colour)
        if colour == to:
            yield ok(check, f"{name} has {left} undelivered events from before, and goes on")
        elif left:
            yield warning(
                check,
                f"{name} has {left} undelivered events: after the switch it delivers them, and"
                " must not be scaled down until there are 0",
            )


def releasable(
    seen: Observation, reports: Reports, colour: Colour, *, now: datetime
) -> tuple[Finding, ...]:
    """What is looked at before a version is released into a colour, or it is scaled down."""
    found = [under_way(seen, now=now)]
    for component in seen.components:
        check, name = f"{component} idle", workload(component, colour)
        active = seen.pointer(component, "active")
        if active is not None and active.colour == colour:
            found.append(failed(check, f"{name} serves users: {active.name} leads to it"))
        else:
            found.append(ok(check, f"{name} serves no users"))
    gateways = [each.name for each in seen.pods_of("cop-gateway", colour)]
    check, name = "undelivered events", workload("cop-gateway", colour)
    if shared(seen, reports):
        found.append(ok(check, "both colours use one database: the active one delivers"))
        return tuple(found)
    found += [
        failed(check, f"pod {pod} does not tell how much is undelivered: {answer.reason}")
        for pod in gateways
        if isinstance(answer := _of(reports, pod), Silent)
    ]
    left = undelivered(reports, gateways)
    if left:
        found.append(failed(check, f"{name} has {left} undelivered events; 0 are allowed: wait"))
    elif gateways:
        found.append(ok(check, f"{name} has delivered everything"))
    else:
        claim = any(each.own_volume and each.colour == colour for each in seen.rollouts)
        found.append(
            warning(check, f"{name} has no pod: whether its volume holds events is not known")
            if claim
            else ok(check, f"{name} has no pod and no volume")
        )
    return tuple(found)
