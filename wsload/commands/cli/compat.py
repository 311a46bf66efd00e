"""What wsload uses of ``typer`` without its documentation promising it: the command line of a command.

The canaries in tests/unit/test_compat_cli.py name the version when a release changes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import typer
from typer.core import TyperCommand


class SpreadCommand(TyperCommand):
    """A command whose words are changed before they are parsed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Called with the words of the command line."""
        return super().parse_args(ctx, self.spread(args))

    def spread(self, words: Sequence[str]) -> list[str]:
        """For subclasses: what is parsed instead of these words."""
        return list(words)


def given(context: typer.Context) -> Iterator[tuple[str, str]]:
    """The parameters that the command line has: the name of each, and how it is written there."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name and source is not None and source.name == "COMMANDLINE":
            yield parameter.name, parameter.opts[0] if parameter.opts else parameter.name
