"""Keepalive pings: one interval for every connection, spread evenly, and a time-out that is precise."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from wsload.load.engine.timers import Timer, TimerQueue
from wsload.load.ws.keepalive import Keepalive

MS = 1_000_000


class Connection:
    """Answers its pings at once, or never."""

    incoming: Any = None

    def __init__(self, *, answers: bool = True) -> None:
        self.answers = answers
        self.next_ping: Timer | None = None
        self.pong_due: Timer | None = None
        self.pings: list[int] = []
        self.failed_ns = 0

    def ping_now(self) -> bool:
        if self.pong_due is not None and not self.answers:
            return False
        self.pings.append(time.monotonic_ns())
        return True

    def pong_overdue(self) -> None:
        if not self.answers:
            self.failed_ns = time.monotonic_ns()
            assert self.next_ping is not None
            self.next_ping.cancel()


def run(body: Callable[[TimerQueue], Awaitable[None]]) -> None:
    async def main() -> None:
        timers = TimerQueue(asyncio.get_running_loop())
        try:
            async with asyncio.timeout(20):
                await body(timers)
        finally:
            timers.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_the_interval_is_each_connections_own_whatever_their_number() -> None:
    async def body(timers: TimerQueue) -> None:
        for number in (1, 200):
            keepalive = Keepalive(timers, interval_ns=50 * MS, timeout_ns=None)
            connections = [Connection() for _ in range(number)]
            firsts = []
            for connection in connections:
                before = time.monotonic_ns()
                keepalive.start(connection)
                assert connection.next_ping is not None
                firsts.append(connection.next_ping.due_ns - before)
            while min(len(connection.pings) for connection in connections) < 4:
                await timers.sleep_until(time.monotonic_ns() + MS)
            for connection in connections:
                assert connection.next_ping is not None
                connection.next_ping.cancel()
                gaps = [later - before for before, later in itertools.pairwise(connection.pings)]
                assert min(gaps) >= 49 * MS
        assert min(firsts) >= 0 and max(firsts) < 51 * MS
        # Spread over the interval, so that pings don't wait for each other.
        assert all(
            sum(start * MS <= first < (start + 10) * MS for first in firsts) > 10
            for start in range(0, 50, 10)
        )

    run(body)


def test_one_that_is_gone_is_pinged_no_more() -> None:
    async def body(timers: TimerQueue) -> None:
        keepalive = Keepalive(timers, interval_ns=MS, timeout_ns=MS)
        connection = Connection()
        keepalive.start(connection)
        while len(connection.pings) < 3:
            await timers.sleep_until(time.monotonic_ns() + MS)
        assert connection.next_ping is not None
        connection.next_ping.cancel()
        number = len(connection.pings)
        await timers.sleep_until(time.monotonic_ns() + 5 * MS)
        assert len(connection.pings) == number

    run(body)


def test_an_unanswered_ping_fails_its_connection_in_time_whatever_the_interval() -> None:
    async def body(timers: TimerQueue) -> None:
        for interval_ms in (5, 1_000):
            keepalive = Keepalive(timers, interval_ns=interval_ms * MS, timeout_ns=30 * MS)
            connection = Connection(answers=False)
            keepalive._ping(connection)
            while not connection.failed_ns:
                await timers.sleep_until(time.monotonic_ns() + MS)
            assert len(connection.pings) == 1
            assert 30 * MS <= connection.failed_ns - connection.pings[0] < 200 * MS

    run(body)


def test_a_pong_that_came_in_time_counts_though_the_loop_reads_it_late() -> None:
    async def body(timers: TimerQueue) -> None:
        loop, connection = asyncio.get_running_loop(), Connection(answers=False)
        ours, theirs = socket.socketpair()
        pongs: list[bytes] = []

        def read() -> None:
            pongs.append(ours.recv(100))
            assert connection.pong_due is not None
            connection.pong_due.cancel()

        loop.add_reader(ours, read)
        timers.at(time.monotonic_ns() + MS, lambda: None)  # such as the heartbeat's: it wakes the queue first
        Keepalive(timers, interval_ns=1_000 * MS, timeout_ns=40 * MS)._ping(connection)
        time.sleep(0.02)  # noqa: ASYNC251  # the loop is held up
        theirs.send(b"pong")
        time.sleep(0.04)  # noqa: ASYNC251
        while not pongs:
            await timers.sleep_until(time.monotonic_ns() + MS)
        await timers.sleep_until(time.monotonic_ns() + MS)
        loop.remove_reader(ours)
        ours.close()
        theirs.close()
        assert connection.failed_ns == 0

    run(body)
