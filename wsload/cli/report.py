"""``wsload report``: a stored run as a page, as text for people, or as data for programs."""

from __future__ import annotations

import io
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from wsload.cli.runs import LATEST, RESULTS, Results, Run, find_run
from wsload.errors import UsageError

if TYPE_CHECKING:
    from wsload.report.run_report import RunReport

STEP_SUMMARY: Final = "GITHUB_STEP_SUMMARY"


class Format(StrEnum):
    """What a report can be made as."""

    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"
    JUNIT = "junit"
    TERMINAL = "terminal"
    CSV = "csv"


def report(
    run: Run = LATEST,
    format_: Annotated[
        Format,
        typer.Option("--format", "-f", help="html: one page that opens offline. csv and json: figures in ns."),
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
    results: Results = RESULTS,
) -> None:
    """Make a report of a stored run, also of one that was killed.

    Markdown is also appended to the file that GITHUB_STEP_SUMMARY names, when it is set.
    """
    if history:
        _history(run, format_, output, results)
        return
    from wsload.report.html import REPORT
    from wsload.report.run_report import read_report

    path = find_run(run, results)
    found = read_report(path)
    data = _rendered(found, format_)
    if format_ is Format.HTML:
        output = output or path / REPORT
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    else:
        _write(output, data)
        print(output, file=sys.stdout if format_ is Format.HTML else sys.stderr)
    if format_ is Format.MARKDOWN and (summary := os.environ.get(STEP_SUMMARY)):
        _append(Path(summary), data)


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
            text = _terminal(found)
    return text.encode("utf-8", "replace")
