"""Which runs a command is about: directories, names, or the latest one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from wsload.errors import UsageError

LATEST: Final = "latest"

Results = Annotated[
    Path,
    typer.Option(
        "--results",
        metavar="DIR",
        envvar="LOCUST_WS_RESULTS",
        help="Where the runs' directories are.",
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
    """The directory that is meant.

    Raises `UsageError` when there is none, `ResultsError` when the results can't be read.
    """
    from wsload.results.reader import find_runs

    if run == LATEST:
        found = find_runs(results) if results.is_dir() else []
        if not found:
            raise UsageError(f"there are no runs in {results}: name another directory with --results")
        # Directories that somebody named otherwise come after those that say when they began.
        return max(found, key=lambda path: (_STAMP.match(path.name) is not None, path.name))
    for path in (Path(run), results / run):
        if path.is_dir():
            return path
    raise UsageError(f"there is no run {run!r}, neither as a directory nor in {results}: see wsload list")
