"""One behaviour against all kinds and workloads: a fresh server, one locust run, and both their accounts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.truth.expectations import TIMEOUT_NS, Entry
from support.undisturbed import undisturbed
from wsload.measure.interval import Totals
from wsload.results.reader import find_runs, open_run
from wsload.results.run import RunInfo

TESTS: Final = Path(__file__).parents[2]
LOCUSTFILE: Final = Path(__file__).with_name("locustfile.py")
RUN_S: Final = 4
CHECKED: Final = "turn closed"
"""The cell that has a check, which passes where it is judged at all."""
LIMIT_S: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a run left on both sides."""

    behaviour: str
    attempts: list[Entry]
    """See `support.truth.locustfile`."""
    account: dict[int, Entry]
    """By the request's number; see `support.truth.server`."""
    pushes: Counter[str]
    """How many pushes and greetings each cell was sent."""
    info: RunInfo
    totals: Totals
    returncode: int
    said: str
    """What locust printed."""


def run_trial(behaviour: str) -> Trial:
    """Runs the behaviour once; the processes have the machine to themselves where that is allowed."""
    with tempfile.TemporaryDirectory(prefix="wsload-truth-") as name, undisturbed():
        directory = Path(name)
        server = subprocess.Popen(
            [sys.executable, "-m", "support.truth.server", directory / "account.json"],
            cwd=TESTS,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            port = server.stdout.readline().split()[1]
            done = _run_locust(behaviour, port, directory)
            server.send_signal(signal.SIGTERM)
            server.wait(10)
        finally:
            server.kill()
            server.communicate()
        assert (directory / "attempts.json").exists(), done.stdout
        stored = open_run(find_runs(directory / "results")[-1])
        account = json.loads((directory / "account.json").read_bytes())
        return Trial(
            behaviour=behaviour,
            attempts=json.loads((directory / "attempts.json").read_bytes()),
            account={entry["id"]: entry for entry in account["requests"]},
            pushes=Counter(entry["cell"].replace(".", " ") for entry in account["others"]),
            info=stored.info,
            totals=stored.totals(),
            returncode=done.returncode,
            said=done.stdout,
        )


def _run_locust(behaviour: str, port: str, directory: Path) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    return subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", LOCUSTFILE, "--headless", "--only-summary"),
            *("-u", "500", "-r", "500", "-t", f"{RUN_S}s", "--host", f"ws://127.0.0.1:{port}"),
            *("--ws-message-timeout", f"{TIMEOUT_NS / 1e9:g}s", "--ws-results", "results"),
            *("--ws-check", f'"{CHECKED}".p50 < 60s'),
        ],
        cwd=directory,
        env={**inherited, "HOME": str(directory), "TRUTH_BEHAVIOUR": behaviour},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
    )
