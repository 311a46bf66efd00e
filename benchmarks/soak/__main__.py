"""An hour of load with faults mixed in, watched from outside.

    python -m benchmarks.soak [--time 1h] [--users 500] [--rate 5000] [--keep DIRECTORY]

The server leaves messages unanswered, closes connections and refuses openings, all of it counted; users leave and
come back too. Asserted are: memory grows by 1 % at most once the run has settled (after five minutes, or a third of
a shorter one), descriptors and threads stay, and wsload's counts equal the server's. Exit code 1 where one does not
hold. One process each for the load and the server; on two cores nothing else should run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.soak.judging import Finding, Sample, accounts, growth
from wsload.children import isolated_environment
from wsload.results.reader import find_runs, open_run
from wsload.words import duration_ns, span

LOCUSTFILE: Final = Path(__file__).parents[1] / "clients" / "soak_wsload.py"
ROOT: Final = Path(__file__).parents[2]
EVERY_S: Final = 2.0
SETTLED_S: Final = 300.0
SPARE_S: Final = 60.0


def soak(directory: Path, *, seconds: float, users: int, rate: float) -> list[Finding]:
    """Makes the run in this directory. Raises `RuntimeError` where it did not come to its end."""
    environment = {**isolated_environment(directory), "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))}
    ready = directory / "port"
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.soak.server", ready],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + SPARE_S
        while not ready.exists() or not ready.read_text():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server did not start")
            time.sleep(0.05)
        samples = _load(directory, environment, ready.read_text(), seconds=seconds, users=users, rate=rate)
        output, _ = server.communicate(timeout=SPARE_S)
    finally:
        server.kill()
        server.wait()
    (run,) = find_runs(directory / "results")
    stored = open_run(run)
    summary = stored.summary()
    if summary is None or stored.problems:
        raise RuntimeError(f"{run}: {'; '.join(stored.problems)}")
    (directory / "samples.json").write_text(json.dumps([asdict(sample) for sample in samples]))
    found = growth(samples, min(SETTLED_S, seconds / 3))
    verdict = stored.info.trust.verdict if stored.info.trust is not None else "none"
    return [
        *found,
        *accounts(summary, json.loads(output), rate),
        Finding(what="verdict", figures=verdict, holds=True),
    ]


def _load(
    directory: Path, environment: dict[str, str], port: str, *, seconds: float, users: int, rate: float
) -> list[Sample]:
    """Runs locust; what its process had meanwhile."""
    command = [sys.executable, "-m", "locust", "-f", LOCUSTFILE, "--headless", "--only-summary"]
    options = ["-u", users, "-r", users, "-t", f"{seconds:.0f}s", "--host", f"ws://127.0.0.1:{port}"]
    timing = ["--ws-message-timeout", "2s", "--ws-ping", "5s", "--stop-timeout", "5s"]
    samples: list[Sample] = []
    with (directory / "locust.log").open("w") as log:
        locust = subprocess.Popen(
            [*command, *map(str, options), *timing],
            cwd=directory,
            env={**environment, "SOAK_RATE": f"{rate / users:g}", "LOCUST_WS_ALLOW_INVALID": "true"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            process, began = psutil.Process(locust.pid), time.monotonic()
            while locust.poll() is None:
                at_s = time.monotonic() - began
                if at_s > seconds + 2 * SPARE_S:
                    raise RuntimeError(f"locust did not end: {directory / 'locust.log'}")
                if at_s < seconds:
                    samples.append(
                        Sample(
                            at_s=at_s,
                            memory=process.memory_info().rss,
                            descriptors=process.num_fds(),
                            threads=process.num_threads(),
                        )
                    )
                time.sleep(EVERY_S)
        finally:
            locust.kill()
            locust.wait()
    if "Traceback" in (said := (directory / "locust.log").read_text()):
        raise RuntimeError(f"locust said:\n{said[-4000:]}")
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--time", default="1h", help="such as 10m (default: 1h)")
    parser.add_argument("--users", type=int, default=500, help="default: 500")
    parser.add_argument(
        "--rate", type=float, default=5_000.0, help="messages a second in all (default: 5000)"
    )
    parser.add_argument(
        "--keep", type=Path, help="a directory for the run's results, which are removed otherwise"
    )
    asked = parser.parse_args()
    seconds = duration_ns(asked.time) / 1e9
    with tempfile.TemporaryDirectory(prefix="wsload-soak-") as name:
        directory = asked.keep or Path(name)
        directory.mkdir(parents=True, exist_ok=True)
        found = soak(directory.absolute(), seconds=seconds, users=asked.users, rate=asked.rate)
    table = Table(
        "what",
        "figures",
        "",
        title=f"{asked.users} users, {asked.rate:g}/s, {span(seconds)}",
        title_justify="left",
    )
    for finding in found:
        table.add_row(finding.what, finding.figures, "" if finding.holds else "DOES NOT HOLD")
    Console(width=120).print(table)
    return 0 if all(finding.holds for finding in found) else 1


if __name__ == "__main__":
    sys.exit(main())
