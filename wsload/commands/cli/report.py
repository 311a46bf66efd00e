"""``wsload report``: a stored run as a page, as text for people, or as data for programs."""

from __future__ import annotations

import dataclasses
import io
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from wsload.commands.cli.output import add_to_job_summary
from wsload.commands.cli.runs import RESULTS, Results, Run, find_run
from wsload.commands.cli.window import ReportFrom, To, stretch_of
from wsload.errors import UsageError
from wsload.words import printable

if TYPE_CHECKING:
    from wsload.report.run_report import RunReport
    from wsload.results.window import Stretch


class Format(StrEnum):
    """A report's format."""

    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"
    JUNIT = "junit"
    TERMINAL = "terminal"
    CSV = "csv"


def report(
    run: Run = None,
    format_: Annotated[
        Format,
        typer.Option(
            "--format", "-f", help="html: one page that opens offline. csv and json: figures in ns."
        ),
    ] = Format.HTML,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file to write. Without it, html goes to report.html in the run's directory "
            "(--history: to history.html in the results directory), anything else to standard output.",
            show_default=False,
        ),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="One page of all runs: p50 and p99 per build over time.")
    ] = False,
    from_: ReportFrom = None,
    to: To = None,
    results: Results = RESULTS,
) -> None:
    """Make a report of a stored run, including one that was killed.

    If GITHUB_STEP_SUMMARY is set, Markdown is also appended to the file that it names.
    """
    if history:
        _history(run, format_, output, results, stretch_of(from_, to))
        return
    from wsload.report.html import REPORT
    from wsload.report.run_report import read_report

    path = find_run(run, results)
    found = read_report(path, stretch_of(from_, to))
    if format_ is Format.TERMINAL and output is None:
        _show(found, sys.stdout)
        return
    data = _rendered(found, format_)
    named = output is not None
    if format_ is Format.HTML:
        output = output or path / REPORT
    _put(data, output, named=named, told=format_ is Format.HTML)
    if format_ is Format.MARKDOWN:
        add_to_job_summary(data.decode)


def _put(data: bytes, output: Path | None, *, named: bool, told: bool) -> None:
    """Writes to the file, which the user ``named`` or not, or to standard output; ``told`` prints the file's name."""
    from wsload.results.files import put_out

    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    put_out(output, data, named=named, hint="; name a file with --output")
    if told and output.is_file():
        print(printable(str(output)))


def _rendered(found: RunReport, format_: Format) -> bytes:
    match format_:
        case Format.HTML:
            from wsload.report.html import render

            return render(found)
        case Format.MARKDOWN:
            from wsload.report.markdown import markdown

            text = markdown(found)
        case Format.JUNIT:
            from wsload.report.junit import junit

            text = junit(found)
        case Format.JSON:
            from wsload.report.plain_data import as_json

            text = as_json(found)
        case Format.CSV:
            from wsload.report.plain_data import as_csv

            text = as_csv(found)
        case Format.TERMINAL:
            stream = io.StringIO()
            _show(found, stream)
            text = stream.getvalue()
    return text.encode("utf-8", "replace")


def _show(found: RunReport, stream: IO[str]) -> None:
    from wsload.report.terminal import show_run

    info = dataclasses.replace(found.info, warnings=found.doubts)
    show_run(info, found.summary, found.path, problems=found.problems, file=stream)


def _history(
    run: str | None, format_: Format, output: Path | None, results: Path, stretch: Stretch | None
) -> None:
    from wsload.commands.cli.runs import read_lines
    from wsload.report.history import HISTORY, history_page
    from wsload.report.html import REPORT

    if run is not None or format_ is not Format.HTML:
        raise UsageError("--history is one page of all runs: it takes no RUN and no other --format")
    lines, problems = read_lines(results, stretch)
    if not lines:
        raise UsageError(f"there are no runs in {results}: name another directory with --results")
    page = output or results / HISTORY
    reports = {
        line.name: quote(os.path.relpath(path, page.parent))
        for line in lines
        if (path := results / line.name / REPORT).is_file()
    }
    _put(history_page(lines, problems, reports), page, named=output is not None, told=True)
