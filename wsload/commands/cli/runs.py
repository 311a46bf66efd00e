"""Which runs a command works on: directories, names, or the latest one."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wsload.errors import ResultsError, UsageError

if TYPE_CHECKING:
    from wsload.judge.run.history import RunLine
    from wsload.results.window import Stretch

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

WHICH_RUN: Final = (
    "A run's directory, its name in the results directory, its build's label (then its latest run), or "
    f"'{LATEST}', which is the default."
)
Run = Annotated[str | None, typer.Argument(metavar="RUN", help=WHICH_RUN, show_default=False)]

_STAMP: Final = re.compile(r"\d{8}T\d{6}Z-")


def find_run(run: str | None, results: Path) -> Path:
    """The run's directory; the latest one's where nothing is named.

    Raises `UsageError` when there is none, `ResultsError` when the results can't be read.
    """
    # Directories that were renamed, and don't begin with a timestamp, are considered last.
    return max(
        runs_of(run or LATEST, results), key=lambda path: (_STAMP.match(path.name) is not None, path.name)
    )


def runs_of(word: str, results: Path) -> list[Path]:
    """The directories that a word stands for: one run's, or those of every run of the build with this label.

    Raises as `find_run` does.
    """
    from wsload.results.reader import find_runs, open_run

    stored = find_runs(results) if results.is_dir() else []
    if word == LATEST:
        if not stored:
            raise UsageError(f"there are no runs in {results}: name another directory with --results")
        return stored
    for path in (Path(word), results / word):
        if path.is_dir():
            return [path]
    labelled = []
    for path in stored:
        with contextlib.suppress(ResultsError):
            if open_run(path).info.build == word:
                labelled.append(path)
    if not labelled:
        raise UsageError(
            f"no run {word!r}: it is neither a directory nor the name of a run or build in {results}; "
            "see wsload list"
        )
    return labelled


def read_lines(results: Path, stretch: Stretch | None = None) -> tuple[list[RunLine], list[str]]:
    """A line for each run in the directory, oldest first, and the problems of those that can't be read.

    A run without a summary, such as a killed one, is added up from its logs; so are all for another stretch.
    Raises `ResultsError` when the directory can't be read.
    """
    from wsload.judge.figures.summary import summarize
    from wsload.judge.run.history import run_line
    from wsload.judge.run.rejudge import process_figures_of, rejudged
    from wsload.results.reader import find_runs, open_run

    lines, problems = [], []
    for path in find_runs(results) if results.is_dir() else ():
        try:
            run = open_run(path)
            info, summary = run.info, run.summary() if stretch is None else None
            if summary is None:
                watch = process_figures_of(run)
                for interval in run.measured(stretch, watch.before):
                    watch.add(interval)
                summary = summarize(watch.totals).to_json()
                if info.trust is not None:
                    info = rejudged(info, watch)
        except ResultsError as error:
            problems.append(str(error))
        else:
            lines.append(run_line(path.name, info, run.problems, summary))
    return sorted(lines, key=lambda line: (line.started_at, line.name)), problems
