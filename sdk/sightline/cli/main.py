"""`sightline`: the group of commands."""

from __future__ import annotations

import time

BEGAN = time.monotonic()
"""When the command started: before the imports below, which are a part of the wait."""

import sys  # noqa: E402

import click  # noqa: E402

from sightline.cli import exits  # noqa: E402
from sightline.cli.lazy import LazyGroup  # noqa: E402

COMMANDS = {
    "demo": ("sightline.cli.demo", "Watch the whole system at work on this machine."),
    "simulate": ("sightline.cli.simulate", "Write simulated frames with their truth."),
    "fly": ("sightline.cli.fly", "Fly simulated drones over running services."),
    "detect": ("sightline.cli.detect", "Send images to a running detection service."),
    "watch": ("sightline.cli.watch", "See live events from a running gateway."),
    "models": ("sightline.cli.models", "Look at model files before they are served."),
    "status": ("sightline.cli.status", "How an environment is, on one screen."),
    "init": ("sightline.cli.init", "Write a new environment's file."),
    "doctor": ("sightline.cli.doctor", "Say what is installed, what is missing and what to type."),
    "releases": ("sightline.cli.releases", "Release a version, watch it, and go back."),
    "colours": ("sightline.cli.colours", "Switch users between the two colours of a release."),
    "images": ("sightline.cli.images", "Build images, scan, sign and push them, and bundle them."),
    "backups": ("sightline.cli.backups", "Back the gateway's database up, and restore it."),
    "completion": ("sightline.cli.completion", "What a shell needs to complete all this."),
}
"""By name: its module, and one line for the list."""


def _print_version(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if not asked:
        return
    # It takes longer to import than all the rest.
    import importlib.metadata  # noqa: PLC0415

    try:
        version = importlib.metadata.version("sightline")
    except importlib.metadata.PackageNotFoundError:
        version = "unknown"
    click.echo(f"sightline, version {version}")
    context.exit()


@click.group(
    cls=LazyGroup,
    lazily=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a process of the demo died,"
    " 4 something is not installed, 5 the cluster is not reached, 6 somebody else was faster,"
    " 7 done in part, 130 interrupted.",
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False,
              callback=_print_version, help="Show the version and exit.")  # fmt: skip
@click.pass_context
def cli(context: click.Context) -> None:
    """From camera frames to tracks on the Common Operational Picture."""
    context.obj = BEGAN


def main() -> None:
    """The console script."""
    try:
        # click gives a command's Exit back as a value; commands themselves give nothing.
        sys.exit(cli(prog_name="sightline", standalone_mode=False) or exits.OK)
    except click.Abort:
        sys.exit(exits.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
