"""docker buildx, through python-on-whales: one build into the folder of a layout."""

from __future__ import annotations

import contextlib
import re
import shutil
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sightline.images.errors import ToolError

if TYPE_CHECKING:
    from python_on_whales import DockerClient

_STAGE = re.compile(r"^#\d+ (\[.+)$")
LAST_LINES = 12


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be built."""

    root: Path
    dockerfile: Path
    arguments: Mapping[str, str]
    contexts: Mapping[str, str]
    platforms: tuple[str, ...]
    secrets: tuple[str, ...]
    network: str | None
    cache: Path | None
    fresh: bool


class Buildx:
    """A builder that can write OCI layouts."""

    def __init__(self, docker: DockerClient, builder: str | None, version: str) -> None:
        self._docker, self._builder = docker, builder
        self.version = version

    def build(self, order: Order, output: Path, note: Callable[[str], None]) -> None:
        """Raises ToolError with the last lines that it said."""
        from python_on_whales.exceptions import DockerException  # noqa: PLC0415 - takes long

        kept = order.cache
        # Without BuildKit's own provenance, which has times in it: then no build would be like
        # another. With time stamps rewritten, since layers have those of their files.
        lines = self._docker.buildx.build(
            order.root,
            file=order.dockerfile,
            builder=self._builder,
            build_args=dict(order.arguments),
            build_contexts=dict(order.contexts),
            output={
                "type": "oci", "tar": "false", "dest": str(output), "rewrite-timestamp": "true",
            },
            platforms=list(order.platforms) or None,
            provenance=False,
            sbom=False,
            secrets=list(order.secrets),
            network=order.network,
            allow=["network.host"] if order.network == "host" else [],
            cache=not order.fresh,
            cache_from={"type": "local", "src": str(kept)} if _filled(kept) else None,
            cache_to=None if kept is None else {"type": "local", "dest": str(kept), "mode": "max"},
            progress="plain",
            stream_logs=True,
        )  # fmt: skip
        last: deque[str] = deque(maxlen=LAST_LINES)
        told: set[str] = set()
        try:
            assert lines is not None
            for line in lines:  # type: ignore[union-attr]
                last.append(line.rstrip())
                if (stage := _STAGE.match(line)) and stage[1] not in told:
                    told.add(stage[1])
                    note(stage[1].rstrip())
        except DockerException as error:
            said = "\n".join(last)
            raise ToolError(f"docker buildx could not build {order.dockerfile}:\n{said}") from error


@contextlib.contextmanager
def opened(builder: str | None, buildkit: str | None) -> Iterator[Buildx]:
    """The builder that is named or in use; or one for a buildkitd, as long as it is needed."""
    try:
        from python_on_whales import DockerClient  # noqa: PLC0415 - an extra, and takes long
        from python_on_whales.exceptions import DockerException  # noqa: PLC0415
    except ImportError as error:
        raise ToolError(
            "python-on-whales is not installed: pip install 'sightline[deploy]'"
        ) from error
    if shutil.which("docker") is None:
        raise ToolError("docker is not installed: images are built with `docker buildx`")
    docker = DockerClient()
    ours: str | None = None
    try:
        version = docker.buildx.version()
        if buildkit is not None:
            ours = f"sightline-{uuid.uuid4().hex[:12]}"
            docker.buildx.create(buildkit, driver="remote", name=ours)
        elif docker.buildx.inspect(builder).driver == "docker":
            raise ToolError(
                "docker's own builder writes no OCI layout, and not the same bytes twice: type"
                " `docker buildx create --name sightline --driver docker-container`, then say"
                " --builder sightline"
            )
        yield Buildx(docker, ours or builder, " ".join(version.split()[:2]))
    except DockerException as error:
        said = " ".join((error.stderr or str(error)).split())
        raise ToolError(f"docker buildx: {said[-400:]}") from error
    finally:
        if ours is not None:
            with contextlib.suppress(DockerException):
                docker.buildx.remove(ours)


def _filled(cache: Path | None) -> bool:
    return cache is not None and (cache / "index.json").exists()
