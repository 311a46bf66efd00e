"""Detects from the hub when the users' loop is blocked, and names what blocks it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Final

import gevent

from wsload.load.locust.blocked import Place, place_of
from wsload.load.locust.bridge import Bridge

logger = logging.getLogger("wsload")

TICK_S: Final = 0.25
NOTED_S: Final = 1.0
"""A loop that has not flushed for this long is blocked; the place is noted."""
REPORTED_S: Final = 5.0
"""A block that lasts this long is logged."""
MAX_NOTED: Final = 1_000
"""At most this many blocks are noted in a run."""


@dataclass(slots=True, kw_only=True)
class Block:
    """A period in which the loop was blocked."""

    place: Place
    began_s: float
    """By the monotonic clock."""
    seconds: float = 0.0
    """How long it has lasted."""


class Watchdog:
    """Runs on the hub during a recording."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._greenlet: gevent.Greenlet | None = None
        self.blocks: list[Block] = []
        """The blocks of this run, in order."""
        self.block: Block | None = None
        """The current one."""

    def start(self) -> None:
        """Forgets the previous run and starts watching."""
        self.stop()
        self.blocks, self.block = [], None
        self._greenlet = gevent.spawn(self._watch)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def _watch(self) -> None:
        engine, reported = self._bridge.engine, False
        flushes, flushed_s, now_s = engine.flushes, time.monotonic(), time.monotonic()
        while True:
            gevent.sleep(TICK_S)
            ticked_s, now_s = now_s, time.monotonic()
            if engine.flushes != flushes or now_s - ticked_s > 4 * TICK_S:
                # It is alive; or this thread was stopped too, which says nothing about the loop.
                flushes, flushed_s, self.block, reported = engine.flushes, now_s, None, False
                continue
            if self.block is not None:
                self.block.seconds = now_s - self.block.began_s
                if self.block.seconds >= REPORTED_S and not reported:
                    reported = True
                    self._report(self.block)
            elif now_s - flushed_s >= NOTED_S and len(self.blocks) < MAX_NOTED:
                self._note(flushed_s, now_s)

    def _note(self, began_s: float, now_s: float) -> None:
        place = place_of(self._bridge.thread.frames())
        if place is not None:
            self.block = Block(place=place, began_s=began_s, seconds=now_s - began_s)
            self.blocks.append(self.block)

    def _report(self, block: Block) -> None:
        logger.error(
            "All users of this process have been blocked for %.0f s by %s; use await where "
            "possible, or move blocking calls to asyncio.to_thread. The stack:\n%s",
            block.seconds,
            block.place.text,
            block.place.stack.rstrip(),
        )
