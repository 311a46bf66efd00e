"""Round trips over TLS, and with permessage-deflate: 1 KiB of JSON there and back over 50 connections at full speed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.cases import round_trip
from benchmarks.figures import YARDSTICK, Place, Sample
from benchmarks.locust_command import CLIENTS, Locust
from benchmarks.processes import EchoServer, Process, python
from benchmarks.world import World

CASE: Final = "transport"
CONNECTIONS: Final = 50
BYTES: Final = 1024
WSS: Final = "wss"
DEFLATE: Final = "permessage-deflate"
SUBJECTS: Final = (YARDSTICK, round_trip.WSLOAD, round_trip.K6_WS)


def cpu(subject: str, setting: str) -> Place:
    """CPU time of the whole client process per round trip."""
    return Place(case=CASE, setting=setting, subject=subject, measure="CPU per round trip", unit="µs")


def measure(world: World, number: int) -> Iterator[Sample]:
    """One round; which client comes first changes from round to round."""
    message = world.directory / "message.json"
    message.write_text(_message())
    if world.echo_tls is not None:
        yield from _over(world, world.echo_tls, WSS, message, number)
    with EchoServer(world.directory, deflate=True) as server:
        yield from _over(world, server, DEFLATE, message, number)


def _over(world: World, server: EchoServer, setting: str, message: Path, number: int) -> Iterator[Sample]:
    first = number % len(SUBJECTS)
    for subject in SUBJECTS[first:] + SUBJECTS[:first]:
        if subject in round_trip.K6 and world.k6 is None:
            continue
        with _client(world, subject, server, message) as client:
            spent = round_trip.at_full_speed(client, server, subject, CONNECTIONS)
        yield Sample(place=cpu(subject, setting), round=number, value=spent.client_us)


def _client(world: World, subject: str, server: EchoServer, message: Path) -> Process:
    certificate = world.certificate.certificate if world.certificate and server is world.echo_tls else None
    directory, url = world.directory, server.url
    if subject == YARDSTICK:
        options = ("--ca-file", certificate) if certificate else ("--deflate",)
        words = (url, CONNECTIONS, BYTES, "--message", message, *options)
        return Process(
            *python("benchmarks.clients.bare_websockets", *words), directory=directory, name="bare"
        )
    if subject == round_trip.WSLOAD:
        options = ("--ws-ca-file", certificate) if certificate else ("--ws-compression",)
        return Locust(
            "locust_wsload", *options, users=CONNECTIONS, url=url, directory=directory, message=message
        )
    assert world.k6 is not None
    options = ("--insecure-skip-tls-verify",) if certificate else ("--env", "DEFLATE=1")
    settings = ("--env", f"URL={url}", "--env", f"MESSAGE={message}", *options, CLIENTS / "k6_ws.js")
    return round_trip.k6(world.k6, CONNECTIONS, *settings, directory=directory)


def _message() -> str:
    """Posts of a chat. Deflating leaves 17 bytes of it, since the message before was the same."""
    posts = [
        {"type": "message", "name": f"user-{post * 7919 % 1000}", "text": f"post {post * 104729 % 99991}"}
        for post in range(BYTES // 40)
    ]
    return json.dumps(posts)[:BYTES]
