"""`sightline-cop-gateway migrate`: bring the database's schema up to this release's, and end.

What a deployment runs before it starts a release. A gateway does the same when it starts; here a
release that cannot work is refused before any process of it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from cop_gateway.app import open_store
from cop_gateway.errors import GatewayError
from cop_gateway.outbox.errors import OutboxError, StoreAwayError
from cop_gateway.outbox.postgres import PostgresOutbox
from cop_gateway.outbox.roster import COLOURS
from cop_gateway.outbox.store import Outbox
from cop_gateway.settings import PREFIX, Settings
from serving import command
from serving.configuration import load
from serving.errors import ServingError

PROGRAM = "sightline-cop-gateway migrate"
PAUSE_SECONDS = 1.0


def run(argv: Sequence[str]) -> int:
    """Migrate; gives the exit code: 0 done, 1 the database refuses, 2 a setting is refused."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="Brings the database's schema up to this release's, and ends."
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings as TOML")
    parser.add_argument(
        "--on-duty", choices=COLOURS,
        help="the colour that delivers, as long as no switch has ever decided",
    )  # fmt: skip
    parser.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS",
        help="how long a database that is not to be reached is asked again (default: %(default)g)",
    )  # fmt: skip
    arguments = parser.parse_args(argv)
    try:
        settings = load(
            Settings, prefix=PREFIX, environ=os.environ, file=arguments.config, overrides={}
        )
    except ServingError as error:
        return command.refuse(PROGRAM, error)
    try:
        store = _opened(settings, seconds=arguments.wait)
    except (GatewayError, OutboxError) as error:
        return command.refuse(PROGRAM, error, code=1)
    try:
        schema = store.schema()
        appointed = (
            store.appoint(arguments.on_duty)
            if arguments.on_duty and isinstance(store, PostgresOutbox)
            else False
        )
    except OutboxError as error:
        return command.refuse(PROGRAM, error, code=1)
    finally:
        store.close()
    said = {
        "event": "migrated",
        "schema": schema.database,
        "code": schema.code,
        "on_duty": arguments.on_duty if appointed else None,
    }
    sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
    return 0


def _opened(settings: Settings, *, seconds: float) -> Outbox:
    """The store, migrated.

    A new pod's address is let through by network policies only after a while, and a database that
    was installed together with this has yet to start.
    """
    ends = time.monotonic() + seconds
    while True:
        try:
            return open_store(msgspec.structs.replace(settings, colour="none"))
        except StoreAwayError:
            if time.monotonic() >= ends:
                raise
            time.sleep(PAUSE_SECONDS)
