"""``python -m benchmarks.ui_cost [PAIRS]``: how an open web UI affects a run's figures.

Runs of ten seconds, with 1,000 round trips per second by 50 users against the echo server: headless, and with the live
page polled twice a second and Locust's own statistics once a second, in five interleaved pairs; both with the UI in the
measuring process and in a separate one (``--processes 1``). The goal: in the median of the pairs, p99 with the UI is
within 10 % or 0.2 ms of p99 without. A UI in the measuring process, which shares its interpreter, never reached it on
two cores; it is measured to know by how much.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.locust_command import Locust
from benchmarks.processes import EchoServer, Failed, free_port
from wsload.exit_codes import ExitCode

PAIRS: Final = 5
USERS: Final = 50
RATE: Final = 1_000
SECONDS: Final = 10
MAX_SHARE: Final = 0.10
MAX_MS: Final = 0.2
TAKEN: Final = re.compile(rb'"taken":(\d+)')
SETUPS: Final = ("headless", "UI in the process", "headless, --processes 1", "UI, --processes 1")
"""The second is compared with the first, and the fourth with the third."""


def p99_ms(setup: str, url: str) -> float:
    """The p99 of one run of this kind."""
    options: list[object] = ["-t", f"{SECONDS}s", "--ws-rate", RATE, "--ws-allow-invalid", "--only-summary"]
    if "--processes" in setup:
        port = free_port()
        options += ["--processes", 1, "--master-bind-host", "127.0.0.1"]
        options += ["--master-bind-port", port, "--master-port", port]
    web_port = free_port()
    if setup.startswith("UI"):
        options += ["--headful", "--autostart", "--autoquit", 0]
        options += ["--web-host", "127.0.0.1", "--web-port", web_port]
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        with (
            Locust("locust_wsload", *options, users=USERS, url=url, directory=directory) as locust,
            _polled(web_port) if setup.startswith("UI") else contextlib.nullcontext([]) as polls,
        ):
            results = locust.finish(SECONDS + 60)
        if setup.startswith("UI") and len(polls) < SECONDS:
            raise Failed(f"the UI answered only {len(polls)} times")
        message = json.loads((results / "summary.json").read_bytes())["metrics"]["message"]
        return float(message["p99_ns"]) / 1e6


@contextlib.contextmanager
def _polled(port: int) -> Iterator[list[int]]:
    """Polls the live page twice a second, as a browser does; yields the sizes of the answers.

    With as little work as possible, since the polling itself is not part of the UI's cost.
    """
    sizes: list[int] = []
    done = threading.Event()

    def poll() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        taken, asked = b"0", 0
        while not done.wait(0.5):
            try:
                text = _asked(connection, f"/wsload/live.json?since={taken.decode()}")
                if asked % 2:
                    _asked(connection, "/stats/requests")
            except (OSError, http.client.HTTPException):  # not started yet, or already gone
                connection.close()
                continue
            asked += 1
            sizes.append(len(text))
            found = TAKEN.search(text)
            taken = found[1] if found else b"0"
        connection.close()

    asking = threading.Thread(target=poll)
    asking.start()
    try:
        yield sizes
    finally:
        done.set()
        asking.join()


def _asked(connection: http.client.HTTPConnection, path: str) -> bytes:
    connection.request("GET", path)
    return connection.getresponse().read()


def main() -> int:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS
    found: dict[str, list[float]] = {setup: [] for setup in SETUPS}
    with tempfile.TemporaryDirectory() as place, EchoServer(Path(place)) as server:
        for number in range(pairs):
            # Alternately forwards and backwards, so that a drift of the machine affects both equally.
            for setup in SETUPS if number % 2 == 0 else reversed(SETUPS):
                found[setup].append(p99_ms(setup, server.url))
                print(f"pair {number + 1}, {setup}: p99 {found[setup][-1]:.3f} ms", flush=True)
    wrong = 0
    for without, with_ui in (SETUPS[:2], SETUPS[2:]):
        base = statistics.median(found[without])
        more = statistics.median(b - a for a, b in zip(found[without], found[with_ui], strict=True))
        passed = more <= max(MAX_SHARE * base, MAX_MS)
        wrong += not passed
        verdict = "passed" if passed else "NOT passed"
        print(f"{with_ui}: p99 {more:+.3f} ms in the median of the pairs, over {base:.3f} ms: {verdict}")
    return ExitCode.FAILED if wrong else ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
