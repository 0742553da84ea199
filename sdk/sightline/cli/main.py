"""`sightline`: the group of commands."""

from __future__ import annotations

import time

BEGAN = time.monotonic()
"""When the command started: before the imports below, which are a part of the wait."""

import importlib.metadata  # noqa: E402
import sys  # noqa: E402

import click  # noqa: E402

from sightline.cli import exits  # noqa: E402
from sightline.cli.backups import backups  # noqa: E402
from sightline.cli.colours import colours  # noqa: E402
from sightline.cli.demo import demo  # noqa: E402
from sightline.cli.detect import detect  # noqa: E402
from sightline.cli.doctor import doctor  # noqa: E402
from sightline.cli.fly import fly  # noqa: E402
from sightline.cli.models import models  # noqa: E402
from sightline.cli.simulate import simulate  # noqa: E402
from sightline.cli.watch import watch  # noqa: E402


def _version() -> str:
    try:
        return importlib.metadata.version("sightline")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a process of the demo died,"
    " 4 something is not installed, 5 the cluster is not reached, 6 somebody else was faster,"
    " 7 done in part, 130 interrupted.",
)
@click.version_option(_version(), prog_name="sightline")
@click.pass_context
def cli(context: click.Context) -> None:
    """From camera frames to tracks on the Common Operational Picture."""
    context.obj = BEGAN


for command in (demo, simulate, fly, detect, watch, models, doctor, colours, backups):
    cli.add_command(command)


def main() -> None:
    """The console script."""
    try:
        # click gives a command's Exit back as a value; commands themselves give nothing.
        sys.exit(cli(standalone_mode=False) or exits.OK)
    except click.Abort:
        sys.exit(exits.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
