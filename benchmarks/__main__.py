"""``python -m benchmarks``: compares wsload's cost with other clients', in interleaved rounds; about 13 minutes.

Everything runs on 127.0.0.1. Every round measures every case once, so that changes of the machine affect all of them
equally; ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from benchmarks.cases import fan_in, honesty, hour, memory, opening, pacing, round_trip, sizes, transports
from benchmarks.figures import Sample, figures, outcomes
from benchmarks.goals import GOALS
from benchmarks.processes import Failed
from benchmarks.tables import figure_tables, goal_table, machine, to_json
from benchmarks.world import World, world
from wsload.exit_codes import ExitCode

CASES: dict[str, Callable[[World, int], Iterator[Sample]]] = {
    "round-trip": round_trip.measure,
    "size": sizes.measure,
    "transport": transports.measure,
    "fan-in": fan_in.measure,
    "honesty": honesty.measure,
    "opening": opening.measure,
    "pacing": pacing.measure,
    "memory": memory.measure,
    "hour": hour.measure,
}
PEERS_IN = frozenset(("round-trip", "size", "transport", "honesty"))
"""The cases with load generators of others."""
TLS_IN = frozenset(("opening", "transport"))
ROUNDS = 3
BUSY = 0.5
"""A load average per core above this at the start gets a warning: absolute figures will be off."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", choices=CASES, help="this case; repeatable (default: all)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="default: %(default)s")
    parser.add_argument("--quick", action="store_const", const=1, dest="rounds", help="one round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="default: results/benchmarks-<time>.json")
    parser.add_argument(
        "--no-peers", action="store_true", help="leave out k6, tsung and Artillery, which are installed"
    )
    arguments = parser.parse_args()
    names = arguments.only or list(CASES)
    console, notes = Console(), Console(stderr=True)
    host = machine()
    notes.print(f"{host['cpu']}, {host['cores']} cores, {host['system']}, {host['python']}", highlight=False)
    if os.getloadavg()[0] > BUSY * (os.cpu_count() or 1):
        notes.print(f"the machine is busy (load average {os.getloadavg()[0]:.1f}): trust only the ratios")
    _raise_file_limit()
    samples: list[Sample] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wsload-benchmarks-") as directory:
        peers = not PEERS_IN.isdisjoint(names) and not arguments.no_peers
        with world(Path(directory), tls=not TLS_IN.isdisjoint(names), peers=peers) as shared:
            for number in range(arguments.rounds):
                for name in names:
                    minutes, seconds = divmod(int(time.monotonic() - began), 60)
                    notes.print(f"{minutes}:{seconds:02} round {number + 1}: {name}", highlight=False)
                    try:
                        samples.extend(CASES[name](shared, number))
                    except Failed as error:
                        shared.skipped[name] = str(error)
                        notes.print(f"{name}: {error}", style="red", markup=False)
            skipped = shared.skipped
    found, judged = figures(samples), outcomes(GOALS, samples)
    for table in [*figure_tables(found), goal_table(judged)]:
        console.print(table)
    for what, reason in skipped.items():
        console.print(f"skipped: {what}: {reason}", markup=False)
    path = arguments.json or Path("results", time.strftime("benchmarks-%Y%m%dT%H%M%SZ.json", time.gmtime()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(to_json(found, judged, skipped, host), indent=1) + "\n")
    console.print(f"{path}", markup=False)
    return ExitCode.OK


def _raise_file_limit() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
