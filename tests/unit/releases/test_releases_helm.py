"""helm as a program: what it is told, when it is asked again, and when not."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from fakes.releases import ENVIRONMENT
from sightline.environments import Chart, Images, Place
from sightline.releases import helm
from sightline.releases.errors import ToolError
from sightline.releases.helm import Helm

SCRIPT = """#!/bin/sh
echo "$*" >> {log}
case "$1" in
  status) echo '{{"info": {{"status": "'$(cat {state})'"}}}}' ;;
  history)
    echo '[{{"revision": 3, "status": "deployed"}},'
    echo ' {{"revision": 4, "status": "pending-upgrade"}}]' ;;
  rollback) echo deployed > {state} ;;
  upgrade)
    cat "$(echo "$*" | sed 's/.*--values \\([^ ]*release.json\\).*/\\1/')" >> {values}
    if [ -s {answers} ]; then
      head -1 {answers} >&2; sed -i 1d {answers}; exit 1
    fi ;;
  show) printf 'name: sightline\\nversion: 0.1.0\\nimage: {{registry: ""}}\\n' ;;
esac
"""


class Program:
    """A helm that says what it is told to."""

    def __init__(self, folder: Path) -> None:
        self.log, self.state = folder / "log", folder / "state"
        self.answers, self.values = folder / "answers", folder / "values"
        self.state.write_text("deployed")
        self.answers.write_text("")
        file = folder / "helm"
        file.write_text(
            SCRIPT.format(log=self.log, state=self.state, answers=self.answers, values=self.values)
        )
        file.chmod(0o755)
        environment = msgspec.structs.replace(
            ENVIRONMENT,
            cluster=Place(context="site", namespace="ns"),
            chart=Chart(path="chart", values=("site.yaml",)),
            images=Images(registry="registry.example.org/s"),
        )
        self.helm = Helm(environment, root=folder, program=str(file))

    def asked(self) -> list[str]:
        return [line.split()[0] for line in self.log.read_text().splitlines()]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setattr(helm, "PAUSES", (0.0, 0.0))
    return Program(tmp_path)


def test_gets_the_place_the_files_and_ours_last(program: Program) -> None:
    program.helm.deploy({"activeColour": "blue"}, install=False)
    upgrade = program.log.read_text().splitlines()[-1]
    assert "--namespace ns" in upgrade
    assert "--kube-context site" in upgrade
    assert upgrade.index("site.yaml") < upgrade.index("release.json")
    given = json.loads(program.values.read_text())
    assert given == {"image": {"registry": "registry.example.org/s"}, "activeColour": "blue"}


@pytest.mark.parametrize("said", ["EOF", "etcdserver: leader changed", "Too Many Requests"])
def test_is_asked_again_where_the_api_server_was_away(program: Program, said: str) -> None:
    program.answers.write_text(f"Error: UPGRADE FAILED: {said}\n" * 2)
    program.helm.deploy({}, install=False)
    assert program.asked().count("upgrade") == 3


def test_not_for_ever(program: Program) -> None:
    program.answers.write_text("Error: UPGRADE FAILED: EOF\n" * 5)
    with pytest.raises(ToolError, match="EOF"):
        program.helm.deploy({}, install=False)
    assert program.asked().count("upgrade") == 3


def test_a_refusal_is_one(program: Program) -> None:
    program.answers.write_text("Error: UPGRADE FAILED: values don't meet the schema\n")
    with pytest.raises(ToolError, match="schema"):
        program.helm.deploy({}, install=False)
    assert program.asked().count("upgrade") == 1


def test_goes_on_where_a_helm_was_killed(program: Program) -> None:
    program.state.write_text("pending-upgrade")
    program.helm.deploy({}, install=False)
    assert program.asked() == ["status", "history", "rollback", "upgrade"]
    assert "rollback sightline 3" in program.log.read_text()


def test_one_that_is_not_there_says_so(tmp_path: Path) -> None:
    absent = Helm(ENVIRONMENT, root=tmp_path, program=str(tmp_path / "helm"))
    with pytest.raises(ToolError, match="helm is not installed"):
        absent.base()
