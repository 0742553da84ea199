"""Help, versions, exit codes: what every command has in common."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from sightline.cli import exits
from sightline.cli.main import COMMANDS as TABLE
from sightline.cli.main import cli

COMMANDS = tuple(TABLE)
HEAVY = (
    "cv2", "numpy", "onnxruntime", "starlette", "uvicorn", "structlog", "PIL", "taky",
    "kubernetes", "psycopg",
)  # fmt: skip
"""What only the extras of the services, the simulator, the demo and the deployer bring."""

Command = Callable[..., Any]


def test_the_help_names_every_command_and_the_exit_codes(sightline: Command) -> None:
    ended = sightline("--help", absent=HEAVY)
    assert ended.code == exits.OK
    assert [name for name in COMMANDS if name not in ended.out] == []
    codes = " ".join(ended.out.partition("Exit codes:")[2].split())
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 130):
        assert f" {code} " in f" {codes}"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_without_any_other_extra(sightline: Command, name: str) -> None:
    ended = sightline(name, "--help", absent=HEAVY)
    assert ended.code == exits.OK
    assert ended.out.startswith(f"Usage: sightline {name}")


def test_the_version_is_the_distributions(sightline: Command) -> None:
    assert importlib.metadata.version("sightline") in sightline("--version").out


@pytest.mark.parametrize(
    "arguments",
    [
        ("soar",),
        ("fly", "--rate", "0"),
        ("fly", "--key-file", "/no/such/key"),
        ("demo", "--for", "soon"),
        ("demo", "--frames", "0"),
        ("demo", "--rate", "-1"),
        ("demo", "--report", "/no/such/folder/report.json"),
        ("demo", "--tak", "nonsense"),
        ("simulate",),
        ("detect",),
        ("detect", "/no/such/picture.jpg"),
        ("watch", "--since", "-1"),
        ("models",),
        ("models", "check"),
        ("models", "check", ".", "--labels", "/no/such/labels.txt"),
        ("models", "manifest", "/no/such/folder"),
        ("backups",),
        ("backups", "create", "--target", "."),
        ("backups", "restore", "--from", "/no/such/folder"),
        ("secrets",),
        ("secrets", "scan", "/no/such/file"),
        ("secrets", "scan", "--staged", "--git"),
        ("images",),
        ("images", "push", "/no/such/layout", "--registry", "r.example"),
        ("images", "push", "/no/such/layout"),
        ("images", "verify", "r.example/a:1"),
        ("images", "sign", "--key", "/no/such/key"),
        ("images", "sbom", "r.example/A"),
        ("images", "bundle", "verify", "/no/such/bundle", "--public-key", "/no/such/key"),
        ("colours",),
        ("colours", "switch", "--to", "red"),
        ("colours", "preflight", "--to", "blue", "--release", "blue"),
        ("colours", "switch", "--receipt", "/no/such/folder/receipt.json"),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_2_and_no_traceback(
    sightline: Command, arguments: tuple[str, ...]
) -> None:
    ended = sightline(*arguments)
    assert ended.code == exits.USAGE
    assert "Traceback" not in ended.err
    assert ended.err.strip()


@pytest.mark.parametrize(
    ("arguments", "absent", "extra"),
    [
        (("simulate", "out"), "cv2", "simulator"),
        (("demo", "--frames", "1", "--headless"), "cv2", "demo"),
        (("demo", "--frames", "1", "--headless"), "taky", "demo"),
        (("demo", "--frames", "1", "--headless"), "onnxruntime", "demo"),
        (("watch", "--count", "1"), "httpx", "cli"),
        (("models", "check", "."), "onnxruntime", "detection"),
        (("models", "check", "."), "numpy", "detection"),
        (("models", "manifest", "."), "structlog", "detection"),
        (("colours", "status"), "kubernetes", "deploy"),
        (
            ("backups", "create", "--target", ".", "--database", "postgresql://x"),
            "psycopg",
            "deploy",
        ),
    ],
)
def test_a_missing_package_is_4_and_what_to_type(
    sightline: Command, tmp_path: Path, arguments: tuple[str, ...], absent: str, extra: str
) -> None:
    ended = sightline(*arguments, absent=(absent,))
    assert ended.code == exits.MISSING
    assert absent in ended.err
    assert f"pip install 'sightline[{extra}]'" in ended.err
    assert "Traceback" not in ended.err


def test_every_exit_code_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/cli.md").read_text(encoding="utf-8")
    codes = {name: value for name, value in vars(exits).items() if name.isupper()}
    assert codes["OK"] == 0
    assert [code for code in codes.values() if f"| {code} |" not in page] == []


def test_every_command_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/cli.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"## `sightline {name}" not in page] == []


def commands(group: click.Group) -> Iterator[click.Command]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield command
        if isinstance(command, click.Group):
            yield from commands(command)


def test_every_option_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/cli.md").read_text(encoding="utf-8")
    options = [
        option
        for command in commands(cli)
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
    ]
    assert len(options) > 10
    assert [option for option in options if f"`{option}" not in page] == []
