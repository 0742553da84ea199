"""`sightline watch`: events as they are committed."""

from __future__ import annotations

import time
from pathlib import Path

import click

from sightline.cli import exits
from sightline.cli.failure import Failure, missing
from sightline.cli.keys import key_of, key_option
from sightline.messages import Event, encode

_LOOK_SECONDS = 0.5
_AGAIN_SECONDS = 2.0
_PAGE = 500


@click.command()
@click.option("--url", default="http://127.0.0.1:8001", show_default=True,
              help="Where the gateway listens.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document a line.")
@click.option("--since", type=click.IntRange(0), metavar="SEQUENCE",
              help="Begin after this event instead of now.")  # fmt: skip
@click.option("--count", type=click.IntRange(1), help="Stop after so many events.")
@key_option
def watch(
    *, url: str, as_json: bool, since: int | None, count: int | None, key_file: Path | None
) -> None:
    """Show events as the gateway commits them, until Ctrl-C."""
    try:
        from sightline.client import (  # noqa: PLC0415 - after --help
            Client,
            ClientError,
            DeadlineError,
            ProblemError,
            UnreachableError,
        )
    except ImportError as error:
        raise missing(error, "cli") from error
    shown, reachable = 0, True
    try:
        # It asks again by itself, for as long as it takes, and says so at once.
        client = Client(url, key=key_of(key_file), attempts=1)
    except ClientError as error:
        raise Failure(f"--url: {error}", code=exits.USAGE) from error
    with client:
        while count is None or shown < count:
            try:
                if since is None:
                    newest = client.events(limit=1).events
                    since = newest[0].sequence if newest else 0
                events = client.events(since=since, limit=_PAGE).events
            except (UnreachableError, DeadlineError, ProblemError) as error:
                if reachable:
                    click.echo(f"sightline: {error}; trying again", err=True)
                reachable = False
                time.sleep(_AGAIN_SECONDS)
                continue
            reachable = True
            for event in events[: None if count is None else count - shown]:
                click.echo(encode(event) if as_json else _line(event))
                since, shown = event.sequence, shown + 1
            if not events:
                time.sleep(_LOOK_SECONDS)


def _line(event: Event) -> str:
    speed = "" if event.speed_mps is None else f"  {event.speed_mps:.1f} m/s"
    return (
        f"{event.captured_at:%H:%M:%S}  {event.uid[-4:]}  {event.class_name:<8}"
        f"  {event.position.latitude:.6f} {event.position.longitude:.6f}"
        f"  CE90 {event.ce90_m:.1f} m {event.flag}  {event.camera_id}{speed}"
    )
