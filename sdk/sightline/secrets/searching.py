"""Where leaks are looked for: files, what Git would commit, all that Git remembers."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from sightline.secrets.errors import RefusedError, ToolError
from sightline.secrets.exceptions import Exemptions
from sightline.secrets.leaks import Leak, leaks

LARGEST = 256 * 1024 * 1024
"""A file beyond it is not looked into, and the search says so."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A file to look into; without content there is a reason why not."""

    name: str
    content: bytes | None = None
    reason: str = ""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, and what was not looked into."""

    searched: int
    leaks: tuple[Leak, ...]
    allowed: tuple[Leak, ...]
    left_out: dict[str, str]
    """By name: why it was not looked into."""
    unused: tuple[str, ...] = ()
    """Fingerprints that are allowed and were not met."""


def search(contents: Iterable[Content], exemptions: Exemptions) -> Search:
    """Look into all of them."""
    searched = 0
    found: list[Leak] = []
    left_out: dict[str, str] = {}
    for each in contents:
        if each.content is None:
            left_out[each.name] = each.reason
            continue
        searched += 1
        found += leaks(each.name, each.content)
    return Search(
        searched=searched,
        leaks=tuple(leak for leak in found if not exemptions.covers(leak)),
        allowed=tuple(filter(exemptions.covers, found)),
        left_out=left_out,
        unused=tuple(each.fingerprint for each in exemptions.unused(found)),
    )


def everything(
    root: Path | None, paths: Sequence[Path], *, staged_only: bool, remembered: bool
) -> Iterator[Content]:
    """What is asked for: paths, else the repository; what is staged alone; its history as well."""
    if root is None and (staged_only or remembered or not paths):
        raise RefusedError("this is no Git repository: name files or folders")
    yield from below(paths)
    if root is None:
        return
    if staged_only:
        yield from staged(root)
    elif not paths:
        yield from worktree(root)
    if remembered:
        yield from history(root)


def below(paths: Iterable[Path]) -> Iterator[Content]:
    """Every file of these folders, and these files; what Git keeps for itself is left aside."""
    for path in paths:
        if not path.is_dir():
            yield _read(path, str(path))
            continue
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(each for each in folders if each != ".git")
            for name in sorted(names):
                inner = Path(folder, name)
                # What a link leads to is found where it is, or is none of this folder.
                if inner.is_symlink() or not inner.is_file():
                    continue
                yield _read(inner, str(inner))


def worktree(root: Path) -> Iterator[Content]:
    """What Git has and what it would take: all that it is not told to ignore."""
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in sorted(set(filter(None, listed.split(b"\0")))):
        path = root / os.fsdecode(name)
        if path.is_file() and not path.is_symlink():
            yield _read(path, os.fsdecode(name))


def staged(root: Path) -> Iterator[Content]:
    """What the next commit would change."""
    listed = _git(root, "diff", "--cached", "--name-only", "-z", "--diff-filter=ACMRT")
    names = [os.fsdecode(name) for name in listed.split(b"\0") if name]
    yield from _blobs(root, [(f":{name}", name) for name in names])


def history(root: Path) -> Iterator[Content]:
    """Every file of every commit that a branch, a tag or a stash leads to, each version once."""
    listed = _git(root, "rev-list", "--objects", "--all", "--reflog")
    wanted: list[tuple[str, str]] = []
    for line in listed.splitlines():
        blob, _, path = os.fsdecode(line).partition(" ")
        if path:
            wanted.append((blob, f"{path}@{blob[:12]}"))
    yield from _blobs(root, wanted)


def top(path: Path) -> Path | None:
    """The root of the repository that a folder is in."""
    try:
        found = _git(path, "rev-parse", "--show-toplevel")
    except ToolError:
        return None
    return Path(os.fsdecode(found.rstrip(b"\n")))


def _read(path: Path, name: str) -> Content:
    try:
        size = path.stat().st_size
        if size > LARGEST:
            return Content(name=name, reason=_large(size))
        return Content(name=name, content=path.read_bytes())
    except OSError as error:
        return Content(name=name, reason=str(error.strerror))


def _large(size: int) -> str:
    return f"{size // 2**20} MiB; the most is {LARGEST // 2**20} MiB"


def _git(root: Path, *arguments: str) -> bytes:
    ended = subprocess.run(  # noqa: S603 - git, by its path
        [_program(), *arguments], cwd=root, capture_output=True, check=False
    )
    if ended.returncode:
        why = ended.stderr.decode(errors="replace").strip().splitlines()
        raise ToolError(f"git {arguments[0]} in {root}: {why[-1] if why else 'failed'}")
    return ended.stdout


def _program() -> str:
    found = shutil.which("git")
    if found is None:
        raise ToolError("git is not installed: name files and folders instead")
    return found


def _blobs(root: Path, wanted: list[tuple[str, str]]) -> Iterator[Content]:
    """Contents by what Git calls them, all from one process."""
    with subprocess.Popen(  # noqa: S603 - git, by its path
        [_program(), "cat-file", "--batch"],
        cwd=root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for asked, name in wanted:
            if "\n" in asked:
                yield Content(name=name, reason="a name with a line break")
                continue
            process.stdin.write(os.fsencode(asked) + b"\n")
            process.stdin.flush()
            content = _answer(process.stdout, name)
            if content is not None:
                yield content
        process.stdin.close()


def _answer(stream: IO[bytes], name: str) -> Content | None:
    """The next one of `cat-file --batch`: its head, its bytes, a line break. None for a folder."""
    head = stream.readline().split()
    if not head:
        raise ToolError(f"git cat-file ended before {name}")
    if head[-1] == b"missing":
        return Content(name=name, reason="Git has no such object: a shallow or broken clone")
    size = int(head[-1])
    kind = head[-2]
    if kind == b"blob" and size <= LARGEST:
        content = stream.read(size)
        stream.read(1)
        return Content(name=name, content=content)
    left = size + 1
    while left > 0:
        left -= len(stream.read(min(left, 2**20)))
    return Content(name=name, reason=_large(size)) if kind == b"blob" else None
