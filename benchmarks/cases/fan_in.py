"""Fan-in, the chat's real load: each post is delivered to every other user, and all deliveries are measured.

CPU per delivery is that of the whole ``locust`` process, including sending, hub and statistics. Below full speed a
process sleeps between most deliveries, and most of a delivery's cost is waking up: the fewer there are, the more each
one costs. At full speed (the process keeps a core busy, as in the round trips' case) they come in batches, so only
then the two are comparable.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from benchmarks.figures import YARDSTICK, Place, Sample
from benchmarks.locust_command import Locust
from benchmarks.processes import Process, python, until
from benchmarks.tally import MESSAGES, OPENED, Tally
from benchmarks.world import World
from wsload.server.process import ServerProcess

CASE: Final = "fan-in"
WSLOAD: Final = "wsload"
BARE_RATES: Final = ((50, 2000), (500, 200))
"""Users, and posts per second of all of them together, which bare `websockets` can handle too."""
FULL_SPEED: Final = ((50, 6000), (500, 600))
"""The most that the server and wsload manage with a core each."""
RATES: Final = ((100, 100), *BARE_RATES, *FULL_SPEED)
SECONDS: Final = 2
SETTLE_S: Final = 1.0


def setting(users: int, posts: int) -> str:
    """As tables show it."""
    return f"{users} users, {users * posts:,} deliveries/s"


def place(users: int, posts: int, measure: str, unit: str, subject: str = WSLOAD) -> Place:
    return Place(case=CASE, setting=setting(users, posts), subject=subject, measure=measure, unit=unit)


def cpu(users: int, posts: int, subject: str = WSLOAD) -> Place:
    """CPU time of the whole client process per delivery."""
    return place(users, posts, "CPU per delivery", "µs", subject)


def share(users: int, posts: int) -> Place:
    """CPU time of the whole client process per second."""
    return place(users, posts, "CPU", "% of a core")


def measure(world: World, number: int) -> Iterator[Sample]:
    """One round."""
    for users, posts in RATES:
        with ServerProcess("--quiet-roster") as server:
            yield from _wsload(world, server.url, users, posts, number)
        if (users, posts) in BARE_RATES:
            with ServerProcess("--quiet-roster") as server:
                yield from _bare(world, server.url, users, posts, number)


def _wsload(world: World, url: str, users: int, posts: int, number: int) -> Iterator[Sample]:
    with Locust(
        "chat_room_wsload", "--ws-rate", posts, users=users, url=url, directory=world.directory
    ) as client:
        until(lambda: client.counted("logins") >= users, f"{users} logins", client)
        seconds = client.steady_seconds(SECONDS)
    counted = {
        name: sum(second["counters"].get(name, 0) for second in seconds)
        for name in ("deliveries_own_host", "cpu_ns")
    }
    spent_s = sum(second["length_s"] for second in seconds)
    deliveries = counted["deliveries_own_host"]
    yield Sample(place=cpu(users, posts), round=number, value=counted["cpu_ns"] / deliveries / 1000)
    yield Sample(place=share(users, posts), round=number, value=counted["cpu_ns"] / spent_s / 1e7)
    rate = place(users, posts, "deliveries", "/s")
    yield Sample(place=rate, round=number, value=deliveries / spent_s)


def _bare(world: World, url: str, users: int, posts: int, number: int) -> Iterator[Sample]:
    shared = world.directory / f"bare-chat-{users}-{number}.tally"
    counts = Tally(shared).counts
    command = python("benchmarks.clients.bare_chat", url, users, posts, shared)
    with Process(*command, directory=world.directory, name="bare_chat") as client:
        until(lambda: counts[OPENED] >= users and counts[MESSAGES] > users, "messages", client)
        time.sleep(SETTLE_S)
        began, cpu_ns = counts[MESSAGES], client.cpu_ns
        time.sleep(SECONDS)
        messages, cpu_ns = counts[MESSAGES] - began, client.cpu_ns - cpu_ns
    # A sender's own post is one of the messages; as with wsload, it does not count as a delivery.
    deliveries = messages * (users - 1) / users
    yield Sample(place=cpu(users, posts, YARDSTICK), round=number, value=cpu_ns / deliveries / 1000)
    rate = place(users, posts, "deliveries", "/s", YARDSTICK)
    yield Sample(place=rate, round=number, value=deliveries / SECONDS)
