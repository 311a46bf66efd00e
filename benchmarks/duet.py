"""Two builds side by side and one at a time, beside a noisy neighbour: how sure `wsload ab` is, and how often right.

    python -m benchmarks.duet scatter [--pairs 10] [--seconds 8] [--at-once]
    python -m benchmarks.duet tries [--count 40] [--row equal …] [--way side-by-side …] [--together 4] [--keep FILE]

The server answers after 2 ms, and every fiftieth time after 20 ms more; meanwhile another process takes a core in
random bursts. 10 users post 150 times a second.

``scatter`` makes pairs of equal builds in each way, pinned and not, in slices of two pairs so that all ways meet the
same machine, and prints the mean and the standard deviation of ln(B/A) over the pairs. With ``--at-once`` the server
answers without any delay.

``tries`` makes whole experiments with the default plan: *equal* builds, one that answers 5 % later (*p50*), and one
whose fiftieth answers come 10 % later (*p99*). It counts what each was called. One at a time the default plan takes
three times as long, so there it is half the pairs, with runs as long as side by side: the same time for each answer,
three and a half minutes. 40 of each take 14 hours one by one. An experiment keeps a fifth of a core busy, so
``--together`` makes several at the same time: to each, the others are more noise beside the one neighbour. ``--keep``
adds each to a file of JSON lines, so that they can be made bit by bit, and `KEPT` is what has been made so far
(``--count 0`` prints its table). In the lines with ``"tests": true`` this repository's tests ran at the same time.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from rich.box import MARKDOWN
from rich.console import Console
from rich.progress import track
from rich.table import Table

from wsload.commands.ab.experiment import load
from wsload.commands.ab.judging import report_of
from wsload.exit_codes import ExitCode
from wsload.judge.compare.pairs import Side
from wsload.results.reader import open_run
from wsload.words import span

ROOT = Path(__file__).parents[1]
PERCENTILES = (50, 95, 99)
BURSTS = """
import random, time
while True:
    end = time.monotonic() + random.expovariate(1 / 0.3)
    while time.monotonic() < end: pass
    time.sleep(random.expovariate(1 / 0.6))
"""
ALONE, PINNED = ("--one-at-a-time",), ("--pin", "auto")
BOTH = ("--side-by-side", "--calibrate", "0")
KINDS = {
    "one at a time": ALONE,
    "one at a time, pinned": (*ALONE, *PINNED),
    "side by side": BOTH,
    "side by side, pinned": (*BOTH, *PINNED),
}
SLICE = 2
"""Pairs of one kind before the other's."""
BASE = "--fault delay=2ms --fault late=2%@20ms"
AT_ONCE = ""
ROWS = {
    "equal": BASE,
    "p50": "--fault delay=2.1ms --fault late=2%@20ms",
    "p99": "--fault delay=2ms --fault late=2%@22.2ms",
}
"""What the candidate is: a fiftieth answer takes 22 ms, or 24.2."""
WAYS = {"side-by-side": (), "one-at-a-time": (*ALONE, "-t", "12s", "--pairs", "5")}
PAIR_S = 20
KEPT = Path(__file__).with_name("duet_tries.jsonl")
LOAD = ("-f", str(ROOT / "locustfiles" / "chat.py"), "-u", "10", "-r", "10")
RATE = ("--", "--ws-rate", "150")
Ratios = dict[int, list[float]]
"""ln(B/A) of each pair, by percentile."""


def main() -> int:
    """Measures, prints, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    scatter = kinds.add_parser("scatter")
    scatter.add_argument("--pairs", type=int, default=10, help="of each kind, even, at most 100")
    scatter.add_argument("--seconds", type=int, default=8, help="of each run, at most 60")
    scatter.add_argument("--at-once", action="store_true", help="with a server that answers without delay")
    scatter.set_defaults(do=measure_scatter)
    tries = kinds.add_parser("tries")
    tries.add_argument("--count", type=int, default=40, help="of each row and way, at most 200")
    tries.add_argument("--row", choices=ROWS, action="append", help="may be repeated; default: all")
    tries.add_argument("--way", choices=WAYS, action="append", help="may be repeated; default: both")
    tries.add_argument("--together", type=int, default=1, help="experiments at the same time, at most 8")
    tries.add_argument("--keep", type=Path, help="a file of JSON lines, to which each experiment is added")
    tries.set_defaults(do=make_tries)
    options = parser.parse_args()
    with neighbour(), tempfile.TemporaryDirectory() as directory:
        print(as_text(options.do(options, Path(directory))))
    return ExitCode.OK


def as_text(table: Table) -> str:
    """The table in Markdown."""
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get().strip()


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    """A process that takes a third of a core, in random bursts."""
    busy = subprocess.Popen([sys.executable, "-c", BURSTS])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


def run_ab(place: Path, baseline: str, candidate: str, *words: str) -> Path:
    """Makes an experiment; returns its directory."""
    serve = f"{sys.executable} -m wsload serve --port {{port}} --quiet-roster"
    builds = ("--a", f"{serve} {baseline}", "--b", f"{serve} {candidate}")
    command = [sys.executable, "-m", "wsload", "ab", *builds, *LOAD, "--results", str(place), *words]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (path,) = place.glob("ab-*")
    return path


# How much the ratio scatters


def measure_scatter(options: argparse.Namespace, directory: Path) -> Table:
    server = AT_ONCE if options.at_once else BASE
    found: dict[str, Ratios] = {kind: {percentile: [] for percentile in PERCENTILES} for kind in KINDS}
    for number in track(range(options.pairs // SLICE), console=Console(stderr=True), transient=True):
        for kind in random.sample(list(KINDS), len(KINDS)):
            place = directory / f"{number}-{list(KINDS).index(kind)}"
            lengths = ("-t", f"{options.seconds}s", "--warm-up", "2s", "--pairs", str(SLICE))
            path = run_ab(place, server, server, *lengths, *KINDS[kind], *RATE, "--ws-allow-invalid")
            for percentile, ratios in ratios_of(path).items():
                found[kind][percentile] += ratios
    shown = Table("runs", "pairs", *(f"p{percentile}" for percentile in PERCENTILES), box=MARKDOWN)
    for kind, each in found.items():
        cells = [f"{mean(ratios):+.3f} ± {stdev(ratios):.3f}" for ratios in each.values()]
        shown.add_row(kind, str(len(each[PERCENTILES[0]])), *cells)
    return shown


def ratios_of(path: Path) -> Ratios:
    """Those of an experiment's whole pairs."""
    runs = [(side, open_run(path / outcome.run).totals()) for side, outcome in load(path).runs()]
    baseline, candidate = (
        [totals.histograms["message"].percentiles(PERCENTILES) for found, totals in runs if found is side]
        for side in Side
    )
    return {
        percentile: [math.log(b[at] / a[at]) for a, b in zip(baseline, candidate, strict=False)]
        for at, percentile in enumerate(PERCENTILES)
    }


