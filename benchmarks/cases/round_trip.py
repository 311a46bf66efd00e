"""Round trips in a closed loop: a message of 100 bytes there and back, at full speed, over N connections.

All clients are measured alike: messages by the echo server, CPU time by the kernel, both read at the ends of a window
while the client runs at full speed. Every window has a new process.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.clients import MESSAGE
from benchmarks.figures import YARDSTICK, Place, Sample
from benchmarks.locust_command import CLIENTS, Locust
from benchmarks.processes import Process, python, until
from benchmarks.tally import MESSAGES, OPEN, OPENED
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
K6_WS: Final = "k6/ws"
K6_WEBSOCKETS: Final = "k6/experimental/websockets"
K6: Final = {K6_WS: "k6_ws", K6_WEBSOCKETS: "k6_websockets"}
"""Its two modules, and the scripts that use them."""
SUBJECTS: Final = (YARDSTICK, WSLOAD, MATCHED, K6_WS, K6_WEBSOCKETS, PICOWS, WEBSOCKET_CLIENT, ARTILLERY)


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
                yield from _at_full_speed(world, process, subject, connections, number)
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
    if subject in K6:
        return world.k6 is not None and connections in JUDGED
    return connections in JUDGED or (number == 0 and subject != MATCHED)


def client(world: World, subject: str, connections: int, *, size: int = len(MESSAGE)) -> Process:
    """Starts it, with messages of this size, where it is one of the yardstick, wsload or k6."""
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
    if subject in K6:
        assert world.k6 is not None
        settings = ("--env", f"URL={url}", "--env", f"BYTES={size}", CLIENTS / f"{K6[subject]}.js")
        options = ("--address", "", "--quiet", "--no-summary", "--vus", connections, "--duration", "10m")
        return Process(world.k6, "run", *options, *settings, directory=directory, name="k6")
    module = {YARDSTICK: "bare_websockets", PICOWS: "bare_picows"}[subject]
    command = python(f"benchmarks.clients.{module}", url, connections, size)
    return Process(*command, directory=directory, name=module)


def _artillery_script(url: str, connections: int) -> dict[str, object]:
    # It only waits for a reply if something is to be captured from it, from JSON.
    payload = json.dumps({"m": MESSAGE})[: len(MESSAGE) - 2] + '"}'
    send = {"send": {"payload": payload, "capture": {"json": "$.m", "as": "m"}}}
    return {
        "config": {"target": url, "phases": [{"duration": 1, "arrivalCount": connections}]},
        "scenarios": [{"engine": "ws", "flow": [{"loop": [send], "count": 10_000_000}]}],
    }


def _at_full_speed(
    world: World, process: Process, subject: str, connections: int, number: int
) -> Iterator[Sample]:
    counts, server = world.echo.counts, world.echo
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
    place = cpu(subject, connections)
    yield Sample(place=place, round=number, value=client_ns / messages / 1000)
    for what, unit, value in (
        ("round trips", "/s", messages / spent_ns * 1e9),
        ("server's CPU", "µs", server_ns / messages / 1000),
        ("client's CPU", "cores", client_ns / spent_ns),
    ):
        other = Place(case=CASE, setting=place.setting, subject=subject, measure=what, unit=unit)
        yield Sample(place=other, round=number, value=value)
