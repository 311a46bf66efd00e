"""Round trips in a closed loop: a message of 100 bytes there and back, at full speed, over N connections.

All clients are measured alike: messages by the echo server, CPU time by the kernel, both read at the ends of a window
while the client runs at full speed. Every window has a new process.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.clients import MESSAGE
from benchmarks.figures import YARDSTICK, Place, Sample
from benchmarks.locust_command import CLIENTS, Locust
from benchmarks.processes import EchoServer, Process, python, until
from benchmarks.tally import MESSAGES, OPEN, OPENED
from benchmarks.tsung import Tsung
from benchmarks.world import World

CASE: Final = "round trip"
CONNECTIONS: Final = (1, 50, 500, 2000)
JUDGED: Final = (50, 500)
"""Measured in every round; the others, and Artillery, only in the first, to keep the command short."""
SETTLE_S: Final = 0.8
WINDOW_S: Final = 1.5
WSLOAD: Final = "wsload"
MATCHED: Final = "wsload, matched"
"""Requests with a name and a key."""
PICOWS: Final = "bare picows"
WEBSOCKET_CLIENT: Final = "Locust, websocket-client"
ARTILLERY: Final = "Artillery"
TSUNG: Final = "tsung"
K6_WS: Final = "k6/ws"
K6_WEBSOCKETS: Final = "k6/experimental/websockets"
K6: Final = {K6_WS: "k6_ws", K6_WEBSOCKETS: "k6_websockets"}
"""Its two modules, and the scripts that use them."""
SUBJECTS: Final = (
    YARDSTICK,
    WSLOAD,
    MATCHED,
    K6_WS,
    K6_WEBSOCKETS,
    PICOWS,
    WEBSOCKET_CLIENT,
    TSUNG,
    ARTILLERY,
)


def setting(connections: int) -> str:
    """As tables show it."""
    return f"{connections:,} connection{'s' if connections > 1 else ''}"


def cpu(subject: str, connections: int) -> Place:
    """CPU time of the whole client process per round trip."""
    return Place(
        case=CASE, setting=setting(connections), subject=subject, measure="CPU per round trip", unit="µs"
    )


def memory(subject: str) -> Place:
    """Memory per connection, with 2,000 in use."""
    place = setting(CONNECTIONS[-1])
    return Place(case=CASE, setting=place, subject=subject, measure="memory per connection", unit="KiB")


def measure(world: World, number: int) -> Iterator[Sample]:
    """One round; which client comes first changes from round to round."""
    subjects = SUBJECTS[number % len(SUBJECTS) :] + SUBJECTS[: number % len(SUBJECTS)]
    for subject in subjects:
        base = 0
        for connections in CONNECTIONS:
            if not _wanted(world, subject, connections, number):
                continue
            with client(world, subject, connections) as process:
                spent = at_full_speed(process, world.echo, subject, connections)
                yield from _samples(spent, subject, connections, number)
                used = process.memory_bytes()
            until(lambda: world.echo.counts[OPEN] == 0, "all connections closed", world.echo)
            if connections == 1:
                base = used
            elif connections == CONNECTIONS[-1]:
                each = (used - base) / (connections - 1) / 1024
                yield Sample(place=memory(subject), round=number, value=each)


def _wanted(world: World, subject: str, connections: int, number: int) -> bool:
    if subject == ARTILLERY:
        return world.artillery is not None and connections in JUDGED and number == 0
    if (subject in K6 and world.k6 is None) or (subject == TSUNG and world.tsung is None):
        return False
    return connections in JUDGED or (number == 0 and subject != MATCHED)


def client(world: World, subject: str, connections: int, *, size: int = len(MESSAGE)) -> Process:
    """Starts it, with messages of this size, where it is one of the yardstick, wsload, k6 or tsung."""
    url, directory = world.echo.url, world.directory
    if subject == WSLOAD:
        largest = ("--ws-max-message", f"{max(size, 1 << 20)}B")
        return Locust("locust_wsload", *largest, users=connections, url=url, directory=directory, size=size)
    if subject == MATCHED:
        return Locust("locust_wsload_matched", users=connections, url=url, directory=directory)
    if subject == WEBSOCKET_CLIENT:
        return Locust("locust_websocket_client", users=connections, url=url, directory=directory)
    if subject == ARTILLERY:
        assert world.artillery is not None
        script = directory / "artillery.json"
        script.write_text(json.dumps(_artillery_script(url, connections)))
        return Process(world.artillery, "run", script, directory=directory, name="artillery")
    if subject == TSUNG:
        assert world.tsung is not None
        return Tsung(world.tsung, url=url, users=connections, size=size, directory=directory)
    if subject in K6:
        assert world.k6 is not None
        settings = ("--env", f"URL={url}", "--env", f"BYTES={size}", CLIENTS / f"{K6[subject]}.js")
        return k6(world.k6, connections, *settings, directory=directory)
    module = {YARDSTICK: "bare_websockets", PICOWS: "bare_picows"}[subject]
    command = python(f"benchmarks.clients.{module}", url, connections, size)
    return Process(*command, directory=directory, name=module)


def k6(program: Path, users: int, *settings: object, directory: Path) -> Process:
    """Starts k6 with so many users, until it is stopped."""
    options = ("--address", "", "--quiet", "--no-summary", "--vus", users, "--duration", "10m")
    return Process(program, "run", *options, *settings, directory=directory, name="k6")


def _artillery_script(url: str, connections: int) -> dict[str, object]:
    # It only waits for a reply if something is to be captured from it, from JSON.
    payload = json.dumps({"m": MESSAGE})[: len(MESSAGE) - 2] + '"}'
    send = {"send": {"payload": payload, "capture": {"json": "$.m", "as": "m"}}}
    return {
        "config": {"target": url, "phases": [{"duration": 1, "arrivalCount": connections}]},
        "scenarios": [{"engine": "ws", "flow": [{"loop": [send], "count": 10_000_000}]}],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a window at full speed took, for each round trip."""

    client_us: float
    """CPU time of the whole client process."""
    server_us: float
    """Of the server's."""
    rate: float
    """Round trips a second."""


