"""The world that a release acts through, built from an environment and the checkout around us."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli import exits
from sightline.cli.cluster import session
from sightline.cli.environment import checkout, environment, required_env_option
from sightline.cli.failure import Failure, missing

if TYPE_CHECKING:
    from sightline.colours.calls import PortForwards
    from sightline.environments import Environment
    from sightline.journal import Watch
    from sightline.releases.making import Releases
    from sightline.releases.world import World


def release_options(command: Callable[..., None]) -> Callable[..., None]:
    """Which environment, and how its cluster is reached."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout."),
        click.option("--helm", envvar="SIGHTLINE_HELM", default="helm", show_default=True,
                     help="The helm program (or SIGHTLINE_HELM)."),
        click.option("--kubeconfig", type=click.Path(exists=True, dir_okay=False),
                     help="Instead of the environment's."),
        click.option("--context", help="Instead of the environment's."),
        required_env_option,
    ):  # fmt: skip
        command = option(command)
    return command


class Desk:
    """Where somebody releases: the environment, its releases, and who types."""

    def __init__(
        self, env: Environment, releases: Releases, world: World, pods: PortForwards, root: Path
    ) -> None:
        self.environment = env
        self.releases = releases
        self.world = world
        self.pods = pods
        self.root = root


@contextlib.contextmanager
def desk(
    watch: Watch | None, *, env: str, kubeconfig: str | None, context: str | None, helm: str,
    watch_minutes: float | None = None, images: bool = False,
) -> Iterator[Desk]:  # fmt: skip
    """All of it; what goes wrong within is told as a sentence with its exit code.

    `images`: the registry is asked, too. A rollback does not wait for what that imports.
    """
    import msgspec  # noqa: PLC0415 - after --help

    found, root = environment(env), checkout()
    if watch_minutes is not None:
        watching = msgspec.structs.replace(found.watch, minutes=watch_minutes)
        found = msgspec.structs.replace(found, watch=watching)
    place = found.cluster
    key = None if found.key_file is None else root / found.key_file
    with _told(), session(
        namespace=place.namespace, context=context or place.context,
        kubeconfig=kubeconfig or place.kubeconfig, key_file=key,
        told=None if watch is None else watch.note,
    ) as there:  # fmt: skip
        world = world_of(found, root, there, helm=helm, kubeconfig=kubeconfig, context=context)
        if images and found.images.registry is not None:
            from sightline.releases.registry import ImageRegistry  # noqa: PLC0415

            world.registry = ImageRegistry(found.images, root=root)
        from sightline.releases.making import Releases  # noqa: PLC0415

        yield Desk(found, Releases(world), world, there.pods, root)


def world_of(
    env: Environment,
    root: Path,
    there: Any,
    *,
    helm: str,
    kubeconfig: str | None,
    context: str | None,
) -> World:
    """Through a session with its cluster."""
    from sightline.colours.ports import SystemClock  # noqa: PLC0415 - after --help
    from sightline.releases import maker  # noqa: PLC0415
    from sightline.releases.git import GitRepository  # noqa: PLC0415
    from sightline.releases.grafana import Grafana  # noqa: PLC0415
    from sightline.releases.helm import Helm  # noqa: PLC0415
    from sightline.releases.kubernetes import ClusterStore  # noqa: PLC0415
    from sightline.releases.metrics import PodMetrics, PrometheusBudget  # noqa: PLC0415
    from sightline.releases.world import World  # noqa: PLC0415

    clock, who = SystemClock(), maker.person()
    namespace = env.cluster.namespace
    store = ClusterStore(there.api, namespace=namespace)
    notes = env.grafana
    token = None if notes is None or notes.token_file is None else root / notes.token_file
    prometheus = env.watch.prometheus
    return World(
        environment=env,
        store=store,
        log=store,
        chart=Helm(env, root=root, program=helm, kubeconfig=kubeconfig, context=context),
        namespace=there.namespace,
        registry=None,
        budget=PodMetrics(there.pods, there.namespace)
        if prometheus is None
        else PrometheusBudget(prometheus, namespace, clock=clock.seconds),
        repository=GitRepository(root, env.git, who=who),
        notes=None if notes is None else Grafana(notes.url, token),
        clock=clock,
        who=who,
        holder=maker.holder(who),
        is_dead=maker.is_dead,
        user=there.user(),
        smoke=there.smoke,
    )


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        from sightline.releases import errors  # noqa: PLC0415 - after --help
    except ImportError as error:
        raise missing(error, "deploy") from error
    try:
        yield
    except (errors.LockedError, errors.LostError) as error:
        raise Failure(str(error), code=exits.CONFLICT) from error
    except errors.ReleasesError as error:
        raise Failure(str(error)) from error
    except KeyboardInterrupt:
        raise Failure(
            "interrupted: `sightline releases resume` goes on, `abort` or `rollback` goes back",
            code=exits.INTERRUPTED,
        ) from None
