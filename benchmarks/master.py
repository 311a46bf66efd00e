"""What a second of many workers costs the master: ``python -m benchmarks.master [--workers 200] [--names 50]``.

Each worker's interval holds response and service times of every name, 50 values each. Prints the CPU time of reading
and merging the intervals of all workers for one second, the size of an interval, and the memory of the process.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from statistics import median
from typing import Any

import msgpack
import numpy as np

from wsload.exit_codes import ExitCode
from wsload.load.cluster.collector import Collector
from wsload.load.cluster.wire import from_wire, to_wire
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.words import milliseconds, size

STARTED_AT = 1.8e9
DISTINCT = 20
"""So many different intervals are made; they are repeated."""
VALUES = 50
SECONDS = 10
GOAL_S = 0.3


def main() -> int:
    """Measures, prints, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, default=200, help="at most 1000")
    parser.add_argument("--names", type=int, default=50, help="at most 200")
    options = parser.parse_args()
    if not (1 <= options.workers <= 1_000 and 1 <= options.names <= 200):
        parser.error("--workers from 1 to 1000, --names from 1 to 200")
    pool = [made_up(seed, options.names) for seed in range(DISTINCT)]
    seconds: list[Interval] = []
    collector = Collector(seconds.append)
    costs = []
    for second in range(SECONDS):
        began = time.process_time()
        for worker in range(options.workers):
            data = {**pool[(worker + second) % DISTINCT], "start_s": STARTED_AT + second}
            collector.add(f"{worker}", second + 1, from_wire(data), now_s=STARTED_AT + second + 1)
        costs.append(time.process_time() - began)
    collector.finish()
    assert (
        sum(found.counters["sent"] for found in seconds) == SECONDS * options.workers * options.names * VALUES
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1024 if sys.platform == "linux" else 1)
    print(
        f"{options.workers} workers, {options.names} names: {milliseconds(1e9 * median(costs))} of CPU a second "
        f"(goal: {milliseconds(1e9 * GOAL_S)}); {size(len(msgpack.packb(pool[0])))} an interval; "
        f"{size(peak)} in all"
    )
    return ExitCode.OK if median(costs) <= GOAL_S else ExitCode.FAILED


def made_up(seed: int, names: int) -> dict[str, Any]:
    """A worker's interval as it is sent."""
    values = np.random.default_rng(seed)
    histograms = {
        f"request {number}{part}": Histogram.of(values.lognormal(16.5, 0.5, VALUES).astype(np.int64).tolist())
        for number in range(names)
        for part in ("", ".service")
    }
    return to_wire(Interval(length_s=1.0, histograms=histograms, counters={"sent": names * VALUES}))


if __name__ == "__main__":
    sys.exit(main())
