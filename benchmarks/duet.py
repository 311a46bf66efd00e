"""Two builds in turn and side by side, pinned or not: how much their ratio scatters, with a noisy neighbour.

    python -m benchmarks.duet [--pairs 10] [--seconds 8] [--candidate 2.1ms]

Makes one experiment of each kind with ``wsload ab``, alternately in slices of two pairs so that all meet the same
machine, while another process takes a core in random bursts. The server answers after 2 ms, the candidate after as
much unless told otherwise. Prints the mean and the standard deviation of ln(B/A) over the pairs. Every slice adds
about half a minute for each kind and 8 s.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev

from rich.console import Console
from rich.progress import track
from rich.table import Table

from wsload.commands.ab.experiment import load
from wsload.exit_codes import ExitCode
from wsload.judge.compare.pairs import Side
from wsload.results.reader import open_run

ROOT = Path(__file__).parents[1]
PERCENTILES = (50, 95, 99)
BURSTS = """
import random, time
while True:
    end = time.monotonic() + random.expovariate(1 / 0.3)
    while time.monotonic() < end: pass
    time.sleep(random.expovariate(1 / 0.6))
"""
PINNED = ("--pin", "auto")
KINDS = {
    "in turn": (),
    "in turn, pinned": PINNED,
    "side by side": ("--side-by-side",),
    "side by side, pinned": ("--side-by-side", *PINNED),
}
SLICE = 2
"""Pairs of one kind before the other's."""
Ratios = dict[int, list[float]]
"""ln(B/A) of each pair, by percentile."""


def main() -> int:
    """Measures, prints, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10, help="of each kind, even, at most 100")
    parser.add_argument("--seconds", type=int, default=8, help="of each run, at most 60")
    parser.add_argument("--candidate", default="2ms", help="after which time the candidate answers")
    options = parser.parse_args()
    if not (SLICE <= options.pairs <= 100 and 2 <= options.seconds <= 60):
        parser.error(f"--pairs from {SLICE} to 100, --seconds from 2 to 60")
    found: dict[str, Ratios] = {kind: {percentile: [] for percentile in PERCENTILES} for kind in KINDS}
    with neighbour(), tempfile.TemporaryDirectory() as directory:
        for number in track(range(options.pairs // SLICE), console=Console(stderr=True), transient=True):
            for kind in random.sample(list(KINDS), len(KINDS)):
                place = Path(directory) / f"{number}-{list(KINDS).index(kind)}"
                for percentile, ratios in experiment(place, KINDS[kind], options).items():
                    found[kind][percentile] += ratios
    Console().print(table(found))
    return ExitCode.OK


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    """A process that takes a third of a core, in random bursts."""
    busy = subprocess.Popen([sys.executable, "-c", BURSTS])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


def experiment(place: Path, kind: tuple[str, ...], options: argparse.Namespace) -> Ratios:
    """The ratios of a short experiment's whole pairs."""
    serve = f"{sys.executable} -m wsload serve --port {{port}} --quiet-roster"
    words = [sys.executable, "-m", "wsload", "ab", "--a", f"{serve} --fault delay=2ms"]
    words += [
        "--b",
        f"{serve} --fault delay={options.candidate}",
        "-f",
        str(ROOT / "locustfiles" / "chat.py"),
    ]
    words += ["-u", "10", "-r", "10", "-t", f"{options.seconds}s", "--warm-up", "2s", "--pairs", str(SLICE)]
    words += [*kind, "--results", str(place), "--", "--ws-rate", "150", "--ws-allow-invalid"]
    subprocess.run(words, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (path,) = place.glob("ab-*")
    runs = [(side, open_run(path / outcome.run).totals()) for side, outcome in load(path).runs()]
    baseline, candidate = (
        [totals.histograms["message"].percentiles(PERCENTILES) for found, totals in runs if found is side]
        for side in Side
    )
    return {
        percentile: [math.log(b[at] / a[at]) for a, b in zip(baseline, candidate, strict=False)]
        for at, percentile in enumerate(PERCENTILES)
    }


def table(found: dict[str, Ratios]) -> Table:
    """A row for each kind: the mean and the scatter of the ratios."""
    shown = Table("runs", "pairs", *(f"p{percentile}" for percentile in PERCENTILES))
    for kind, ratios in found.items():
        cells = [f"{mean(each):+.3f} ± {stdev(each):.3f}" for each in ratios.values()]
        shown.add_row(kind, str(len(ratios[PERCENTILES[0]])), *cells)
    return shown


if __name__ == "__main__":
    sys.exit(main())
