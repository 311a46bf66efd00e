"""The time and memory that the report of an hour's run takes: at most 10 s and 300 MB.

    python benchmarks/report_hour.py [seconds]

Writes a synthetic run (3,600 intervals of 8 metrics and 20 named requests) into a temporary directory, then makes its
report in a separate process.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from wsload.exit_codes import ExitCode
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.measure.names import SERVICE, Kind
from wsload.report.html import write_report
from wsload.results.trust import Standing, Trust
from wsload.results.writer import RunWriter

USERS = 200
RATE = 500
STARTED_AT = 1_732_278_960.0
SCALES_MS = {
    "message": 1.2,
    "message.service": 1.0,
    "open": 4.0,
    "login": 1.5,
    "delivery": 1.4,
    "ping": 0.4,
    "send_lag": 0.05,
    "loop_lag": 0.08,
}
COUNTS = {"delivery": 20 * RATE, "open": 5, "login": 5, "ping": 20, "loop_lag": 50}
NAMES = tuple(f"request {number}" for number in range(1, 21))
NAMED = 25
"""Of each, a second."""
LIMIT_S, LIMIT_MB = 10, 300


def write_run(results: Path, seconds: int) -> Path:
    """A run whose latency rises and falls every ten minutes, in a new directory."""
    random = np.random.default_rng(1)
    writer = RunWriter.create(
        results, build="an-hour", target="ws://127.0.0.1:8765/", options={}, started_at=STARTED_AT
    )
    for second in range(seconds):
        load = 1 + 0.4 * np.sin(second / 600 * 2 * np.pi)
        histograms = {}
        for metric, scale_ms in SCALES_MS.items():
            values = random.lognormal(np.log(scale_ms * 1e6 * load), 0.4, COUNTS.get(metric, RATE))
            histograms[metric] = Histogram.of(values.astype(np.int64).tolist())
        for name in NAMES:
            values = random.lognormal(np.log(2e6 * load), 0.4, NAMED).astype(np.int64).tolist()
            histograms[name] = histograms[name + SERVICE] = Histogram.of(values)
        writer.append(
            Interval(
                start_s=STARTED_AT + second,
                length_s=1.0,
                histograms=histograms,
                counters={"sent": RATE, "received": 20 * RATE, "cpu_ns": 400_000_000},
                names={} if second else dict.fromkeys(NAMES, Kind.REQUEST),
                gauges={"users": USERS, "connections": USERS, "in_flight": 3},
            )
        )
    trust = Trust(standing=Standing.TRUSTED, verdict="Trusted")
    writer.finish({"schema": 1}, ended_at=STARTED_AT + seconds, trust=trust)
    return writer.path


def measure(run: Path) -> None:
    """Makes the report in this process and prints its cost."""
    began, cpu_s = time.monotonic(), time.process_time()
    report = write_report(run)
    took_s, cpu_s = time.monotonic() - began, time.process_time() - cpu_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    size_kb = report.stat().st_size / 1000
    print(f"{took_s:.2f} s ({cpu_s:.2f} s of CPU), peak {peak_mb:.0f} MB, report of {size_kb:.0f} kB")
    sys.exit(ExitCode.FAILED if took_s > LIMIT_S or peak_mb > LIMIT_MB else ExitCode.OK)


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--measure":
        measure(Path(sys.argv[2]))
    with tempfile.TemporaryDirectory() as directory:
        stored = write_run(Path(directory), int(sys.argv[1]) if len(sys.argv) > 1 else 3600)
        sys.exit(subprocess.run([sys.executable, __file__, "--measure", str(stored)], check=False).returncode)
