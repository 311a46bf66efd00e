"""``wsload list``: the stored runs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wsload.commands.cli.compare import Format
from wsload.commands.cli.output import say
from wsload.commands.cli.runs import RESULTS, Results, read_lines
from wsload.words import printable, printable_json

if TYPE_CHECKING:
    from wsload.judge.run.history import RunLine

WIDTH_OF_FILES: Final = 200
"""Width of output that does not go to a terminal: names should stay on one line, to be copied."""


def list_runs(
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="How it is printed; json has times in ns.")
    ] = Format.TERMINAL,
    results: Results = RESULTS,
) -> None:
    """List the stored runs: their names, load, latency, checks, and how far they can be trusted.

    The latest comes last. Runs that can't be read are named below the table.
    """
    from dataclasses import asdict, replace

    from wsload.report.history import runs_table
    from wsload.report.markdown import table_lines

    lines, problems = read_lines(results)
    if format_ is Format.JSON:
        shown = [asdict(replace(line, checks={**line.checks})) for line in lines]
        print(printable_json(json.dumps(shown, indent=2, ensure_ascii=False)))
    elif not lines and not problems:
        print(f"There are no runs in {printable(str(results))}.")
    elif format_ is Format.MARKDOWN:
        print("\n".join(table_lines(runs_table(lines))))
    elif lines:
        _show(lines)
    for problem in problems:
        say(f"wsload list: {problem}")


def _show(lines: list[RunLine]) -> None:
    """Prints the table; where space is short, without the columns that repeat parts of the names."""
    from rich.console import Console, Group
    from rich.text import Text

    from wsload.report.history import runs_table
    from wsload.report.terminal import Grid, as_text
    from wsload.results.run import CheckState
    from wsload.results.trust import Standing

    doubtful = [
        place
        for place, line in enumerate(lines)
        if line.standing not in (Standing.TRUSTED, Standing.PARTLY)
        or line.checks.keys() - {CheckState.PASSED}
    ]
    console = Console()
    free = not console.is_terminal and not os.environ.get("COLUMNS")
    width = WIDTH_OF_FILES if free else console.width
    grid = Grid(runs_table(lines), red=doubtful)
    if grid.width > width:
        grid = Grid(runs_table(lines, brief=True), red=doubtful)
    notes = (Text(note, style="dim") for note in grid.table.notes)
    sys.stdout.write(as_text(Group(grid, *notes), sys.stdout, width=width))
