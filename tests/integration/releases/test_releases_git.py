"""Writing back to Git: real repositories, a remote, people who push meanwhile, no network."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sightline.environments import Git
from sightline.releases.errors import RemoteError
from sightline.releases.git import GitRepository

FILE = "environments/colours/site.yaml"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=Eva", "-c", "user.email=eva@example.org", *arguments],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    bare = tmp_path / "remote.git"
    bare.mkdir()
    git(bare, "init", "--quiet", "--bare", "--initial-branch=main")
    return bare


@pytest.fixture
def checkout(tmp_path: Path, remote: Path) -> Path:
    folder = tmp_path / "checkout"
    git(tmp_path, "clone", "--quiet", str(remote), str(folder))
    (folder / "README").write_text("one\n")
    git(folder, "checkout", "--quiet", "-b", "main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    git(folder, "push", "--quiet", "origin", "main")
    return folder


def repository(folder: Path, **also: str) -> GitRepository:
    return GitRepository(folder, Git(file=FILE, **also), who="eva@desk")


def test_the_colour_is_on_the_branch_and_the_working_tree_is_as_it_was(
    checkout: Path, remote: Path
) -> None:
    (checkout / "README").write_text("being edited\n")
    (checkout / "new").write_text("not added\n")
    before = git(checkout, "status", "--porcelain"), git(checkout, "rev-parse", "HEAD")
    ours = repository(checkout)
    assert ours.read() is None
    commit = ours.write(lambda old: {**old, "activeColour": "green"}, "site: 2.0 serves")
    assert git(remote, "rev-parse", "main") == commit
    assert ours.read() == {"activeColour": "green"}
    assert git(remote, "log", "-1", "--format=%s", "main") == "site: 2.0 serves"
    assert git(remote, "ls-tree", "-r", "--name-only", "main").split() == ["README", FILE]
    assert (git(checkout, "status", "--porcelain"), git(checkout, "rev-parse", "HEAD")) == before


def test_what_is_so_already_is_no_commit(checkout: Path, remote: Path) -> None:
    ours = repository(checkout)
    first = ours.write(lambda _: {"activeColour": "green"}, "one")
    assert ours.write(lambda _: {"activeColour": "green"}, "two") == first
    assert git(remote, "log", "-1", "--format=%s", "main") == "one"


def test_many_people_at_once_lose_nothing(checkout: Path, remote: Path, tmp_path: Path) -> None:
    folders = [tmp_path / f"desk-{n}" for n in range(4)]
    for each in folders:
        git(tmp_path, "clone", "--quiet", str(remote), str(each))
    with ThreadPoolExecutor(len(folders)) as threads:
        list(
            threads.map(
                lambda each: repository(each).write(
                    lambda old: {**old, each.name: "here"}, each.name
                ),
                folders,
            )
        )
    assert repository(checkout).read() == {each.name: "here" for each in folders}


def test_a_remote_that_is_away_is_told_and_changes_nothing(checkout: Path, remote: Path) -> None:
    ours = repository(checkout)
    away = remote.with_name("away")
    remote.rename(away)
    with pytest.raises(RemoteError, match="git fetch"):
        ours.write(lambda old: {**old, "activeColour": "green"}, "never")
    away.rename(remote)
    assert ours.read() is None


def test_a_branch_that_does_not_exist_is_named(checkout: Path) -> None:
    with pytest.raises(RemoteError, match="releases"):
        repository(checkout, branch="releases").read()


def test_where_a_release_comes_from(checkout: Path, tmp_path: Path) -> None:
    ours = repository(checkout)
    assert ours.checkout().dirty is False
    assert ours.checkout().commit == git(checkout, "rev-parse", "HEAD")
    (checkout / "new").write_text("x")
    assert ours.checkout().dirty is True
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    found = GitRepository(nowhere, None, who="eva@desk").checkout()
    assert (found.commit, found.dirty) == (None, False)
