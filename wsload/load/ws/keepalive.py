"""Keepalive pings: every connection is pinged at the same interval, whatever the number of connections."""

from __future__ import annotations

import random
import time
from typing import Protocol

from wsload.load.engine.timers import DelayQueue, Source, Timer, TimerQueue


class Pinged(Protocol):
    """A connection that is pinged until it is gone."""

    next_ping: Timer | None
    """Cancel it when the connection is gone."""
    pong_due: Timer | None
    """The timeout of the outstanding pong."""

    @property
    def incoming(self) -> Source:
        """Where the pong comes from."""

    def ping_now(self) -> bool:
        """Sends a ping unless one is outstanding; returns whether it did."""

    def pong_overdue(self) -> None:
        """Fails the connection."""


class Keepalive:
    """Pings connections at an interval; fails those whose pong does not come in time.

    A connection's first ping comes after a random part of the interval, which spreads the pings of a swarm
    evenly: pings that arrive together wait for each other at the server.
    """

    def __init__(self, timers: TimerQueue, *, interval_ns: int, timeout_ns: int | None) -> None:
        self._timers = timers
        self._intervals = DelayQueue(timers, interval_ns)
        self._timeouts = None if timeout_ns is None else DelayQueue(timers, timeout_ns, deadlines=True)

    def start(self, connection: Pinged) -> None:
        """Pings this connection until its ``next_ping`` is cancelled."""
        first_ns = time.monotonic_ns() + int(random.random() * self._intervals.delay_ns)
        connection.next_ping = self._timers.at(first_ns, self._ping, connection)

    def _ping(self, connection: Pinged) -> None:
        connection.next_ping = self._intervals.add(self._ping, connection)
        if connection.ping_now() and self._timeouts is not None:
            connection.pong_due = self._timeouts.add(connection.pong_overdue, source=connection.incoming)
