"""The group: each command is where its table says, and --help imports none of them."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from sightline.cli.main import COMMANDS, cli

LOOK = """
import sys
from sightline.cli.main import cli
try:
    cli(["--help"])
except SystemExit as end:
    assert end.code == 0
ours = {name for name in sys.modules if name.startswith("sightline.")}
foreign = sorted({"rich", "httpx", "kubernetes", "numpy"} & set(sys.modules))
print(sorted(ours), foreign, file=sys.stderr)
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_is_there_and_says_what_it_does(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert command.help


def test_help_lists_all_and_imports_none() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    assert done.stderr.strip() == (
        "['sightline.cli', 'sightline.cli.exits', 'sightline.cli.lazy', 'sightline.cli.main'] []"
    )


def test_an_unknown_command_is_wrong_usage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sightline.cli.main", "fire"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "No such command 'fire'" in done.stderr
