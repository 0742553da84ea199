"""The pipelines that we give as examples: linted, pinned, and calling what there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from running import required
from sightline.cli.main import cli

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/ci"
GITHUB, GITLAB = FOLDER / "github-actions.yaml", FOLDER / "gitlab-ci.yaml"
ACTIONLINT = ROOT / ".cache/engine/bin/actionlint"
CHECK = ROOT / ".cache/checks/bin/check-jsonschema"


def test_actionlint_has_nothing_to_say() -> None:
    if not ACTIONLINT.exists():
        required("actionlint is not built: make tools (needs Go)")
    done = subprocess.run(
        [str(ACTIONLINT), "-no-color", str(GITHUB)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "schema"),
    [(GITHUB, "vendor.github-workflows"), (GITLAB, "vendor.gitlab-ci")],
    ids=["github", "gitlab"],
)
def test_each_keeps_to_its_schema(file: Path, schema: str) -> None:
    if not CHECK.exists():
        required("check-jsonschema is not installed: make tools")
    done = subprocess.run(
        [str(CHECK), "--builtin-schema", schema, str(file)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_actions_are_pinned_by_commit_and_say_their_version() -> None:
    used = re.findall(r"uses: (\S+)(.*)", GITHUB.read_text())
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action


@pytest.mark.parametrize("file", [GITHUB, GITLAB], ids=["github", "gitlab"])
def test_they_call_what_the_makefile_has(file: Path) -> None:
    text, makefile = file.read_text(), (ROOT / "Makefile").read_text()
    called = {
        word for line in re.findall(r"(?:run: |- )make ([a-z ]+)", text) for word in line.split()
    }
    assert {"install", "tools", "images", "release", "status"} <= called
    for target in called:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


PAGES = (GITHUB, GITLAB, ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
COMMANDS = {"images": "images build", "bundle": "images bundle create", "release": "releases apply"}
"""By target of the Makefile: what gets its ARGS."""


def options(words: str) -> set[str]:
    context, command = click.Context(cli), cli
    for word in words.split():
        found = command.get_command(context, word)  # type: ignore[attr-defined]
        assert found is not None, words
        command = found
    return {each for parameter in command.params for each in parameter.opts}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_target_gets_are_options_of_its_command(page: Path) -> None:
    for target, arguments in re.findall(r'make (\w+) [^\n]*?ARGS="([^"]*)"', page.read_text()):
        if target in COMMANDS:
            for option in re.findall(r"(--[a-z-]+)", arguments):
                assert option in options(COMMANDS[target]), (target, option)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_typed_are_there_with_their_options(page: Path) -> None:
    for line in re.findall(r"sightline ((?:[a-z-]+ ?)+[^\n`&#|;>]*)", page.read_text()):
        words = line.split()
        command, context, path = cli, click.Context(cli), []
        while words and isinstance(command, click.Group):
            found = command.get_command(context, words[0])
            if found is None:
                break
            path.append(words.pop(0))
            command = found
        if not path:
            continue  # prose
        known = {each for parameter in command.params for each in parameter.opts}
        for word in words:
            if word.startswith("--"):
                assert word in known | {"--help"}, (" ".join(path), word)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_targets_that_are_typed_are_there(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^ {4,})make ([a-z][a-z-]+)", page.read_text(), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_no_secret_is_an_argument() -> None:
    for file in (GITHUB, GITLAB):
        for line in file.read_text().splitlines():
            assert not re.search(r"make .*secrets\.", line), line


def test_both_do_the_same_in_the_same_order() -> None:
    github = list(yaml.safe_load(GITHUB.read_text())["jobs"])
    gitlab = list(yaml.safe_load(GITLAB.read_text())["stages"])
    assert github == gitlab
