"""Watches from the hub whether the users' loop goes on, and names what blocks it."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Final

import gevent

from wsload.load.locust.blocked import Place, frames_of_thread, place_of
from wsload.load.locust.bridge import Bridge

logger = logging.getLogger("wsload")

TICK_S: Final = 0.25
NOTED_S: Final = 1.0
"""A loop without a heartbeat for so long is blocked; what it does then is noted …"""
SAID_S: Final = 5.0
"""… and said in the log while it lasts, if it lasts that long."""
MOST_NOTED: Final = 1_000
"""Blocks that are noted in a run."""


@dataclass(slots=True, kw_only=True)
class Block:
    """A time in which the loop did not go on."""

    place: Place
    began_s: float
    """By the monotonic clock."""
    seconds: float = 0.0
    """How long it has lasted."""


class Watchdog:
    """One per recording: `start` and `stop` with it."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._greenlet: gevent.Greenlet | None = None
        self.blocks: list[Block] = []
        """The blocks of this run, by when they began."""
        self.block: Block | None = None
        """The one that lasts."""

    def start(self) -> None:
        """Forgets the run before and watches from now on."""
        self.stop()
        self.blocks, self.block = [], None
        self._greenlet = gevent.spawn(self._watch)

    def stop(self) -> None:
        """Watches no more."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def _watch(self) -> None:
        engine, said = self._bridge.engine, False
        beats, beat_s, now_s = engine.beats, time.monotonic(), time.monotonic()
        while True:
            gevent.sleep(TICK_S)
            ticked_s, now_s = now_s, time.monotonic()
            if engine.beats != beats or now_s - ticked_s > 4 * TICK_S:
                # It beats; or this thread was stopped as well, which says nothing about the other.
                beats, beat_s, self.block, said = engine.beats, now_s, None, False
                continue
            if self.block is not None:
                self.block.seconds = now_s - self.block.began_s
                if self.block.seconds >= SAID_S and not said:
                    said = True
                    self._say(self.block)
            elif now_s - beat_s >= NOTED_S and len(self.blocks) < MOST_NOTED:
                self._note(beat_s, now_s)

    def _note(self, began_s: float, now_s: float) -> None:
        frame = self._bridge.frame()
        place = place_of(frames_of_thread(frame)) if frame is not None else None
        if place is not None:
            self.block = Block(place=place, began_s=began_s, seconds=now_s - began_s)
            self.blocks.append(self.block)

    def _say(self, block: Block) -> None:
        logger.error(
            "All users of this process have been blocked for %.0f s by %s; await what can be awaited, "
            "or use asyncio.to_thread. The stack:\n%s",
            block.seconds,
            block.place.text,
            block.place.stack.rstrip(),
        )
