"""Images into a cluster: the one that its own pods run, and those that tests bring."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import oci


def of_program(program: Path, archive: Path, name: str) -> None:
    """An image with one static program, /pod, that does without any argument."""
    root, layout = archive.with_suffix(".root"), archive.with_suffix(".layout")
    with tarfile.open(root, "w") as tar:
        entry = tarfile.TarInfo("pod")
        entry.mode, entry.size = 0o755, program.stat().st_size
        with program.open("rb") as content:
            tar.addfile(entry, content)
        # Where a read-only container may write, and what a volume is mounted on.
        for folder in ("tmp", "data"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
    oci.layout(root, layout, entrypoint=("/pod",), name=name)
    root.unlink()
    with tarfile.open(archive, "w") as tar:
        for each in sorted(layout.iterdir()):
            tar.add(each, arcname=each.name)


def copy(archive: Path, target: str) -> None:
    """From an archive, docker's or OCI's, to a registry without TLS."""
    with tarfile.open(archive) as tar:
        kind = "docker-archive" if _has(tar, "manifest.json") else "oci-archive"
    _run(
        "skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false",
        f"{kind}:{archive}", f"docker://{target}",
    )  # fmt: skip


def take_in(archive: Path, socket: Path) -> None:
    """Into a node's containerd, under the names in the archive."""
    _run(
        "ctr", "--address", str(socket), "--namespace", "k8s.io",
        "images", "import", str(archive),
    )  # fmt: skip


def _has(tar: tarfile.TarFile, name: str) -> bool:
    return any(each.name.removeprefix("./") == name for each in tar)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stderr}"
