"""``python -m benchmarks.large_swarm [USERS]``: a room of 20,000 logged-in users on this machine.

Two worker processes load ``wsload serve --quiet-roster``, ramped up at 500 users per second and held for 60 s, while
one user posts every 20 s: each post makes as many deliveries as there are users. The goals are no failures, and at most
25 KiB of memory per user over all of wsload's processes (master, workers and servers): their resident sets minus those
of the same run with two users. Takes three minutes.

If the system does not let a process open so many files, the users are spread over several servers.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.locust_command import Locust
from benchmarks.processes import Failed, Process, free_port, until
from wsload.exit_codes import ExitCode
from wsload.load.engine.limits import raise_file_limit

USERS: Final = 20_000
RATE: Final = 500
"""Users started per second."""
HOLD_S: Final = 60
EMPTY_HOLD_S: Final = 10
WORKERS: Final = 2
MAX_KIB: Final = 25.0
"""Memory per user, over all of wsload's processes."""
LATE_S: Final = 60
"""How much longer than planned the ramp may take."""
SPARE_FILES: Final = 200
"""File descriptors that a server needs besides its connections', with some to spare."""
ROOMS: Final = "LARGE_SWARM_ROOMS"
"""The environment variable in which the locustfile finds the servers' URLs."""
SHOWN: Final = ("open", "login", "message", "delivery", "loop_lag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One run's figures."""

    users: int
    ramp_s: float
    """From the first user's start until all were logged in."""
    memory_bytes: int
    """Resident sets of master and workers together; the largest sum during the hold."""
    server_bytes: int
    """The servers' largest resident sets during the hold."""
    summary: dict[str, Any]
    """summary.json."""
    warnings: tuple[str, ...]


def hold(users: int, hold_s: float, rooms: int) -> Held:
    """Runs a swarm; raises `Failed`."""
    serve = (sys.executable, "-m", "wsload", "serve", "--port", "0", "--quiet-roster")
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        directory = Path(place)
        servers = [
            stack.enter_context(Process(*serve, directory=directory, name=f"server-{number}"))
            for number in range(rooms)
        ]
        for server in servers:
            until(lambda server=server: "ws://" in server.output.read_text(), "the server listens", server)
        urls = [server.output.read_text().split()[-1] for server in servers]
        os.environ[ROOMS] = " ".join(urls)
        port = free_port()
        distributed = (
            *("--processes", WORKERS, "--master-bind-host", "127.0.0.1"),
            *("--master-bind-port", port, "--master-port", port),
        )
        options = (*distributed, "--only-summary", "--ws-allow-invalid")
        locust = Locust(
            "large_swarm_wsload", *options, users=users, rate=RATE, url=urls[0], directory=directory
        )
        return _watched(stack.enter_context(locust), servers, users, hold_s)


def rooms_for(users: int) -> int:
    """One server, or as many as the limit of open files requires."""
    return math.ceil(users / (raise_file_limit() - SPARE_FILES))


def _watched(locust: Locust, servers: list[Process], users: int, hold_s: float) -> Held:
    until(
        lambda: locust.counted("logins") >= users,
        f"{users:,} users are logged in",
        *(locust, *servers),
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
        server_bytes = max(server_bytes, sum(psutil.Process(it.pid).memory_info().rss for it in servers))
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


def main() -> int:
    users = int(sys.argv[1]) if len(sys.argv) > 1 else USERS
    try:
        rooms = rooms_for(users)
        empty = hold(2, EMPTY_HOLD_S, rooms)
        full = hold(users, HOLD_S, rooms)
    except Failed as error:
        print(error, file=sys.stderr)
        return ExitCode.FAILED
    more = users - empty.users
    kib = (full.memory_bytes - empty.memory_bytes) / more / 1024
    server_kib = (full.server_bytes - empty.server_bytes) / more / 1024
    figures, counters = full.summary["metrics"], full.summary["counters"]
    print(f"{users:,} users logged in after {full.ramp_s:.0f} s ({users / RATE:.0f} planned)")
    if rooms > 1:
        print(f"in {rooms} rooms, since a process may not open more than {raise_file_limit():,} files here")
    print(f"memory per user: {kib:.1f} KiB in the load generators, {server_kib:.1f} KiB in the servers")
    print(f"                 {kib + server_kib:.1f} KiB in total (at most {MAX_KIB:g})")
    print(f"posts: {counters['sent'] - users}, deliveries: {counters.get('deliveries_own_host', 0):,}")
    for metric in SHOWN:
        if metric in figures:
            p50, p99, most = (figures[metric][name] / 1e6 for name in ("p50_ns", "p99_ns", "max_ns"))
            print(f"  {metric}: p50 {p50:.2f} ms, p99 {p99:.1f} ms, max {most:.0f} ms")
    for process in full.summary["processes"]:
        print(f"  {process['name']}: peak CPU {process['cpu_peak']:.0%}")
    failures = full.summary["failures"]
    print(f"failures: {failures or 'none'}; lost: {counters.get('lost', 0)}")
    for warning in full.warnings:
        print(f"warning: {warning}")
    passed = not failures and kib + server_kib <= MAX_KIB
    print("passed" if passed else "NOT passed")
    return ExitCode.OK if passed else ExitCode.FAILED


if __name__ == "__main__":
    sys.exit(main())
