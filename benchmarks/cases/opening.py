"""Opening: 50 users in one process repeatedly open and close a connection, over ws and wss."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from benchmarks.figures import YARDSTICK, Place, Sample
from benchmarks.locust_command import Locust
from benchmarks.processes import EchoServer, Process, python, until
from benchmarks.tally import OPEN, OPENED
from benchmarks.world import World

CASE: Final = "opening"
WSLOAD: Final = "wsload"
VISITORS: Final = 50
SETTLE_S: Final = 0.5
WINDOW_S: Final = 2.0


def place(scheme: str, measure: str, unit: str, subject: str = WSLOAD) -> Place:
    return Place(case=CASE, setting=scheme, subject=subject, measure=measure, unit=unit)


def rate(scheme: str, subject: str = WSLOAD) -> Place:
    """Connections per second of one process."""
    return place(scheme, "opened and closed", "/s", subject)


def cpu(scheme: str, subject: str = WSLOAD) -> Place:
    """CPU time of the whole client process for each connection."""
    return place(scheme, "CPU per opening and closing", "µs", subject)


def measure(world: World, number: int) -> Iterator[Sample]:
    """One round."""
    servers = {"ws": world.echo, "wss": world.echo_tls}
    for scheme, server in servers.items():
        if server is None:
            continue
        for subject in (WSLOAD, YARDSTICK):
            with _client(world, subject, server) as client:
                yield from _visited(client, server, subject, scheme, number)
            until(lambda server=server: server.counts[OPEN] == 0, "all connections closed", server)


def _client(world: World, subject: str, server: EchoServer) -> Process:
    certificate = world.certificate.certificate if world.certificate and server is world.echo_tls else None
    if subject == YARDSTICK:
        command = python(
            "benchmarks.clients.bare_opening", server.url, VISITORS, *([certificate] if certificate else ())
        )
        return Process(*command, directory=world.directory, name="bare_opening")
    options = ("--ws-ca-file", certificate) if certificate else ()
    return Locust("opening_wsload", *options, users=VISITORS, url=server.url, directory=world.directory)


def _visited(client: Process, server: EchoServer, subject: str, scheme: str, number: int) -> Iterator[Sample]:
    counts = server.counts
    began = counts[OPENED]
    until(lambda: counts[OPENED] > began + 2 * VISITORS, "connections", client, server)
    time.sleep(SETTLE_S)
    before = (time.monotonic_ns(), counts[OPENED], client.cpu_ns)
    time.sleep(WINDOW_S)
    after = (time.monotonic_ns(), counts[OPENED], client.cpu_ns)
    spent_ns, opened, cpu_ns = (b - a for a, b in zip(before, after, strict=True))
    yield Sample(place=rate(scheme, subject), round=number, value=opened / spent_ns * 1e9)
    yield Sample(place=cpu(scheme, subject), round=number, value=cpu_ns / opened / 1000)
