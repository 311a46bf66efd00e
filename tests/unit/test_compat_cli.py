"""Canaries: what wsload needs of `typer` beyond its documentation is still there, and does that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pytest
import typer
from canary import needed
from typer.testing import CliRunner

from wsload.commands.cli import compat


class Doubled(compat.SpreadCommand):
    def spread(self, words: Sequence[str]) -> list[str]:
        return [*words, *words]


def test_the_words_of_a_command_can_be_changed_before_they_are_parsed() -> None:
    with needed("typer", "TyperCommand.parse_args", "to take several runs after --a"):
        app, found = typer.Typer(), []

        @app.command(cls=Doubled)
        def command(a: Annotated[list[str], typer.Option("--a")]) -> None:
            found.extend(a)

        done = CliRunner().invoke(app, ["--a", "x", "--a=y"])
        assert (done.exit_code, found) == (0, ["x", "y", "x", "y"]), done.output


def test_what_the_command_line_has_is_known_as_it_is_written_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with needed(
        "typer", "Context.command.params and .get_parameter_source", "to refuse changes of a stored plan"
    ):
        app, found = typer.Typer(), []

        @app.command()
        def command(
            context: typer.Context,
            file: Annotated[str, typer.Argument()] = "",
            locustfile: Annotated[str, typer.Option("--locustfile", "-f")] = "",
            pairs: int = 10,
            other: Annotated[int, typer.Option(envvar="OTHER")] = 1,
        ) -> None:
            found.extend(compat.given(context))

        monkeypatch.setenv("OTHER", "2")
        done = CliRunner().invoke(app, ["-f", "x.py", "y"])
        assert (done.exit_code, found) == (0, [("file", "file"), ("locustfile", "--locustfile")]), done.output
