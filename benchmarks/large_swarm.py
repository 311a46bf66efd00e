"""``python -m benchmarks.large_swarm [USERS]``: a room of 20,000 logged-in users on this machine.

Two worker processes against ``wsload serve --quiet-roster``, ramped at 500 users a second, held for
60 s, while one user posts every 20 s: each post is as many deliveries as there are users. Asked for are
no failure at all, and at most 25 KiB of memory a user over the master and the workers: how much larger
their resident sets are than those of the same run with two users. Takes three minutes.
"""

from __future__ import annotations

import json
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.locust_command import Locust
from benchmarks.processes import Failed, Process, until

USERS: Final = 20_000
RATE: Final = 500
"""Users started a second."""
HOLD_S: Final = 60
EMPTY_HOLD_S: Final = 10
WORKERS: Final = 2
MOST_KIB: Final = 25.0
"""Memory a user, over all of wsload's load generators."""
LATE_S: Final = 60
"""The ramp may take so much longer than it should before the run is given up."""
SHOWN: Final = ("open", "login", "message", "delivery", "loop_lag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One run's figures."""

    users: int
    ramp_s: float
    """From the first user started until all were logged in."""
    memory_bytes: int
    """Resident sets of the master and the workers together, the largest sum seen in the hold."""
    server_bytes: int
    """The server's largest resident set in the hold."""
    summary: dict[str, Any]
    """summary.json."""
    warnings: tuple[str, ...]


def hold(users: int, hold_s: float) -> Held:
    """Runs a swarm; raises `Failed` when it can't be."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        serve = (sys.executable, "-m", "wsload", "serve", "--port", "0", "--quiet-roster")
        with Process(*serve, directory=directory, name="server") as server:
            until(lambda: "ws://" in server.output.read_text(), "the server listens", server)
            url = server.output.read_text().split()[-1]
            port = _free_port()
            distributed = (
                *("--processes", WORKERS, "--master-bind-host", "127.0.0.1"),
                *("--master-bind-port", port, "--master-port", port),
            )
            options = (*distributed, "--only-summary", "--ws-allow-invalid")
            with Locust(
                "large_swarm_wsload", *options, users=users, rate=RATE, url=url, directory=directory
            ) as locust:
                return _watched(locust, server, users, hold_s)


def _watched(locust: Locust, server: Process, users: int, hold_s: float) -> Held:
    until(
        lambda: locust.counted("logins") >= users,
        f"{users:,} users are logged in",
        *(locust, server),
        timeout_s=users / RATE + LATE_S,
    )
    seconds = locust.seconds()
    ramp_s = seconds[-1]["t"] + seconds[-1]["length_s"] - seconds[0]["t"]
    everyone = [psutil.Process(locust.pid), *psutil.Process(locust.pid).children()]
    memory_bytes = server_bytes = 0
    deadline = time.monotonic() + hold_s
    while time.monotonic() < deadline:
        locust.check()
        memory_bytes = max(memory_bytes, sum(it.memory_info().rss for it in everyone))
        server_bytes = max(server_bytes, psutil.Process(server.pid).memory_info().rss)
        time.sleep(1)
    everyone[0].terminate()
    directory = locust.finish(120)
    return Held(
        users=users,
        ramp_s=ramp_s,
        memory_bytes=memory_bytes,
        server_bytes=server_bytes,
        summary=json.loads((directory / "summary.json").read_bytes()),
        warnings=tuple(it["text"] for it in json.loads((directory / "run.json").read_bytes())["warnings"]),
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    users = int(sys.argv[1]) if len(sys.argv) > 1 else USERS
    try:
        empty = hold(2, EMPTY_HOLD_S)
        full = hold(users, HOLD_S)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    more = users - empty.users
    kib = (full.memory_bytes - empty.memory_bytes) / more / 1024
    server_kib = (full.server_bytes - empty.server_bytes) / more / 1024
    figures, counters = full.summary["metrics"], full.summary["counters"]
    print(f"{users:,} users logged in after {full.ramp_s:.0f} s, where {users / RATE:.0f} were wanted")
    print(f"memory a user: {kib:.1f} KiB in the load generators (at most {MOST_KIB:g})")
    print(f"               {server_kib:.1f} KiB in the server")
    print(f"posts: {counters['sent'] - users}, deliveries: {counters.get('deliveries_own_host', 0):,}")
    for metric in SHOWN:
        if metric in figures:
            p50, p99, most = (figures[metric][name] / 1e6 for name in ("p50_ns", "p99_ns", "max_ns"))
            print(f"  {metric}: p50 {p50:.2f} ms, p99 {p99:.1f} ms, max {most:.0f} ms")
    for process in full.summary["processes"]:
        print(f"  {process['name']}: CPU at most {process['cpu_peak']:.0%}")
    failures = full.summary["failures"]
    print(f"failures: {failures or 'none'}; lost: {counters.get('lost', 0)}")
    for warning in full.warnings:
        print(f"warning: {warning}")
    passed = not failures and kib <= MOST_KIB
    print("passed" if passed else "NOT passed")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
