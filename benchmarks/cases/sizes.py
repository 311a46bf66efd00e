"""Round trips of messages of several sizes, there and back, over a few connections at full speed.

What is compared is the CPU time of the whole client process, and the most memory that it ever had.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.cases import round_trip
from benchmarks.figures import YARDSTICK, Place, Sample
from benchmarks.processes import Process, until
from benchmarks.tally import MESSAGES, OPEN
from benchmarks.world import World

CASE: Final = "size"
CONNECTIONS: Final = 4
SIZES: Final = {
    "100 B": 100,
    "4 KiB": 4 << 10,
    "64 KiB": 64 << 10,
    "1 MiB": 1 << 20,
    "16 MiB": 16 << 20,
    "64 MiB": 64 << 20,
}
HUGE: Final = "64 MiB"
"""Measured in the first round only, and without k6, whose client would take minutes."""
SUBJECTS: Final = (YARDSTICK, round_trip.WSLOAD, round_trip.K6_WS)
WINDOW_S: Final = 1.0
LEAST: Final = 5
"""A window ends only after so many messages on each connection."""


def cpu(subject: str, size: str) -> Place:
    """CPU time of the whole client process per round trip."""
    return Place(case=CASE, setting=size, subject=subject, measure="CPU per round trip", unit="µs")


def memory(subject: str, size: str) -> Place:
    """The most memory that the process had so far, from its start on."""
    return Place(case=CASE, setting=size, subject=subject, measure="most memory", unit="MiB")


def measure(world: World, number: int) -> Iterator[Sample]:
    """One round; which client comes first changes from round to round."""
    first = number % len(SUBJECTS)
    for subject in SUBJECTS[first:] + SUBJECTS[:first]:
        if subject in round_trip.K6 and world.k6 is None:
            continue
        for size in SIZES:
            if size == HUGE and (number or subject in round_trip.K6):
                continue
            yield from _one(world, subject, size, number)


def _one(world: World, subject: str, size: str, number: int) -> Iterator[Sample]:
    counts, server = world.echo.counts, world.echo
    with round_trip.client(world, subject, CONNECTIONS, size=SIZES[size]) as client:
        until(lambda: counts[OPEN] >= CONNECTIONS, f"the connections of {subject}", client, server)
        _after(LEAST * CONNECTIONS, world, client)
        began, cpu_ns, began_s = counts[MESSAGES], client.cpu_ns, time.monotonic()
        time.sleep(WINDOW_S)
        _after(max(began + LEAST * CONNECTIONS - counts[MESSAGES], 0), world, client)
        cpu_ns, messages, spent_s = (
            client.cpu_ns - cpu_ns,
            counts[MESSAGES] - began,
            time.monotonic() - began_s,
        )
        most = _most_memory(client)
    until(lambda: counts[OPEN] == 0, "all connections closed", server)
    yield Sample(place=cpu(subject, size), round=number, value=cpu_ns / messages / 1000)
    rate = Place(case=CASE, setting=size, subject=subject, measure="round trips", unit="/s")
    yield Sample(place=rate, round=number, value=messages / spent_s)
    if most is not None:
        yield Sample(place=memory(subject, size), round=number, value=most / (1 << 20))


def _after(messages: int, world: World, client: Process) -> None:
    start = world.echo.counts[MESSAGES]
    until(lambda: world.echo.counts[MESSAGES] >= start + messages, "messages", client, world.echo)


def _most_memory(client: Process) -> int | None:
    """In bytes, as Linux has it (proc(5), VmHWM)."""
    try:
        lines = Path(f"/proc/{client.pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), None)
