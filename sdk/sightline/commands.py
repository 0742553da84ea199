"""Other programs, as helm and git: started without a shell, ended with us, told in their words."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

LAST_WORDS = 600
_KEPT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "USER", "XDG_CONFIG_HOME", "XDG_CACHE_HOME",
         "SSH_AUTH_SOCK", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY",
         "https_proxy", "http_proxy", "no_proxy")  # fmt: skip


class CommandError(Exception):
    """It is missing, or it failed: the sentence has its last words."""


class AbsentError(CommandError):
    """There is no such program."""


def run(
    command: Sequence[str],
    *,
    given: bytes = b"",
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    seconds: float = 120.0,
) -> bytes:
    """What it writes to stdout. Raises CommandError, also where it takes longer than `seconds`.

    Of our environment it gets what any program needs, and `environ`: no secret of ours by chance.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    name = Path(command[0]).name
    try:
        done = subprocess.run(  # noqa: S603 - a program that is meant, without a shell
            command, input=given, env={**kept, **(environ or {})}, cwd=folder, check=False,
            capture_output=True, timeout=seconds,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise AbsentError(f"{name} is not installed") from error
    except OSError as error:
        raise CommandError(f"{name} cannot be started: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{name} took longer than {seconds:g} s") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).decode(errors="replace").split())
        raise CommandError(f"{name} ended with {done.returncode}: {said[-LAST_WORDS:]}")
    return done.stdout
