"""Sightline on a cluster, installed by the chart as a site would, with a TAK server beside it."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cluster_images import FIRST
from engine import ROOT
from kubernetes_cluster import Cluster
from running import SENSOR, TakClient, wait_for
from sightline.messages import encode
from sightline.simulator import Scenario, Simulator

CHART = ROOT / "deploy/helm/sightline"
MANIFESTS = ROOT / "tests/end_to_end/kubernetes"
NAMESPACE = "detection-system"
COMPONENTS = {"detection": 8000, "cop-gateway": 8001}


class Sightline:
    """One release of the chart in one namespace."""

    def __init__(self, cluster: Cluster, folder: Path, *, namespace: str = NAMESPACE) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.folder = folder / namespace
        self.folder.mkdir(parents=True)
        self.secrets = self.folder / "secrets"
        self.values: dict[str, Any] = {}
        self.key_file = self.secrets / "deployer-key"

    # What a platform engineer types.

    def kubectl(self, *arguments: str, given: str | None = None, check: bool = True) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments, input=given, check=check)

    def get(self, kind: str, name: str = "", *, labels: str = "") -> Any:
        """As the API server has it."""
        named = [name] if name else ["-l", labels] if labels else []
        return json.loads(self.kubectl("get", kind, *named, "-o", "json"))

    def prepare(self, *, database: str = "embedded") -> None:
        """The namespace, with Pod Security enforced; secrets; and the TAK server."""
        made = subprocess.run(
            [
                sys.executable, str(ROOT / "deploy/helm/entrust.py"),
                "--folder", str(self.secrets), "--namespace", self.namespace,
                "--database", database,
            ],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        self.cluster.kubectl("apply", "--server-side", "-f", "-", input=made.stdout)
        text = (MANIFESTS / "tak.yaml").read_text().replace("REGISTRY", self.cluster.registry)
        self.cluster.kubectl("apply", "-f", "-", input=text)
        self.cluster.kubectl("-n", "tak", "rollout", "status", "deployment/tak", "--timeout=120s")

    def helm(
        self, verb: str, *arguments: str, chart: Path = CHART, version: int = 4, check: bool = True
    ) -> str:
        """`helm install` or `upgrade` with the values as they are now."""
        values = self.folder / "values.yaml"
        values.write_text(yaml.safe_dump(self.values))
        return self.cluster.helm(
            verb, "sightline", str(chart), "-n", self.namespace,
            "-f", str(MANIFESTS / "values.yaml"), "-f", str(values), *arguments,
            version=version, check=check,
        )  # fmt: skip

    def install(self, values: Mapping[str, Any] | None = None) -> None:
        """From nothing; returns once all of it is ready."""
        self.values = merged(
            {
                "image": {"registry": self.cluster.registry},
                "colours": {
                    colour: {
                        service: {"image": {"tag": FIRST}} for service in ("detection", "gateway")
                    }
                    for colour in ("blue", "green")
                },
            },
            values or {},
        )
        self.helm("install", "--wait", "--timeout", "240s")

    def helm_test(self) -> str:
        """`helm test`: what it says."""
        return self.cluster.helm("test", "sightline", "-n", self.namespace, "--timeout", "120s")

    def release(
        self, colour: str, overlay: Mapping[str, Any], *, wait: bool = True, migrate: bool = True
    ) -> None:
        """Put something new into one colour."""
        self.values = merged(
            self.values, {"colours": {colour: overlay}, "migration": {"enabled": migrate}}
        )
        self.helm("upgrade", *(("--wait",) if wait else ()), "--timeout", "240s")

    def colours(self, *arguments: str, kubeconfig: Path | None = None, check: bool = True) -> Ran:
        """`sightline colours …`, in a process of its own, as from a shell."""
        began = time.monotonic()
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("sightline")), "colours", *arguments,
                "--namespace", self.namespace,
                "--kubeconfig", str(kubeconfig or self.cluster.kubeconfig), "--json",
            ],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        seconds = time.monotonic() - began
        assert not check or done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        document = json.loads(done.stdout) if done.stdout.strip() else {}
        return Ran(code=done.returncode, said=document, told=done.stderr, seconds=seconds)

    def active(self, component: str = "detection") -> str:
        """The colour that serves."""
        return str(self.get("service", f"{component}-active")["spec"]["selector"]["colour"])

    def pods(self, component: str, colour: str) -> list[dict[str, Any]]:
        """Those that are not on their way out."""
        chosen = f"app.kubernetes.io/component={component},colour={colour}"
        items = self.get("pods", labels=chosen)["items"]
        return [each for each in items if "deletionTimestamp" not in each["metadata"]]

    # What its users do.

    def key(self, holder: str) -> str:
        return (self.secrets / f"{holder}-key").read_text()

    @contextlib.contextmanager
    def tak(self, *, node: int = 1) -> Iterator[TakClient]:
        """An independent client of the TAK server in the cluster."""
        with self.cluster.door(self.address("tak", namespace="tak"), 8087, node) as port:
            # A door opens for whoever knocks, even where nobody is behind it yet.
            client = wait_for(lambda: self._listener(port), what="the TAK server to take a client")
            try:
                yield client
            finally:
                client.close()

    @staticmethod
    def _listener(port: int) -> TakClient | None:
        client = TakClient(port)
        time.sleep(0.3)
        if client.listens:
            return client
        client.close()
        return None

    def address(self, service: str, *, namespace: str | None = None) -> str:
        """A Service's cluster IP."""
        path = "jsonpath={.spec.clusterIP}"
        place = namespace or self.namespace
        return self.cluster.kubectl("-n", place, "get", "service", service, "-o", path)

    @contextlib.contextmanager
    def traffic(
        self,
        run: str,
        *,
        rate: float = 5.0,
        clients: int = 2,
        node: int = 1,
        program: str = "traffic.py",
        **plan: Any,
    ) -> Iterator[Traffic]:
        """Clients of both -active Services, from one of the nodes, from here to there.

        `plan` has more of traffic.Plan's fields.
        """
        # A frame that was committed before is the same frame: no two runs share a camera.
        run = f"{run}-{secrets.token_hex(2)}"
        (scene,) = Simulator(Scenario.default(seed=1, cameras=1)).frames(rate_hz=1, count=1)
        plan |= {
            "detection": f"http://{self.address('detection-active')}:8000",
            "gateway": f"http://{self.address('cop-gateway-active')}:8001",
            "detection_key": self.key("deployer"),
            "gateway_key": self.key("deployer"),
            "sensor": SENSOR,
            "image": base64.b64encode(scene.jpeg).decode(),
            "frame": json.loads(encode(scene.frame)),
            "rate": rate,
            "clients": clients,
            "run": run,
        }
        file = self.folder / f"traffic-{run}.json"
        file.write_text(json.dumps(plan))
        command = self.cluster.node_command(
            [sys.executable, str(ROOT / "tests" / program), str(file)], node
        )
        output = self.folder / f"traffic-{run}.out"
        with output.open("wb") as out, (self.folder / f"traffic-{run}.err").open("wb") as err:
            process = subprocess.Popen(command, stdout=out, stderr=err)
        going = Traffic(process=process, output=output)
        try:
            yield going
        finally:
            going.stop()


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a command did."""

    code: int
    said: dict[str, Any]
    told: str
    seconds: float


@dataclass
class Traffic:
    """Clients at work; what they saw is known once they have stopped."""

    process: subprocess.Popen[bytes]
    output: Path
    requests: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    acknowledged: list[tuple[str, str, int]] = field(default_factory=list)
    colours: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    answers: dict[str, list[float]] = field(default_factory=dict)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        text = self.output.read_text()
        assert text, self.output.with_suffix(".err").read_text()
        for name, value in json.loads(text).items():
            setattr(self, name, value)

    def expected(self) -> set[tuple[str, str, int]]:
        """Every sighting that was acknowledged: camera, frame, detection."""
        return {
            (camera, frame, index)
            for camera, frame, placed in self.acknowledged
            for index in range(placed)
        }

    def arrived(self, client: TakClient, *, seconds: float = 60.0) -> None:
        """All that was acknowledged came out at the TAK server."""
        missing = self.missing(client, seconds=seconds)
        assert not missing, f"{len(missing)} of {len(self.expected())} lost, such as {min(missing)}"

    def missing(self, client: TakClient, *, seconds: float = 60.0) -> set[tuple[str, str, int]]:
        """What was acknowledged and did not come out at the TAK server in this time."""
        expected = self.expected()
        assert expected
        missing: set[tuple[str, str, int]] = expected

        def all_there() -> bool:
            nonlocal missing
            missing = expected - set(client.sightings())
            return not missing

        with contextlib.suppress(AssertionError):
            wait_for(all_there, seconds=seconds, what="all sightings")
        return missing

    def gaps(self, among: str = "") -> dict[str, float]:
        """By client: the longest time without an answer."""
        return {
            name: max(after - before for before, after in itertools.pairwise(times))
            for name, times in self.answers.items()
            if among in name and len(times) > 1
        }

    def first_answers(
        self, component: str, colour: str, *, since: float, until: float
    ) -> list[float]:
        """Seconds from `since` to the first answer by this colour of each that connects anew."""
        found = []
        for name, seen in self.colours.items():
            if f"look-{component}-fresh" in name:
                times = [at for at, which in seen if which == colour and since <= at <= until]
                found += [times[0] - since] if times else []
        return found


def merged(into: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """One over the other, maps within maps as well, as Helm lays values."""
    both = dict(into)
    for name, value in overlay.items():
        old = both.get(name)
        nested = isinstance(old, Mapping) and isinstance(value, Mapping)
        both[name] = merged(old, value) if nested else value  # type: ignore[arg-type]
    return both