def at_full_speed(process: Process, server: EchoServer, subject: str, connections: int) -> Spent:
    """Measures a client over a window, once all its connections are open and busy."""
    counts = server.counts
    opened = counts[OPENED]
    until(lambda: counts[OPEN] >= connections, f"{connections} connections of {subject}", process, server)
    assert counts[OPENED] >= opened
    started = counts[MESSAGES]
    until(lambda: counts[MESSAGES] >= started + 2 * connections, f"messages of {subject}", process, server)
    time.sleep(SETTLE_S)
    before = (time.monotonic_ns(), counts[MESSAGES], process.cpu_ns, server.cpu_ns)
    time.sleep(WINDOW_S)
    after = (time.monotonic_ns(), counts[MESSAGES], process.cpu_ns, server.cpu_ns)
    spent_ns, messages, client_ns, server_ns = (b - a for a, b in zip(before, after, strict=True))
    return Spent(
        client_us=client_ns / messages / 1000,
        server_us=server_ns / messages / 1000,
        rate=messages / spent_ns * 1e9,
    )


def _samples(spent: Spent, subject: str, connections: int, number: int) -> Iterator[Sample]:
    place = cpu(subject, connections)
    yield Sample(place=place, round=number, value=spent.client_us)
    for what, unit, value in (
        ("round trips", "/s", spent.rate),
        ("server's CPU", "µs", spent.server_us),
        ("client's CPU", "cores", spent.client_us * spent.rate / 1e6),
    ):
        other = Place(case=CASE, setting=place.setting, subject=subject, measure=what, unit=unit)
        yield Sample(place=other, round=number, value=value)
