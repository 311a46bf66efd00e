"""A/A: the same server measured by two series of runs, which should agree.

    python -m benchmarks.a_a [--runs 10] [--seconds 5]

The runs alternate as A B B A, so that a machine that warms up affects both series equally. For every percentile up to
p99 it prints the medians of both series, their difference, and the extremes of single runs; it exits with 1 when two
medians differ by more than 5 % and 0.1 ms.

It needs an idle machine. On a shared one, ``chrt -r 1 python -m benchmarks.a_a`` gives the runs priority.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from wsload.commands.selftest.trial import run_locust
from wsload.exit_codes import ExitCode
from wsload.results.reader import StoredRun
from wsload.server.process import ServerProcess

METRICS = ("message", "message.service", "delivery", "ping")
PERCENTILES = (50, 90, 95, 99)
SHARE = 0.05
LEAST_MS = 0.1
LOAD = ("Poster", "-u", "20", "-r", "20", "--ws-rate", "200")
"""200 posts a second, 4,000 messages received."""

Figures = dict[tuple[str, int], float]


def main() -> int:
    """Measures, prints, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=10, help="of each series, at most 100")
    parser.add_argument("--seconds", type=int, default=5, help="of each run, at most 60")
    options = parser.parse_args()
    if not (2 <= options.runs <= 100 and 2 <= options.seconds <= 60):
        parser.error("--runs from 2 to 100, --seconds from 2 to 60")
    series: dict[str, list[Figures]] = {"A": [], "B": []}
    order = ("ABBA" * options.runs)[: 2 * options.runs]
    with ServerProcess("--quiet-roster") as server:
        for number, name in enumerate(order, start=1):
            with tempfile.TemporaryDirectory() as directory:
                run = run_locust(LOAD, seconds=options.seconds, host=server.url, directory=Path(directory))
                series[name].append(figures(run))
            warnings = [warning.text for warning in run.info.warnings if warning.invalidates]
            print(f"{number}/{len(order)} {name}", *warnings, sep="  ", file=sys.stderr)
    return show(series["A"], series["B"])


def figures(run: StoredRun) -> Figures:
    """The run's percentiles in ms."""
    histograms = run.totals().histograms
    return {
        (metric, percentile): histograms[metric].percentile(percentile) / 1e6
        for metric in METRICS
        for percentile in PERCENTILES
    }


def show(a: list[Figures], b: list[Figures]) -> int:
    """Prints the table; the exit code tells whether the series agree."""
    table = Table(box=None, padding=(0, 2, 0, 0), title=f"Medians of {len(a)} runs each, in ms")
    for head in ("", "A", "B", "apart", "%", "least", "most", ""):
        table.add_column(head, justify="right" if head else "left", no_wrap=True)
    agreed = True
    for key in a[0]:
        one, other = (median(run[key] for run in runs) for runs in (a, b))
        every = [run[key] for run in (*a, *b)]
        within = abs(other - one) <= max(SHARE * min(one, other), LEAST_MS)
        agreed &= within
        table.add_row(
            f"{key[0]} p{key[1]}",
            f"{one:.3f}",
            f"{other:.3f}",
            f"{other - one:+.3f}",
            f"{100 * (other / one - 1):+.1f}",
            f"{min(every):.3f}",
            f"{max(every):.3f}",
            "" if within else "APART",
        )
    Console().print(table)
    return ExitCode.OK if agreed else ExitCode.FAILED


if __name__ == "__main__":
    sys.exit(main())