# How often the answer is right


def make_tries(options: argparse.Namespace, directory: Path) -> Table:
    wanted = [(row, way) for way in options.way or WAYS for row in options.row or ROWS]
    found = read(options.keep) if options.keep else []
    turns = [each for _ in range(options.count) for each in wanted]
    with ThreadPoolExecutor(options.together) as pool:
        made = [
            pool.submit(make_try, directory / str(number), row, way, options.together)
            for number, (row, way) in enumerate(turns)
        ]
        for each in track(as_completed(made), total=len(made), console=Console(stderr=True), transient=True):
            found.append(each.result())
            if options.keep:
                with options.keep.open("a") as file:
                    file.write(json.dumps(found[-1]) + "\n")
    if some := biases(found):
        print(f"A and A: p50 {mean(some):+.2%}, from {min(some):+.2%} to {max(some):+.2%}")
    return counted(found)


def make_try(place: Path, row: str, way: str, together: int) -> dict[str, Any]:
    """One experiment. Of several at a time, none is in step with another."""
    if together > 1:
        time.sleep(random.uniform(0, PAIR_S))
    began_s = time.monotonic()
    path = run_ab(place, BASE, ROWS[row], *WAYS[way], *RATE)
    took_s = time.monotonic() - began_s
    return {"row": row, "way": way, "beside": together - 1, "took_s": took_s, **answer(path)}


def answer(path: Path) -> dict[str, Any]:
    """What an experiment was called, and each of its statistics."""
    comparison = report_of(path, load(path)).comparison
    return {
        "code": int(comparison.exit_code),
        "verdict": comparison.verdict,
        "pairs": len(comparison.pairs),
        "statistics": {
            each.name: {
                "baseline_ms": each.baseline / 1e6,
                "change": each.change,
                "low": each.low,
                "high": each.high,
                "deviation": each.deviation,
                "bias": each.calibration,
                "verdict": each.verdict,
            }
            for each in comparison.judgements
            if not each.is_share
        },
    }


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def counted(found: list[dict[str, Any]]) -> Table:
    shown = Table(
        "candidate",
        "way",
        "beside",
        "tries",
        "exit 0",
        "exit 1",
        "faster",
        "neither",
        "called slower",
        "p50 between",
        "p99 between",
        "each took",
        box=MARKDOWN,
    )
    for row, way, beside in itertools.product(ROWS, WAYS, sorted({company(each) for each in found})):
        tries = [each for each in found if (each["row"], each["way"], company(each)) == (row, way, beside)]
        if tries:
            codes = [each["code"] for each in tries]
            faster = sum(each["verdict"] == "faster" for each in tries)
            shown.add_row(
                row,
                way,
                beside or "–",
                str(len(tries)),
                str(codes.count(ExitCode.OK) - faster),
                str(codes.count(ExitCode.FAILED)),
                str(faster),
                str(len(codes) - codes.count(ExitCode.OK) - codes.count(ExitCode.FAILED)),
                ", ".join(f"{at} in {called(tries, at)}" for at in ("p50", "p99")),
                *(bounds(tries, at) for at in ("p50", "p99")),
                span(mean(each["took_s"] for each in tries)),
            )
    return shown


def company(found: dict[str, Any]) -> str:
    """What ran beside an experiment, apart from the noisy neighbour."""
    others = f"{found['beside']} more" if found["beside"] else ""
    return "2 to 4 more, tests" if found.get("tests") else others


def called(tries: list[dict[str, Any]], at: str) -> int:
    """In how many experiments this percentile was called slower."""
    return sum(statistics_at(each, at).get("verdict") == "slower" for each in tries)


def bounds(tries: list[dict[str, Any]], at: str) -> str:
    """The medians of a percentile's lower and upper bounds."""
    judged = [found for each in tries if (found := statistics_at(each, at))]
    if not judged:
        return "–"
    low, high = (median(each[bound] or math.nan for each in judged) - 1 for bound in ("low", "high"))
    return f"{low:+.1%} and {high:+.1%}"


def biases(found: list[dict[str, Any]]) -> list[float]:
    """What A differed from itself by at p50 in each experiment's calibration, where that is known."""
    known = [statistics_at(each, "p50").get("bias") for each in found]
    return [each - 1 for each in known if each is not None]


def statistics_at(found: dict[str, Any], at: str) -> dict[str, Any]:
    statistics: dict[str, dict[str, Any]] = found["statistics"]
    return statistics.get(f"message.{at}", {})


if __name__ == "__main__":
    sys.exit(main())
