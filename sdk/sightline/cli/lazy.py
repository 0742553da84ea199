"""A group whose commands are imported when they are needed, so that --help is there at once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """Commands by name: the module that has each, and one line about it."""

    def __init__(self, *args: Any, lazily: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lazily = lazily

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """Their names, in the order in which they are to be read."""
        return list(self.lazily)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        cmd_name: str,
    ) -> click.Command | None:
        """Import it."""
        if cmd_name not in self.lazily:
            return None
        module, _ = self.lazily[cmd_name]
        # By its own name: a function cannot be called `list` beside those that use lists.
        return next(
            each
            for each in vars(importlib.import_module(module)).values()
            if isinstance(each, click.Command) and each.name == cmd_name
        )

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's
        formatter: click.HelpFormatter,
    ) -> None:
        """From the table; nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.lazily.items()])
