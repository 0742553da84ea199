"""The Helm chart as an archive, as `helm package` makes it, but the same bytes each time."""

from __future__ import annotations

import fnmatch
import gzip
import io
import tarfile
from pathlib import Path

import msgspec

from sightline.images.errors import DamageError, ImageError, ToolError


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Of Chart.yaml, what is needed."""

    name: str
    version: str


def packaged(folder: Path, *, time: int) -> tuple[About, bytes]:
    """Raises ImageError."""
    try:
        about = _about(folder, (folder / "Chart.yaml").read_bytes())
        ignored = _ignored(folder)
        files = [
            each
            for each in folder.rglob("*")
            if each.is_file() and not any(fnmatch.fnmatch(each.name, name) for name in ignored)
        ]
        # Chart.yaml first: Helm reads it before all others.
        files.sort(key=lambda each: (each != folder / "Chart.yaml", str(each)))
        out = io.BytesIO()
        with (
            gzip.GzipFile(fileobj=out, mode="wb", mtime=0, filename="") as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            for file in files:
                content = file.read_bytes()
                entry = tarfile.TarInfo(f"{about.name}/{file.relative_to(folder).as_posix()}")
                entry.size, entry.mtime, entry.mode = len(content), time, 0o644
                tar.addfile(entry, io.BytesIO(content))
    except OSError as error:
        raise ImageError(f"{error.filename}: {error.strerror}") from error
    return about, out.getvalue()


def values(folder: Path) -> list[Path]:
    """What stands for environments, beside the chart's own values; Helm leaves it out."""
    return sorted(folder.glob("values-*.yaml"))


def _ignored(folder: Path) -> list[str]:
    """Names that .helmignore leaves out; of its patterns we know names alone."""
    file = folder / ".helmignore"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    patterns = [each.strip() for each in lines if each.strip() and not each.startswith("#")]
    for each in patterns:
        if "/" in each or each.startswith("!"):
            raise DamageError(f"{file}: {each!r} is more than the pattern of a name")
    return [*patterns, ".helmignore"]


def _about(folder: Path, content: bytes) -> About:
    try:
        from ruamel.yaml import YAML  # noqa: PLC0415 - an extra
        from ruamel.yaml.error import YAMLError  # noqa: PLC0415
    except ImportError as error:
        raise ToolError("ruamel-yaml is not installed: pip install 'sightline[deploy]'") from error
    try:
        return msgspec.convert(YAML(typ="safe").load(content), About)
    except (YAMLError, msgspec.ValidationError) as error:
        raise DamageError(f"{folder}/Chart.yaml: {error}") from error
