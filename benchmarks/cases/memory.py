"""Memory per idle user who is logged in: how much more 5,000 users take than one.

The room is quiet (``--quiet-roster``), so that logins are not announced to everyone. All users start at once, which is
the worst case: memory that openings allocate and free leaves holes.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import Final

from benchmarks.figures import YARDSTICK, Place, Sample
from benchmarks.locust_command import Locust
from benchmarks.processes import Failed, Process, python, until
from benchmarks.world import World
from wsload.server.process import ServerProcess

CASE: Final = "memory"
WSLOAD: Final = "wsload"
USERS: Final = 5000
RAMP: Final = 500
"""Users per second, the other way to start them."""
STEADY_S: Final = 2


def place(setting: str, subject: str = WSLOAD) -> Place:
    return Place(case=CASE, setting=setting, subject=subject, measure="memory per idle user", unit="KiB")


AT_ONCE: Final = f"{USERS:,} users at once"
RAMPED: Final = f"{USERS:,} users, {RAMP} a second"


def measure(world: World, number: int) -> Iterator[Sample]:
    """Only in the first round: it hardly differs from one to the next."""
    if number:
        return
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < USERS + 200:
        raise Failed(f"{USERS} connections need as many open files: see ulimit -n")
    base = _wsload(world, 1, 1)
    yield Sample(place=place(AT_ONCE), round=number, value=_each(_wsload(world, USERS, USERS), base))
    yield Sample(place=place(RAMPED), round=number, value=_each(_wsload(world, USERS, RAMP), base))
    bare = _each(_bare(world, USERS), _bare(world, 1))
    yield Sample(place=place(AT_ONCE, YARDSTICK), round=number, value=bare)


def _each(used: int, base: int) -> float:
    return (used - base) / (USERS - 1) / 1024


def _wsload(world: World, users: int, rate: int) -> int:
    with (
        ServerProcess("--quiet-roster") as server,
        Locust(
            "chat_idle_wsload", users=users, rate=rate, url=server.url, directory=world.directory
        ) as client,
    ):
        until(lambda: client.counted("logins") >= users, f"{users} logins", client)
        client.steady_seconds(STEADY_S)
        return client.memory_bytes()


def _bare(world: World, users: int) -> int:
    command = python("benchmarks.clients.bare_idle", world.echo.url, users)
    with Process(*command, directory=world.directory, name="bare_idle") as client:
        until(client.output.read_text, f"{users} connections", client)
        return client.memory_bytes()
