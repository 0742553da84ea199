"""The port `Repository`: commits onto a remote branch, without touching anybody's working tree.

A commit is built from git's own objects on top of what the remote has, and pushed; where somebody
else pushed meanwhile, it is built again on top of theirs.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sightline.commands import CommandError, run
from sightline.environments import Git
from sightline.releases.errors import RemoteError
from sightline.releases.ports import Checkout
from sightline.releases.values import Values

HEAD = (
    "# Written by `sightline`: which colour serves, and what both run. Read by helm and Argo CD.\n"
)
SECONDS = 20.0
TRIES = 5


class GitRepository:
    """The checkout at `root`, and the branch of its remote that is written back to."""

    def __init__(self, root: Path, settings: Git | None, *, who: str) -> None:
        self._root = root
        self._settings = settings
        self._who = who

    def checkout(self) -> Checkout:
        """Outside a repository nothing is known, and nothing is dirty."""
        try:
            commit = self._git("rev-parse", "HEAD").decode().strip()
            changed = self._git("status", "--porcelain", "--untracked-files=normal")
        except RemoteError:
            return Checkout(commit=None, dirty=False)
        return Checkout(commit=commit, dirty=bool(changed.strip()))

    def read(self) -> Values | None:
        """As the remote's branch has it."""
        return self._file(self._fetched())

    def write(self, change: Callable[[Values], Values], message: str) -> str:
        """One commit; none where nothing changes. Raises RemoteError."""
        assert self._settings is not None
        for _ in range(TRIES):
            parent = self._fetched()
            old = self._file(parent) or {}
            new = change(old)
            if new == old:
                return parent
            commit = self._committed(parent, _text(new), message)
            try:
                self._git(
                    "push", "--quiet", self._settings.remote,
                    f"{commit}:refs/heads/{self._settings.branch}",
                )  # fmt: skip
            except RemoteError as error:
                if "rejected" not in str(error):
                    raise
                continue
            return commit
        raise RemoteError(f"others pushed {TRIES} times in a row")

    def _fetched(self) -> str:
        assert self._settings is not None
        branch = f"refs/heads/{self._settings.branch}"
        # Not FETCH_HEAD, which is the user's; a ref of our own is nobody's branch.
        ours = f"refs/sightline/{self._settings.branch}"
        self._git("fetch", "--quiet", "--no-tags", self._settings.remote, f"+{branch}:{ours}")
        return self._git("rev-parse", ours).decode().strip()

    def _file(self, commit: str) -> Values | None:
        assert self._settings is not None
        listed = self._git("ls-tree", commit, "--", self._settings.file)
        if not listed.strip():
            return None
        text = self._git("show", f"{commit}:{self._settings.file}")
        try:
            found = YAML(typ="safe", pure=True).load(text)
        except YAMLError as error:
            raise RemoteError(f"{self._settings.file} in Git is not YAML: {error}") from error
        return found if isinstance(found, dict) else {}

    def _committed(self, parent: str, text: str, message: str) -> str:
        assert self._settings is not None
        blob = self._git("hash-object", "-w", "--stdin", given=text.encode()).decode().strip()
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._git("read-tree", parent, environ=index)
            entry = f"100644,{blob},{self._settings.file}"
            self._git("update-index", "--add", "--cacheinfo", entry, environ=index)
            tree = self._git("write-tree", environ=index).decode().strip()
        return (
            self._git(
                "commit-tree", tree, "-p", parent, given=message.encode(), environ=self._author()
            )
            .decode()
            .strip()
        )

    def _author(self) -> dict[str, str]:
        """Git's own settings, if there are any; else whoever types."""
        found: dict[str, str] = {}
        for name, setting, otherwise in (
            ("NAME", "user.name", self._who.partition("@")[0]),
            ("EMAIL", "user.email", self._who),
        ):
            try:
                value = self._git("config", "--get", setting).decode().strip()
            except RemoteError:
                value = otherwise
            found |= {f"GIT_AUTHOR_{name}": value, f"GIT_COMMITTER_{name}": value}
        return found

    def _git(
        self, *arguments: str, given: bytes = b"", environ: dict[str, str] | None = None
    ) -> bytes:
        settings = {
            name: value for name, value in os.environ.items()
            if name.startswith(("GIT_SSH", "GIT_CONFIG", "GIT_ASKPASS"))
        }  # fmt: skip
        try:
            return run(
                ["git", *arguments], given=given, folder=self._root, seconds=SECONDS,
                environ={**settings, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **(environ or {})},
            )  # fmt: skip
        except CommandError as error:
            raise RemoteError(f"git {arguments[0]}: {error}") from error


def _text(values: Values) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    out = io.StringIO()
    yaml.dump(values, out)
    return HEAD + out.getvalue()
