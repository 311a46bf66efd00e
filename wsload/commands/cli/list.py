"""``wsload list``: the stored runs."""

from __future__ import annotations

import sys

from wsload.commands.cli.runs import RESULTS, Results, read_lines

WIDTH_OF_FILES = 200
"""Width of output that does not go to a terminal: names should stay on one line, to be copied."""


def list_runs(results: Results = RESULTS) -> None:
    """List the stored runs: time, build, users, latency, checks, and how far they can be trusted.

    The latest comes last. Runs that can't be read are named below the table.
    """
    from rich.console import Console

    from wsload.report.history import runs_table
    from wsload.report.terminal import Grid
    from wsload.results.run import CheckState
    from wsload.results.trust import Standing

    lines, problems = read_lines(results)
    if not lines and not problems:
        print(f"There are no runs in {results}.")
        return
    found = runs_table(lines)
    doubtful = [
        place
        for place, line in enumerate(lines)
        if line.standing not in (Standing.TRUSTED, Standing.PARTLY)
        or line.checks.keys() - {CheckState.PASSED}
    ]
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = WIDTH_OF_FILES
    if lines:
        console.print(Grid(found, red=doubtful))
    for problem in problems:
        print(f"wsload list: {problem}", file=sys.stderr)
