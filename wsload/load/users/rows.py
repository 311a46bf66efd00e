"""Numbers the rows of feeds for the users of one process; a worker asks its master, so that no row is used twice."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable

Ask = Callable[[str, int], object]
"""Asks the master for this many numbers of a feed."""


class Rows:
    """Numbers from 0 for each feed, unique in a run. Call all methods but `begin` on the loop's thread."""

    def __init__(self) -> None:
        self.ask: Ask | None = None
        """Set in a worker; the answer comes through `given`. Called on the loop's thread."""
        self.begin()

    def begin(self) -> None:
        """Starts a run."""
        self._next: Counter[str] = Counter()
        self._given: defaultdict[str, deque[int]] = defaultdict(deque)
        self._waiting: defaultdict[str, deque[asyncio.Future[int]]] = defaultdict(deque)
        self._asked: set[str] = set()

    async def number(self, feed: str) -> int:
        """The next number of a feed."""
        if self.ask is None:
            self._next[feed] += 1
            return self._next[feed] - 1
        if self._given[feed]:
            return self._given[feed].popleft()
        waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[feed].append(waiter)
        self._ask(feed)
        return await waiter

    def given(self, feed: str, first: int, count: int) -> None:
        """The master's answer: ``count`` numbers from ``first`` on."""
        self._asked.discard(feed)
        waiting = self._waiting[feed]
        for number in range(first, first + count):
            while waiting and waiting[0].done():
                waiting.popleft()  # its user was stopped
            if waiting:
                waiting.popleft().set_result(number)
            else:
                self._given[feed].append(number)
        self._ask(feed)

    def _ask(self, feed: str) -> None:
        """Sends one request to the master at a time; users that arrive meanwhile wait for the next one."""
        wanted = sum(not waiter.done() for waiter in self._waiting[feed])
        if wanted and feed not in self._asked:
            assert self.ask is not None
            self._asked.add(feed)
            self.ask(feed, wanted)
