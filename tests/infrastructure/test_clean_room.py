"""Each image's extra alone is enough: an environment with nothing else, and only its own sources.

What an image lacks would otherwise be noticed when it starts, in production.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = {"detection": "detection", "cop-gateway": "cop_gateway"}
"""The service that each extra is for."""
REQUIRE_ALL = "SIGHTLINE_REQUIRE_ALL"

UNREACHABLE = (
    "Failed to establish a new connection",
    "Temporary failure in name resolution",
    "Name or service not known",
    "Connection refused",
    "Network is unreachable",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "Could not fetch URL",
)

IMPORT_ALL = """
import importlib, pkgutil, sys
def failed(name):
    raise
names = list(sys.argv[1:])
for package in sys.argv[1:]:
    found = importlib.import_module(package)
    names += [each.name for each in pkgutil.walk_packages(
        getattr(found, "__path__", ()), f"{package}.", onerror=failed)]
for name in names:
    importlib.import_module(name)
print(*names, sep="\\n")
"""


def run(*command: str | Path, env: dict[str, str], cwd: Path, seconds: float = 120.0):
    return subprocess.run(
        [str(part) for part in command],
        env=env, cwd=cwd, capture_output=True, text=True, timeout=seconds, check=False,
    )  # fmt: skip


def install(extra: str, environment: Path) -> Path:
    """A new environment with what the extra pins; its Python."""
    made = run(sys.executable, "-m", "venv", environment, env=dict(os.environ), cwd=ROOT)
    assert made.returncode == 0, made.stderr
    python = environment / "bin" / "python"
    pip = run(
        *(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--retries", "1", "--require-hashes", "-r", ROOT / "requirements" / f"{extra}.txt"),
        env=dict(os.environ), cwd=ROOT, seconds=270.0,
    )  # fmt: skip
    if pip.returncode != 0:
        said = pip.stdout + pip.stderr
        if any(sign in said for sign in UNREACHABLE) and not os.environ.get(REQUIRE_ALL):
            pytest.skip(f"pip reaches no package index; {REQUIRE_ALL}=1 makes this a failure")
        pytest.fail(f"requirements/{extra}.txt cannot be installed:\n{said}")
    return python


def sources(service: str, folder: Path) -> list[str]:
    """Copy what the image holds: the service, what both share, and the wire contract."""
    others = set(SERVICES.values()) - {service}
    packages = [
        path.parent.name
        for path in sorted((ROOT / "services").glob("*/__init__.py"))
        if path.parent.name not in others
    ]
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    for package in packages:
        shutil.copytree(ROOT / "services" / package, folder / package, ignore=ignored)
    (folder / "sightline").mkdir()
    shutil.copy(ROOT / "sdk/sightline/__init__.py", folder / "sightline")
    shutil.copytree(ROOT / "sdk/sightline/messages", folder / "sightline/messages", ignore=ignored)
    modules = [*packages, "sightline.messages"]
    if service == "detection":
        shutil.copy(ROOT / "sdk/sightline/sockets.py", folder / "sightline")
        modules.append("sightline.sockets")
    else:
        shutil.copytree(ROOT / "sdk/sightline/tak", folder / "sightline/tak", ignore=ignored)
        modules.append("sightline.tak")
    return modules


@pytest.mark.slow
@pytest.mark.parametrize("extra", SERVICES)
def test_a_service_runs_with_only_its_own_extra_and_its_own_sources(tmp_path, extra):
    service = SERVICES[extra]
    python = install(extra, tmp_path / "environment")
    folder = tmp_path / "sources"
    folder.mkdir()
    packages = sources(service, folder)
    # Nothing of this environment but the path of the sources gets in.
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}

    imported = run(python, "-c", IMPORT_ALL, *packages, env=env, cwd=tmp_path)
    assert imported.returncode == 0, imported.stderr
    modules = set(imported.stdout.split())
    wanted = {
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        for path in folder.rglob("*.py")
    } - {"sightline"}
    assert wanted <= modules

    told = run(python, "-m", service, "--help", env=env, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    for option in ("--config", "--host", "--port"):
        assert option in told.stdout
    # And without settings it says what is missing, in one line.
    refused = run(python, "-m", service, env=env, cwd=tmp_path)
    assert refused.returncode == 2
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "is missing" in refused.stderr
