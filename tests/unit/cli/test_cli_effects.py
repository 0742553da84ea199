"""How commands tell of what they do: on a terminal and elsewhere; what they ask, and of whom."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

from sightline.cli import exits
from sightline.cli.effects import confirm
from sightline.cli.failure import Failure

PROGRAM = """
from sightline.cli.effects import confirm, progress
from sightline.journal import Journal
from sightline.steps import Step
class Push(Step, frozen=True, kw_only=True, tag="push"):
    @property
    def sentence(self):
        return "push [image] a"
with progress() as watch:
    confirm("Go on?", yes=YES)
    journal = Journal(watch)
    with journal.step(Push()):
        watch.note("half of [it]")
"""


def program(*, yes: bool) -> list[str]:
    return [sys.executable, "-c", PROGRAM.replace("YES", str(yes))]


def test_elsewhere_there_is_a_line_for_each_begin_and_end() -> None:
    done = subprocess.run(program(yes=True), capture_output=True, text=True, check=True)
    assert done.stdout == ""
    begun, note, ended = done.stderr.splitlines()
    assert (begun, note) == ("… push [image] a", "  half of [it]")
    assert re.fullmatch(r"✓ push \[image\] a: 0\.\d s", ended)


def test_on_a_terminal_it_asks_and_then_shows_what_was_done() -> None:
    ours, theirs = pty.openpty()
    environ = {name: value for name, value in os.environ.items() if name != "CI"}
    process = subprocess.Popen(
        program(yes=False), stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True,
        env={**environ, "TERM": "xterm-256color", "COLUMNS": "100"},
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while b"[y/N]" not in said:
        said += os.read(ours, 1024)
    os.write(ours, b"y\n")
    while True:
        try:
            part = os.read(ours, 1024)
        except OSError:
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait(20) == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
    assert "✓ push [image] a 0." in plain
    assert "half of [it]" in plain


def test_nobody_to_answer_is_wrong_usage() -> None:
    done = subprocess.run(
        program(yes=False), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "say --yes" in done.stderr


def test_what_cannot_be_undone_is_not_answered_by_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure, match="say --confirm prod") as caught:
        confirm("Overwrite it?", yes=True, typed="prod")
    assert caught.value.exit_code == exits.USAGE
