"""Build the programs that the end-to-end tests run and that no package registry has ready.

python tests/end_to_end/engine/build.py [NAME...]: what has changed since, into .cache/engine/bin.
Needs Go; each folder beside this file, and in tests/cluster, is a module that pins one program with
all it is made of.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
CLUSTER = HERE.parents[1] / "cluster"
CACHE = HERE.parents[2] / ".cache" / "engine"

PROGRAMS = {
    "actionlint": (HERE / "actionlint", "github.com/rhysd/actionlint/cmd/actionlint"),
    "buildkitd": (HERE / "buildkit", "github.com/moby/buildkit/cmd/buildkitd"),
    "buildctl": (HERE / "buildkit", "github.com/moby/buildkit/cmd/buildctl"),
    "docker-compose": (HERE / "compose", "github.com/docker/compose/v2/cmd"),
    "helm3": (HERE / "helm", "helm.sh/helm/v3/cmd/helm"),
    "loki": (HERE / "loki", "github.com/grafana/loki/v3/cmd/loki"),
    "otelcol": (HERE / "collector", "."),
    "cluster": (CLUSTER / "programs", "."),
    "cluster-pod": (CLUSTER / "pod", "."),
}
"""By the program's name: the module's folder, and the package in it."""

VERSIONS = {
    "docker-compose": "-X github.com/docker/compose/v2/internal.Version=v2.40.3",
    "cluster": " ".join(
        f"-X k8s.io/component-base/version.{name}={value}"
        for name, value in (("gitVersion", "v1.34.4"), ("gitMajor", "1"), ("gitMinor", "34"))
    ),
    "helm3": "-X helm.sh/helm/v3/internal/version.version=v3.22.0"
    " -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1"
    " -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=37"
    " -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1"
    " -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=37",
}
"""What a program must be told of its version, since others ask it."""


def state(module: Path) -> str:
    """Of what a program was built."""
    digest = hashlib.sha256()
    for path in sorted(module.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def build(name: str) -> None:
    """Build it, unless it is there already."""
    module, package = PROGRAMS[name]
    program, stamp = CACHE / "bin" / name, CACHE / f"{name}.built"
    built = state(module) + VERSIONS.get(name, "")
    if program.exists() and stamp.exists() and stamp.read_text() == built:
        return
    print(f"building {name} …", flush=True)
    began = time.monotonic()
    program.parent.mkdir(parents=True, exist_ok=True)
    flags = f"-s -w {VERSIONS.get(name, '')}".strip()
    subprocess.run(
        ["go", "build", "-mod=readonly", "-trimpath", f"-ldflags={flags}", "-o", program, package],
        cwd=module,
        env=dict(os.environ, CGO_ENABLED="0", GOFLAGS="-buildvcs=false", GOTOOLCHAIN="local"),
        check=True,
    )
    stamp.write_text(built)
    print(f"built {name} in {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    for each in sys.argv[1:] or PROGRAMS:
        build(each)
