"""The command line of every service, and how a process says that it does not start."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving import command
from serving.errors import ListenError
from serving.server import listen


def parse(*argv: str) -> command.Arguments:
    return command.parse(program="sightline-test", description="A test.", argv=argv)


def test_nothing_said_is_nothing_overridden():
    assert parse() == command.Arguments(
        config=None, port_file=None, overrides={"host": None, "port": None}
    )


def test_everything_said():
    said = parse(
        "--config", "a.toml", "--host", "::1", "--port", "0", "--port-file", "/run/port"
    )  # fmt: skip
    assert said.config == Path("a.toml")
    assert said.port_file == Path("/run/port")
    assert said.overrides == {"host": "::1", "port": 0}


@pytest.mark.parametrize("argv", [["--port", "http"], ["--colour", "blue"], ["extra"]])
def test_what_cannot_be_meant_ends_with_two(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(*argv)
    assert ended.value.code == command.REFUSED == 2
    assert argv[-1] in capsys.readouterr().err


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as ended:
        parse("--help")
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for option in ("--config", "--host", "--port", "--port-file", "--version"):
        assert option in told


def test_the_version_is_that_of_the_release(capsys):
    with pytest.raises(SystemExit):
        parse("--version")
    assert capsys.readouterr().out.split() == ["sightline-test", command.release()]


def test_a_refusal_is_one_line_on_stderr(capsys):
    assert command.refuse("sightline-test", "first\n  second\tthird") == command.REFUSED
    assert command.refuse("sightline-test", ValueError("x"), code=1) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "sightline-test: first second third",
        "sightline-test: x",
    ]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_port_zero_is_a_free_port(host):
    with listen(host, 0) as first, listen(host, 0) as second:
        ports = {first.getsockname()[1], second.getsockname()[1]}
        assert len(ports) == 2
        assert 0 not in ports


def test_a_taken_port_is_an_error_at_once_with_its_number():
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=rf"127\.0\.0\.1 port {port}: another process"):
            listen("127.0.0.1", port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid", "a..b"])
def test_an_address_that_is_not_here_is_named(host):
    with pytest.raises(ListenError, match=f"cannot listen on {host} port 0: .+"):
        listen(host, 0)
