"""Whose p99 is true: open workloads of rising rate, each client's p99 beside the server's own account.

The server stalls for 100 ms every second (`benchmarks.stalls`), so p99 is known: 90 ms where messages are sent when
they are due. Its account is of what really arrived, and has the client's own lateness in neither sending nor reading.
A client that waits for answers before it sends again spares itself most of a stall; then its account and the server's
agree on a p99 that nobody would see who does not wait. Each client has one process. Artillery is not here: it does not
time answers. tsung itself shows means: its p99 is of the log of all response times that it writes on demand, computed
as its script ``tsung_percentile.pl`` does.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from benchmarks.clients import MESSAGE
from benchmarks.figures import YARDSTICK, Place, Sample
from benchmarks.locust_command import CLIENTS, Locust
from benchmarks.processes import AccountServer, Failed, Process, python
from benchmarks.tsung import Tsung
from benchmarks.world import World

CASE: Final = "whose p99 is true"
WSLOAD: Final = "wsload"
K6: Final = "k6/ws"
WEBSOCKET_CLIENT: Final = "Locust, websocket-client"
TSUNG: Final = "tsung"
RATES: Final = {1_000: 50, 5_000: 50, 10_000: 100, 20_000: 200}
"""Messages a second, and over how many connections."""
SECONDS: Final = 8
SPARE_S: Final = 60.0
Shown = Callable[[World, str, int, int], dict[str, float]]
"""Runs a client (URL, rate, connections); what it showed: ``p99`` in ms, and perhaps up to which percentile it is
``trusted``."""


def place(subject: str, rate: int, measure: str, unit: str) -> Place:
    """Of a client at a rate."""
    return Place(case=CASE, setting=f"{rate:,}/s", subject=subject, measure=measure, unit=unit)


def off(subject: str, rate: int) -> Place:
    """By how much the p99 that it showed differs from the server's."""
    return place(subject, rate, "p99 off by", "%")


def measure(world: World, number: int) -> Iterator[Sample]:
    """Only in the first round, since it takes minutes."""
    if number:
        return
    for rate, connections in RATES.items():
        for subject, run in CLIENTS_BY_NAME.items():
            if (subject == K6 and world.k6 is None) or (subject == TSUNG and world.tsung is None):
                continue
            with AccountServer(world.directory) as server:
                try:
                    shown = run(world, server.url, rate, connections)
                except Failed as error:
                    world.skipped[f"{CASE}: {subject}, {rate:,}/s"] = str(error)
                    continue
                account = server.account()
            yield from _samples(subject, rate, shown, account)


def _samples(subject: str, rate: int, shown: dict[str, float], account: dict[str, Any]) -> Iterator[Sample]:
    true_ms = account["ms"]["99"]
    for measure, unit, value in (
        ("sent", "%", 100 * account["count"] / rate / SECONDS),
        ("p99 by the server", "ms", true_ms),
        ("p99 shown", "ms", shown["p99"]),
        *((("trusted up to", "percentile", shown["trusted"]),) if "trusted" in shown else ()),
        ("p99 off by", "%", 100 * abs(shown["p99"] / true_ms - 1)),
    ):
        yield Sample(place=place(subject, rate, measure, unit), round=0, value=value)


def _wsload(world: World, url: str, rate: int, connections: int) -> dict[str, float]:
    options = ("--ws-rate", rate, "-t", f"{SECONDS}s", "--only-summary", "--ws-allow-invalid")
    with Locust("paced_wsload", *options, users=connections, url=url, directory=world.directory) as client:
        results = client.finish(SECONDS + SPARE_S)
    found = json.loads((results / "summary.json").read_bytes())
    trust = json.loads((results / "run.json").read_bytes())["trust"]
    return {
        "p99": found["metrics"]["message"]["p99_ns"] / 1e6,
        "trusted": trust["up_to"].get("message", 100.0),
    }


def _locust(world: World, url: str, rate: int, connections: int) -> dict[str, float]:
    prefix = world.directory / f"paced-{rate}"
    with Process(
        *python(
            "locust",
            "-f",
            CLIENTS / "locust_websocket_client.py",
            "--headless",
            "-u",
            connections,
            "-r",
            connections,
        ),
        *("-t", f"{SECONDS}s", "--host", url, "--csv", prefix, "--only-summary"),
        directory=world.directory,
        name="paced_locust",
        variables={"PACED_RATE": f"{rate / connections:g}"},
    ) as client:
        client.wait(SECONDS + SPARE_S)
    with prefix.with_name(f"{prefix.name}_stats.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["Name"] == "message"]
    if not rows:
        raise Failed(f"it timed nothing: {client.last_words()}")
    return {"p99": float(rows[0]["99%"])}


def _k6(world: World, url: str, rate: int, connections: int) -> dict[str, float]:
    assert world.k6 is not None
    summary = world.directory / f"k6-{rate}.json"
    words = {"URL": url, "EVERY_MS": f"{1000 * connections / rate:g}", "SECONDS": f"{SECONDS}"}
    with Process(
        *(world.k6, "run", "--address", "", "--quiet", "--vus", connections, "--iterations", connections),
        *("--summary-export", summary, "--summary-trend-stats", "p(50),p(99)"),
        *(word for name, value in words.items() for word in ("--env", f"{name}={value}")),
        CLIENTS / "paced_k6.js",
        directory=world.directory,
        name="paced_k6",
    ) as client:
        client.wait(SECONDS + SPARE_S)
    found = json.loads(summary.read_bytes())["metrics"]
    if "taken" not in found:
        raise Failed(f"it timed nothing: {client.last_words()}")
    return {"p99": float(found["taken"]["p(99)"])}


def _tsung(world: World, url: str, rate: int, connections: int) -> dict[str, float]:
    assert world.tsung is not None
    with Tsung(
        world.tsung,
        url=url,
        users=connections,
        size=len(MESSAGE),
        directory=world.directory,
        pause_s=connections / rate,
        seconds=SECONDS,
    ) as client:
        client.wait(SECONDS + SPARE_S)
        times_ms = client.response_times_ms()
    if not times_ms:
        raise Failed(f"it timed nothing: {client.last_words()}")
    return {"p99": times_ms[int(0.99 * (len(times_ms) - 1))]}


def _websockets(world: World, url: str, rate: int, connections: int) -> dict[str, float]:
    command = python("benchmarks.clients.paced_websockets", url, connections, rate / connections, SECONDS)
    with Process(*command, directory=world.directory, name="paced_websockets") as client:
        client.wait(SECONDS + SPARE_S)
        return {"p99": float(json.loads(client.last_words())["99"])}


CLIENTS_BY_NAME: Final[dict[str, Shown]] = {
    WSLOAD: _wsload,
    K6: _k6,
    WEBSOCKET_CLIENT: _locust,
    TSUNG: _tsung,
    YARDSTICK: _websockets,
}
