"""``DIRECTORY SECONDS WORKERS OUT``: merges, writes, reads and summarizes synthetic results, and times each step."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from wsload.judge.figures.summary import summarize
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, merge
from wsload.measure.names import metrics
from wsload.results.reader import open_run
from wsload.results.trust import Standing, Trust
from wsload.results.writer import RunWriter

STARTED_AT = 1.7e9
DISTINCT = 50
"""How many different seconds are synthesized; they are repeated."""
VALUES = 1_000
"""Of each metric in a worker's second."""


def made_up(seed: int) -> Interval:
    """A second of one worker, with realistic latencies for every metric."""
    values = np.random.default_rng(seed)
    return Interval(
        start_s=STARTED_AT,
        length_s=1.0,
        histograms={
            metric: Histogram.of((values.lognormal(13.5, 0.7, VALUES)).astype(np.int64).tolist())
            for metric in metrics()
        },
        counters={"sent": VALUES, "received": 50 * VALUES, "cpu_ns": 300_000_000},
        gauges={"users": 50, "connections": 50, "in_flight": 3},
    )


def placed(interval: Interval, second: int) -> Interval:
    """The interval, moved to this second of the run."""
    return Interval(
        start_s=STARTED_AT + second,
        length_s=1.0,
        histograms=interval.histograms,
        counters=interval.counters,
        gauges=interval.gauges,
    )


def peak_mib() -> float:
    """The peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1 << 20)


def measured(directory: Path, seconds: int, workers: int) -> Iterator[tuple[str, str, float]]:
    pool = [made_up(seed) for seed in range(DISTINCT)]
    writer = RunWriter.create(directory, build="hour", target="", options={}, started_at=STARTED_AT)
    base, merging, writing = peak_mib(), 0.0, 0.0
    for second in range(seconds):
        parts = [placed(pool[(second + worker) % DISTINCT], second) for worker in range(workers)]
        began = time.perf_counter()
        whole = merge(parts)
        merged = time.perf_counter()
        writer.append(whole)
        merging += merged - began
        writing += time.perf_counter() - merged
    trust = Trust(standing=Standing.TRUSTED, verdict="Trusted")
    writer.finish(summarize(writer.totals).to_json(), ended_at=STARTED_AT + seconds, trust=trust)
    yield "merge", "s", merging
    yield "write", "s", writing
    yield "size", "MiB", sum(path.stat().st_size for path in writer.path.iterdir()) / (1 << 20)
    began = time.perf_counter()
    totals = open_run(writer.path).totals()
    yield "read", "s", time.perf_counter() - began
    began = time.perf_counter()
    summarize(totals)
    yield "summarize", "s", time.perf_counter() - began
    yield "memory, beyond the start", "MiB", peak_mib() - base


if __name__ == "__main__":
    found = list(measured(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
    Path(sys.argv[4]).write_text(json.dumps(found))
