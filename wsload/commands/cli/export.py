"""``wsload export``: a stored run's percentiles in other tools' formats."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from wsload.commands.cli.window import From, To, window_of
from wsload.errors import UsageError
from wsload.measure.names import for_people, in_order, leading
from wsload.report.hgrm import distribution
from wsload.results.reader import open_run
from wsload.results.run import replace_file


def export(
    run: Annotated[Path, typer.Argument(help="A results directory: results/<run>.", show_default=False)],
    hgrm: Annotated[bool, typer.Option("--hgrm", help="As the HdrHistogram tools print it.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Which metric to export: any name. The default is message, or the busiest request.",
            show_default=False,
        ),
    ] = None,
    from_: From = None,
    to: To = None,
    output: Annotated[
        Path | None,
        typer.Option(help="The file to write, instead of standard output.", show_default=False),
    ] = None,
) -> None:
    """Write one metric's percentile distribution, in ms, for HdrHistogram's plotters or a spreadsheet."""
    if hgrm == csv:
        raise UsageError("wsload export: choose a format: --hgrm or --csv")
    stored = open_run(run)
    totals = stored.totals(window_of(from_, to))
    histograms = totals.histograms
    counts = {name: histogram.total for name, histogram in histograms.items()}
    metric = metric or leading(counts, totals.names) or "message"
    if metric not in histograms:
        there = ", ".join(in_order(filter(for_people, histograms))) or "none"
        raise UsageError(f"--metric {metric!r}: {run} has no such metric; it has: {there}")
    text = distribution(histograms[metric], started_at=stored.info.started_at, csv=csv)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        replace_file(output, text.encode())
    except OSError as error:
        raise UsageError(f"--output {str(output)!r}: can't be written ({error.strerror})") from error
