"""Fill an image's environment: python fill.py EXTRA [PROGRAM...], in a Dockerfile's build stage.

Installs what requirements/EXTRA.txt pins, checked by hash, and then this checkout without its
dependencies: the packages that the Dockerfile has copied, no others; nothing of it where there is
no pyproject.toml. Of all console scripts only ours and each PROGRAM stay. Nothing of how it was
built is left in the environment, and the same inputs give the same bytes.

Build secrets, where they are given: `ca` is a file of certificates to trust, `proxy` a file of
lines such as HTTPS_PROXY=http://proxy:3128 or PIP_INDEX_URL=https://mirror/simple. They are read
here, and are in no layer. Wheels in /wheelhouse are used alone, without any index.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

SOURCE = Path("/source")
ENVIRONMENT = Path("/opt/sightline")
STATE = Path("/opt/state")
BUILDER = Path("/opt/builder")
SECRETS = Path("/run/secrets")
WHEELHOUSE = Path("/wheelhouse")

NEEDLESS = (
    # What exports models and converts them.
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    # ONNX Runtime once more, for programs in C; Python's module has its own in it.
    "onnxruntime/capi/libonnxruntime.so.*",
    "numpy/distutils",
    "numpy/f2py",
    "numpy/*/tests",
    "cv2/**/*.pyi",
    "numpy/**/*.pyi",
)
"""Of what is installed, by far the largest parts that no service imports."""

SOURCES = ("taky",)
"""Published without a wheel; pure Python, and in the TAK server of `make dev` only."""

VARIABLES = frozenset(
    {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"}
)


def outside() -> dict[str, str]:
    """How packages are reached from here."""
    environ = dict(os.environ, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_CACHE_DIR="1")
    ca, proxy = SECRETS / "ca", SECRETS / "proxy"
    if ca.exists() and ca.stat().st_size:
        environ |= {"PIP_CERT": str(ca), "SSL_CERT_FILE": str(ca)}
    for line in proxy.read_text(encoding="utf-8").splitlines() if proxy.exists() else ():
        if not line.strip() or line.startswith("#"):
            continue
        name, sign, value = line.partition("=")
        if not sign or name.strip().upper() not in VARIABLES:
            known = ", ".join(sorted(VARIABLES))
            sys.exit(f"secret proxy: a line is not NAME=VALUE with a NAME of {known}")
        environ[name.strip()] = value.strip()
    return environ


def run(*command: str | Path, environ: dict[str, str]) -> None:
    """Run it, or end with its exit code."""
    done = subprocess.run([str(part) for part in command], env=environ, cwd=SOURCE, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def install(python: Path, *what: str | Path, environ: dict[str, str]) -> None:
    """Put wheels into an environment, with the builder's pip."""
    found = WHEELHOUSE.is_dir() and any(WHEELHOUSE.glob("*.whl"))
    run(
        BUILDER / "bin/python", "-m", "pip", "--python", python, "install", "--quiet",
        "--no-compile", "--only-binary", ":all:", "--no-binary", ",".join(SOURCES), "--use-pep517",
        *(("--no-index", "--find-links", WHEELHOUSE) if found else ()), *what,
        environ=environ,
    )  # fmt: skip


def main(extra: str, *programs: str) -> None:
    """Fill it."""
    environ = outside()
    run(sys.executable, "-m", "venv", BUILDER, environ=environ)
    run(sys.executable, "-m", "venv", "--without-pip", ENVIRONMENT, environ=environ)
    hashed = ("--require-hashes", "-r")
    python = ENVIRONMENT / "bin/python"
    install(python, *hashed, f"requirements/{extra}.txt", environ=environ)
    if (SOURCE / "pyproject.toml").exists():
        builder, dist = BUILDER / "bin/python", BUILDER / "dist"
        install(builder, *hashed, "requirements/build.txt", environ=environ)
        wheel = (builder, "-m", "hatchling", "build", "-t", "wheel", "-d", dist)
        run(*wheel, environ=environ)
        # Its dependencies are there: it needs no index.
        install(python, "--no-deps", *dist.glob("*.whl"), environ=environ)
    STATE.mkdir(mode=0o750)
    strip(next(ENVIRONMENT.glob("lib/python3*/site-packages")), programs)


def strip(packages: Path, programs: Sequence[str]) -> None:
    """Take out what no service needs, and compile the rest so that it starts fast, read-only."""
    kept = {*programs, *scripts(packages)}
    for program in (ENVIRONMENT / "bin").iterdir():
        if not program.name.startswith("python") and program.name not in kept:
            program.unlink()
    # It would tell where the wheel lay.
    for trace in packages.glob("sightline-*.dist-info/direct_url.json"):
        trace.unlink()
    for pattern in NEEDLESS:
        for found in list(packages.glob(pattern)):
            if found.is_dir():
                shutil.rmtree(found)
            else:
                found.unlink()
    # By hash and unchecked: the same bytes whenever it was built, and no look at the source.
    compileall.compile_dir(
        packages,
        quiet=2,
        workers=1,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )


def scripts(packages: Path) -> list[str]:
    """Our console scripts whose modules are in the image."""
    ours = {
        "detection/__main__.py": "sightline-detection",
        "cop_gateway/__main__.py": "sightline-cop-gateway",
        "sightline/cli/main.py": "sightline",
    }
    return [script for module, script in ours.items() if (packages / module).exists()]


if __name__ == "__main__":
    main(*sys.argv[1:])
