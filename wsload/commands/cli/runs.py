"""Which runs a command works on: directories, names, or the latest one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wsload.errors import ResultsError, UsageError

if TYPE_CHECKING:
    from wsload.judge.run.history import RunLine
    from wsload.results.window import Window

LATEST: Final = "latest"

Results = Annotated[
    Path,
    typer.Option(
        "--results",
        metavar="DIR",
        envvar="LOCUST_WS_RESULTS",
        help="The directory that holds the runs.",
    ),
]
RESULTS: Final = Path("results")

Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help=f"A run's directory, its name in the results directory, or '{LATEST}'.",
        show_default=False,
    ),
]

_STAMP: Final = re.compile(r"\d{8}T\d{6}Z-")


def find_run(run: str, results: Path) -> Path:
    """The run's directory.

    Raises `UsageError` when there is none, `ResultsError` when the results can't be read.
    """
    from wsload.results.reader import find_runs

    if run == LATEST:
        found = find_runs(results) if results.is_dir() else []
        if not found:
            raise UsageError(f"there are no runs in {results}: name another directory with --results")
        # Directories that were renamed, and don't begin with a timestamp, are considered last.
        return max(found, key=lambda path: (_STAMP.match(path.name) is not None, path.name))
    for path in (Path(run), results / run):
        if path.is_dir():
            return path
    raise UsageError(f"there is no run {run!r}, neither as a directory nor in {results}: see wsload list")


def read_lines(results: Path, window: Window | None = None) -> tuple[list[RunLine], list[str]]:
    """A line for each run in the directory, oldest first, and the problems of those that can't be read.

    A run without a summary, such as a killed one, is added up from its logs; so are all for another window.
    Raises `ResultsError` when the directory can't be read.
    """
    from wsload.judge.figures.summary import summarize
    from wsload.judge.run.history import run_line
    from wsload.results.reader import find_runs, open_run

    lines, problems = [], []
    for path in find_runs(results) if results.is_dir() else ():
        try:
            run = open_run(path)
            stored = run.summary() if window is None else None
            summary = stored or summarize(run.totals(window)).to_json()
        except ResultsError as error:
            problems.append(str(error))
        else:
            lines.append(run_line(path.name, run.info, run.problems, summary))
    return sorted(lines, key=lambda line: (line.started_at, line.name)), problems
