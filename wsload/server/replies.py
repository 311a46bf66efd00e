"""The reply path: a post is echoed to its sender first, then fanned out to everyone else.

The sender's echo is timestamped and written the moment it is due. The fan-out follows in the loop's next iteration,
so that the echoes of posts that arrived together don't wait for each other's fan-out. Without faults a post is
answered as it arrives, at the cost of one comparison.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Protocol

from wsload.load.engine.timers import Timer, TimerQueue
from wsload.server.account import Account, Truth
from wsload.server.compat import Outgoing, outgoing
from wsload.server.faults import GARBAGE, Action, Faults, Treatment

HOLD_NS: Final = 1_500_000_000
"""How long a post to be reordered waits for the sender's next post."""

_GARBAGE: Final = tuple(outgoing(data, text=text) for data, text in GARBAGE)


class Peer(Protocol):
    """A connection, as the reply path needs it."""

    def deliver(self, message: Outgoing) -> bool:
        """Writes the message at once; returns False if the connection is not open."""


@dataclass(slots=True, eq=False, kw_only=True)
class Sender:
    """A connection and the state of its posts."""

    peer: Peer
    posts: int = 0
    """Posts received."""
    answered: int = 0
    """The highest number of an answered post; posts are numbered from 1."""
    held: Post | None = None
    """A post that waits for the next one to overtake it."""


@dataclass(slots=True, eq=False, kw_only=True)
class Post:
    """A post, from its arrival to its answer."""

    sender: Sender
    number: int
    """Among its connection's posts, from 1."""
    raw: bytes
    """As it arrived."""
    message: Outgoing
    """As it goes out."""
    received_ns: int
    treatment: Treatment | None
    """What `Faults` decided; None without faults."""
    timer: Timer | None = None
    """The timer of its delay."""


class Replies:
    """Answers posts to the connections in ``peers``, a collection that the caller keeps up to date.

    ``now`` is the clock of all times here, in ns; the timers must use the same.
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

    def post(self, sender: Sender, raw: bytes, data: bytes, received_ns: int) -> None:
        """Handles a post that arrived at this time: ``raw`` as received, ``data`` as it is sent to others."""
        self._account.posts += 1
        sender.posts += 1
        post = Post(
            sender=sender,
            number=sender.posts,
            raw=raw,
            message=outgoing(data),
            received_ns=received_ns,
            treatment=None,
        )
        if self._faults is None:
            self._answer(post, wait_ns=0)
        else:
            self._treat(post, self._faults)

    def release(self, sender: Sender) -> None:
        """Answers the post that was held back: it was overtaken, waited long enough, or the connection closed."""
        held, sender.held = sender.held, None
        if held is not None:
            self._settle(held)
            self._answer(held, wait_ns=self._now() - held.received_ns)

    def close(self) -> None:
        """Gives up the delayed posts, because the server stops."""
        for post in list(self._waiting):
            self._settle(post)
            self._account.unsent += 1
            self._record(post, None, 0, ["unsent"])

    # Faults

    def _treat(self, post: Post, faults: Faults) -> None:
        assert self._timers is not None
        if faults.stall_origin_ns is None and faults.plan.stall_ns and self._truth is not None:
            self._truth.note("stalls", origin_ns=post.received_ns)
        treatment = post.treatment = faults.post(post.received_ns)
        if treatment.action is Action.DROP:
            self._account.dropped += 1
            self._record(post, None, 0, ["dropped"])
        elif treatment.due_ns <= self._now() and not (faults.plan.stall_ns and self._waiting):
            self._due(post)
        else:
            # This includes posts that came after a stall but before the stalled posts were answered: those go first.
            self._waiting.add(post)
            post.timer = self._timers.at(treatment.due_ns, self._due, post)

    def _due(self, post: Post) -> None:
        assert self._timers is not None and post.treatment is not None
        sender, treatment = post.sender, post.treatment
        if treatment.action is Action.REORDER and sender.held is None:
            # Only one at a time, so that exactly one post is overtaken.
            sender.held = post
            self._waiting.add(post)
            post.timer = self._timers.at(treatment.due_ns + HOLD_NS, self.release, sender)
            return
        self._settle(post)
        self._answer(post, wait_ns=treatment.due_ns - post.received_ns)
        self.release(sender)

    def _settle(self, post: Post) -> None:
        self._waiting.discard(post)
        if post.timer is not None:
            post.timer.cancel()

    # Answering

    def _answer(self, post: Post, wait_ns: int) -> None:
        sender, account, done = post.sender, self._account, ["echoed"]
        # Taken before the write, so that the client's measurement includes all of it.
        sent_ns: int | None = self._now()
        if not sender.peer.deliver(post.message):
            account.unsent += 1
            sent_ns, done = None, ["unsent"]
        else:
            account.echoed += 1
            if post.number < sender.answered:
                account.reordered += 1
                done.append("reordered")
            else:
                sender.answered = post.number
            if post.treatment is not None:
                self._add_faults(post, post.treatment, done)
        if not self._fan_outs:
            self._loop.call_soon(self._fan_out)
        self._fan_outs.append(post)
        self._record(post, sent_ns, wait_ns, done)

    def _add_faults(self, post: Post, treatment: Treatment, done: list[str]) -> None:
        if treatment.action is Action.DUPLICATE and post.sender.peer.deliver(post.message):
            self._account.duplicated += 1
            done.append("duplicated")
        if treatment.garbage is not None and post.sender.peer.deliver(_GARBAGE[treatment.garbage]):
            self._account.garbage += 1
            done.append("garbage")

    def _fan_out(self) -> None:
        posts, self._fan_outs = self._fan_outs, []
        for post in posts:
            sender, message, delivered = post.sender.peer, post.message, 0
            twice = post.treatment is not None and post.treatment.action is Action.DUPLICATE
            for _ in range(2 if twice else 1):
                for peer in self._peers:
                    if peer is not sender and peer.deliver(message):
                        delivered += 1
            self._account.deliveries += delivered

    def _record(self, post: Post, sent_ns: int | None, wait_ns: int, done: list[str]) -> None:
        if self._truth is not None:
            self._truth.post(post.raw, post.received_ns, sent_ns, wait_ns, done)
