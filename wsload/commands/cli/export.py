"""``wsload export``: a stored run's percentiles in other tools' formats."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wsload.commands.cli.output import write_text
from wsload.commands.cli.runs import RESULTS, Results, Run, find_run
from wsload.commands.cli.window import From, To, stretch_of
from wsload.errors import UsageError
from wsload.measure.names import for_people, in_order, leading
from wsload.report.hgrm import distribution
from wsload.results.files import put_out
from wsload.results.reader import open_run
from wsload.words import printable


class Format(StrEnum):
    """A distribution's format."""

    HGRM = "hgrm"
    CSV = "csv"


def export(
    run: Run = None,
    format_: Annotated[
        Format, typer.Option("--format", "-f", help="hgrm: as the HdrHistogram tools print it.")
    ] = Format.HGRM,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which metric to export: any name. The default is message, or the busiest request.",
            show_default=False,
        ),
    ] = None,
    from_: From = None,
    to: To = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The file to write, instead of standard output.",
            show_default=False,
        ),
    ] = None,
    results: Results = RESULTS,
) -> None:
    """Write one metric's percentile distribution, in ms, for HdrHistogram's plotters or a spreadsheet."""
    path = find_run(run, results)
    stored = open_run(path)
    totals = stored.totals(stretch_of(from_, to))
    histograms = totals.histograms
    counts = {name: histogram.total for name, histogram in histograms.items()}
    metric = metric or leading(counts, totals.names) or "message"
    if metric not in histograms:
        there = ", ".join(map(printable, in_order(filter(for_people, histograms)))) or "none"
        raise UsageError(f"--metric {metric!r}: {path} has no such metric; it has: {there}")
    text = distribution(histograms[metric], started_at=stored.info.started_at, csv=format_ is Format.CSV)
    if output is None:
        write_text(text)
        return
    put_out(output, text.encode(), what=f"--output {str(output)!r}:")
