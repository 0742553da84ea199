"""The port `Chart`, by the helm program (3 or 4)."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sightline.commands import CommandError, run
from sightline.environments import Environment
from sightline.releases.errors import ToolError
from sightline.releases.manifests import Document
from sightline.releases.ports import Base, Installed
from sightline.releases.values import Values, merged

SPARE_SECONDS = 60.0
PAUSES = (1.0, 3.0)
"""Seconds between tries."""
PASSING = (
    "EOF", "connection refused", "connection reset", "TLS handshake timeout", "i/o timeout",
    "context deadline exceeded while awaiting headers", "Too Many Requests", "etcdserver: ",
    "the server is currently unable", "an error on the server", "Internal error occurred",
)  # fmt: skip
"""In helm's words: the API server was away for a moment. A refusal reads otherwise."""
_INTERRUPTED = ("pending-upgrade", "pending-rollback")


class Helm:
    """One release of the chart, in one namespace."""

    def __init__(
        self, environment: Environment, *, root: Path, program: str = "helm",
        kubeconfig: str | None = None, context: str | None = None,
    ) -> None:  # fmt: skip
        self._chart = str(root / environment.chart.path)
        self._files = [root / each for each in environment.chart.values]
        self._release = environment.chart.release
        self._namespace = environment.cluster.namespace
        self._registry = environment.images.registry
        self._timeout = environment.chart.timeout_seconds
        self._program = program
        self._kubeconfig = kubeconfig or environment.cluster.kubeconfig
        self._context = context or environment.cluster.context
        self._base: Base | None = None

    def base(self) -> Base:
        """The chart with the environment's files laid over its values."""
        if self._base is not None:
            return self._base
        values = _map(self._run("show", "values", self._chart), "the chart's values")
        for file in self._files:
            try:
                text = file.read_bytes()
            except OSError as error:
                raise ToolError(f"{file} cannot be read: {error.strerror}") from error
            values = merged(values, _map(text, str(file)))
        values = merged(values, self._ours())
        about = _map(self._run("show", "chart", self._chart), "Chart.yaml")
        self._base = Base(values=values, chart=f"{about['name']}-{about['version']}")
        return self._base

    def installed(self) -> Installed | None:
        """What runs; None where helm knows of none."""
        told = self._known("get", "values", "--all", "--output", "json")
        manifest = self._known("get", "manifest")
        if told is None or manifest is None:
            return None
        values = msgspec.json.decode(told)
        return Installed(values=values or {}, documents=_documents(manifest))

    def rendered(self, values: Values) -> tuple[Document, ...]:
        """As the cluster would get it: what the chart looks up there is looked up."""
        with tempfile.TemporaryDirectory() as folder:
            made = self._run(
                "upgrade", self._release, self._chart, "--install", *self._place(),
                *self._values(values, Path(folder)),
                "--dry-run=server", "--hide-secret", "--output", "json",
            )  # fmt: skip
        try:
            manifest = msgspec.json.decode(made)["manifest"]
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise ToolError(f"helm's dry run cannot be read: {error}") from error
        return _documents(manifest.encode())

    def deploy(self, values: Values, *, install: bool) -> None:
        """Send it; hooks (the migration) are waited for, pods are not.

        helm gives up at the first answer that an API server on a bad day owes it. What was sent is
        the same when it is sent again, so it is.
        """
        for pause in (*PAUSES, None):
            if self._status() in _INTERRUPTED:
                self._go_on()
            try:
                self._upgrade(values, install=install)
            except ToolError as error:
                if pause is None or not any(each in str(error) for each in PASSING):
                    raise
                time.sleep(pause)
            else:
                return

    def _upgrade(self, values: Values, *, install: bool) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self._run(
                "upgrade", self._release, self._chart, *self._place(),
                *(("--install",) if install else ()),
                *self._values(values, Path(folder)), "--timeout", f"{self._timeout}s",
                seconds=self._timeout + SPARE_SECONDS,
            )  # fmt: skip

    def _go_on(self) -> None:
        """A helm that was killed has left its mark, and helm then refuses. Ours is the lock."""
        listed = self._run("history", self._release, *self._place(), "--output", "json")
        good = [each for each in msgspec.json.decode(listed)
                if each["status"] in ("deployed", "superseded")]  # fmt: skip
        if not good:
            raise ToolError(
                f"helm's release {self._release} was never finished: `helm uninstall"
                f" {self._release} -n {self._namespace}`, and begin anew"
            )
        newest = max(good, key=lambda each: each["revision"])
        self._run(
            "rollback", self._release, str(newest["revision"]), *self._place(),
            seconds=self._timeout + SPARE_SECONDS,
        )  # fmt: skip

    def _status(self) -> str | None:
        """Helm's own word for how the release stands; None where it knows of none."""
        told = self._known("status", "--output", "json")
        return None if told is None else str(msgspec.json.decode(told)["info"]["status"])

    def _known(self, *asked: str) -> bytes | None:
        """What helm says of the release; None where it knows of none."""
        try:
            return self._run(*asked, self._release, *self._place())
        except ToolError as error:
            if "release: not found" in str(error):
                return None
            raise

    def _ours(self) -> Values:
        return {} if self._registry is None else {"image": {"registry": self._registry}}

    def _values(self, values: Values, folder: Path) -> Iterable[str]:
        for file in self._files:
            yield from ("--values", str(file))
        ours = folder / "release.json"
        ours.write_bytes(msgspec.json.encode(merged(self._ours(), values)))
        yield from ("--values", str(ours))

    def _place(self) -> tuple[str, ...]:
        return ("--namespace", self._namespace)

    def _run(self, *arguments: str, seconds: float = 120.0) -> bytes:
        environ = {name: value for name, value in os.environ.items() if name.startswith("HELM_")}
        kubeconfig = self._kubeconfig or os.environ.get("KUBECONFIG")
        if kubeconfig:
            environ["KUBECONFIG"] = kubeconfig
        chosen = () if self._context is None else ("--kube-context", self._context)
        try:
            return run([self._program, *arguments, *chosen], environ=environ, seconds=seconds)
        except CommandError as error:
            raise ToolError(f"helm {arguments[0]}: {error}") from error


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _map(text: bytes, what: str) -> Values:
    try:
        found = _yaml().load(text)
    except YAMLError as error:
        raise ToolError(f"{what} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise ToolError(f"{what}: expected a map")
    return found


def _documents(text: bytes) -> tuple[Document, ...]:
    try:
        return tuple(each for each in _yaml().load_all(text) if each)
    except YAMLError as error:
        raise ToolError(f"a manifest is not YAML: {' '.join(str(error).split())}") from error
