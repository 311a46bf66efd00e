"""The reply path: a post goes back to its sender first, then to everyone else.

The sender's reply is written, and stamped, the moment it is due; the others' follow once the
loop has served what else was ready, so that the echoes of posts that arrived together do not wait
for each other's fan-out. Without faults a post is answered as it arrives, and nothing here costs
more than one comparison.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Protocol

from wsload.load.engine.timers import Timer, TimerQueue
from wsload.server.account import Account, Truth
from wsload.server.connection import Outgoing, outgoing
from wsload.server.faults import GARBAGE, Fate, Faults, Verdict

HOLD_NS: Final = 1_500_000_000
"""A post to be reordered waits no longer than this for the sender's next."""

_GARBAGE: Final = tuple(outgoing(data, text=text) for data, text in GARBAGE)


class Peer(Protocol):
    """What the reply path needs of a connection."""

    def deliver(self, message: Outgoing) -> bool:
        """Writes the message at once; False when the connection is not open."""


@dataclass(slots=True, eq=False, kw_only=True)
class Line:
    """One connection's posts, as the reply path follows them."""

    peer: Peer
    posts: int = 0
    """Posts received."""
    answered: int = 0
    """The highest number of a post answered; posts count from 1."""
    held: Post | None = None
    """A post that waits for the next to overtake it."""


@dataclass(slots=True, eq=False, kw_only=True)
class Post:
    """A post from its arrival to its answer."""

    line: Line
    number: int
    """Its place among the posts of its connection."""
    raw: bytes
    """As it arrived."""
    message: Outgoing
    """As it goes out."""
    received_ns: int
    verdict: Verdict | None
    """What faults decided; None without any."""
    timer: Timer | None = None
    """What wakes it, while it waits."""


class Replies:
    """Answers posts to the connections in ``peers``, which others add to and take from.

    ``now`` is the clock of all times here, in ns; the timers must go by the same.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        peers: Collection[Peer],
        account: Account,
        truth: Truth | None = None,
        faults: Faults | None = None,
        timers: TimerQueue | None = None,
        now: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        assert (faults is None) == (timers is None)
        self._loop = loop
        self._peers = peers
        self._account = account
        self._truth = truth
        self._faults = faults
        self._timers = timers
        self._now = now
        self._waiting: set[Post] = set()
        self._fan_outs: list[Post] = []

    def post(self, line: Line, raw: bytes, data: bytes, received_ns: int) -> None:
        """A post arrived at this time: ``raw`` as it came, ``data`` as it is to be handed on."""
        self._account.posts += 1
        line.posts += 1
        post = Post(
            line=line,
            number=line.posts,
            raw=raw,
            message=outgoing(data),
            received_ns=received_ns,
            verdict=None,
        )
        if self._faults is None:
            self._answer(post, wait_ns=0)
        else:
            self._judge(post, self._faults)

    def release(self, line: Line) -> None:
        """Answers what the connection holds back: it is overtaken, late enough, or closed."""
        held, line.held = line.held, None
        if held is not None:
            self._settle(held)
            self._answer(held, wait_ns=self._now() - held.received_ns)

    def close(self) -> None:
        """The server stops: what still waits is never answered."""
        for post in list(self._waiting):
            self._settle(post)
            self._account.unsent += 1
            self._record(post, None, 0, ["unsent"])

    # Faults

    def _judge(self, post: Post, faults: Faults) -> None:
        assert self._timers is not None
        if faults.stall_origin_ns is None and faults.plan.stall_ns and self._truth is not None:
            self._truth.note("stalls", origin_ns=post.received_ns)
        verdict = post.verdict = faults.post(post.received_ns)
        if verdict.fate is Fate.DROP:
            self._account.dropped += 1
            self._record(post, None, 0, ["dropped"])
        elif verdict.due_ns <= self._now() and not (faults.plan.stall_ns and self._waiting):
            self._due(post)
        else:
            # Also what came after a stall but before its posts were answered: they are first in line.
            self._waiting.add(post)
            post.timer = self._timers.at(verdict.due_ns, self._due, post)

    def _due(self, post: Post) -> None:
        assert self._timers is not None and post.verdict is not None
        line, verdict = post.line, post.verdict
        if verdict.fate is Fate.REORDER and line.held is None:
            # One at a time, so that each reordering is one post overtaken, and no more.
            line.held = post
            self._waiting.add(post)
            post.timer = self._timers.at(verdict.due_ns + HOLD_NS, self.release, line)
            return
        self._settle(post)
        self._answer(post, wait_ns=verdict.due_ns - post.received_ns)
        self.release(line)

    def _settle(self, post: Post) -> None:
        self._waiting.discard(post)
        if post.timer is not None:
            post.timer.cancel()

    # Answering

    def _answer(self, post: Post, wait_ns: int) -> None:
        line, account, done = post.line, self._account, ["echoed"]
        # Stamped before the write: what the client measures holds at least this.
        sent_ns: int | None = self._now()
        if not line.peer.deliver(post.message):
            account.unsent += 1
            sent_ns, done = None, ["unsent"]
        else:
            account.echoed += 1
            if post.number < line.answered:
                account.reordered += 1
                done.append("reordered")
            else:
                line.answered = post.number
            if post.verdict is not None:
                self._embellish(post, post.verdict, done)
        if not self._fan_outs:
            self._loop.call_soon(self._fan_out)
        self._fan_outs.append(post)
        self._record(post, sent_ns, wait_ns, done)

    def _embellish(self, post: Post, verdict: Verdict, done: list[str]) -> None:
        if verdict.fate is Fate.DUPLICATE and post.line.peer.deliver(post.message):
            self._account.duplicated += 1
            done.append("duplicated")
        if verdict.garbage is not None and post.line.peer.deliver(_GARBAGE[verdict.garbage]):
            self._account.garbage += 1
            done.append("garbage")

    def _fan_out(self) -> None:
        posts, self._fan_outs = self._fan_outs, []
        for post in posts:
            sender, message, delivered = post.line.peer, post.message, 0
            twice = post.verdict is not None and post.verdict.fate is Fate.DUPLICATE
            for _ in range(2 if twice else 1):
                for peer in self._peers:
                    if peer is not sender and peer.deliver(message):
                        delivered += 1
            self._account.deliveries += delivered

    def _record(self, post: Post, sent_ns: int | None, wait_ns: int, done: list[str]) -> None:
        if self._truth is not None:
            self._truth.post(post.raw, post.received_ns, sent_ns, wait_ns, done)
