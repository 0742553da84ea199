"""The cluster that a command acts on: its options, and what stands for it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sightline.cli import exits
from sightline.cli.environment import checkout, chosen, env_option
from sightline.cli.failure import Failure, missing
from sightline.cli.keys import key_of, key_option

if TYPE_CHECKING:
    from sightline.colours.apiserver import ApiServer
    from sightline.colours.calls import PortForwards
    from sightline.colours.colour import Colour
    from sightline.colours.finding import Finding
    from sightline.colours.namespace import Namespace, Smoke


NAMESPACE = "detection-system"


def cluster_options(command: Callable[..., None]) -> Callable[..., None]:
    """Where the cluster is, and with which key its pods are asked."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout."),
        key_option,
        click.option("--kubeconfig", type=click.Path(exists=True, dir_okay=False),
                     help="As kubectl's; by default KUBECONFIG or ~/.kube/config."),
        click.option("--context", help="Of the kubeconfig."),
        click.option("--namespace", "-n",
                     help="By default the environment's, or detection-system."),
        env_option,
    ):  # fmt: skip
        command = option(command)
    return command


class Session:
    """A namespace, whom its API server takes us for, and how a frame is sent through it."""

    def __init__(
        self,
        namespace: Namespace,
        user: Callable[[], str | None],
        smoke: Smoke,
        *,
        api: ApiServer,
        pods: PortForwards,
    ) -> None:
        self.namespace = namespace
        self.api = api
        self.pods = pods
        self.user = user
        self.smoke = smoke


@contextlib.contextmanager
def session(
    *,
    namespace: str | None,
    context: str | None,
    kubeconfig: str | None,
    key_file: Path | None,
    env: str | None = None,
    told: Callable[[str], None] | None = None,
) -> Iterator[Session]:
    """The namespace; what goes wrong there is told as a sentence with its exit code."""
    try:
        from sightline.colours.apiserver import ApiServer  # noqa: PLC0415 - after --help
        from sightline.colours.calls import PortForwards  # noqa: PLC0415
        from sightline.colours.kubernetes import KubernetesCluster  # noqa: PLC0415
    except ImportError as error:
        raise missing(error, "deploy") from error
    from sightline.colours import errors  # noqa: PLC0415
    from sightline.colours.namespace import Namespace  # noqa: PLC0415
    from sightline.colours.ports import SystemClock  # noqa: PLC0415

    if (found := chosen(env)) is not None:
        place = found.cluster
        namespace, context = namespace or place.namespace, context or place.context
        kubeconfig = kubeconfig or place.kubeconfig
        if key_file is None and found.key_file is not None:
            key_file = checkout() / found.key_file
    namespace = namespace or NAMESPACE
    try:
        api = ApiServer(context=context, kubeconfig=kubeconfig)
        cluster = KubernetesCluster(api, namespace=namespace)
        given = key_of(key_file)
        asked, user = None if given else cluster.key(), api.user()
        pods = PortForwards(
            api.configuration, namespace, lambda: given or asked.result()  # type: ignore[union-attr]
        )  # fmt: skip
        clock = SystemClock()

        def smoke(seen: Any, to: Colour) -> tuple[Finding, ...]:
            from sightline.colours.smoke import smoke as made  # noqa: PLC0415 - needs the simulator

            (told or tell)(f"send a simulated frame through {to}")
            try:
                return made(pods, seen, to, clock)
            except ImportError as error:
                raise missing(error, "simulator") from error

        try:
            namespaced = Namespace(cluster, pods, clock=clock, tell=told or tell)
            yield Session(namespaced, user.result, smoke, api=api, pods=pods)
        finally:
            pods.close()
            api.close()
    except errors.UnreachableError as error:
        raise Failure(str(error), code=exits.UNREACHABLE) from error
    except errors.ConflictError as error:
        raise Failure(str(error), code=exits.CONFLICT) from error
    except errors.ColoursError as error:
        raise Failure(str(error)) from error


def tell(sentence: str) -> None:
    """Progress, for people: on stderr."""
    click.echo(sentence, err=True)
