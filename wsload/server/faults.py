"""Fault injection: parses ``--fault``, and decides about each post and handshake.

A specification is ``kind=value``:

    stall=S/P          in every period P, counted from the first post, nothing is answered for the last S;
                       what was held is answered when the stall ends
    delay=D            every reply is delayed by D, independently of the others (pipelined)
    delay=exp:D        … by a random time, exponentially distributed with mean D
    capacity=N/s       posts are served one after the other, N a second: each waits for those before it
    capacity=exp:N/s   … each for a random time, exponentially distributed with mean 1/N (an M/M/1 queue, if the posts
                       come at random)
    late=R@D           this share of the replies is delayed by another D
    drop=R             this share of the posts is never answered
    duplicate=R        … is answered twice
    reorder=R          … is answered after the sender's next post (or after 1.5 s, if there is none)
    garbage=R          … is answered with a garbage frame as well
    refuse=R           this share of the handshakes is answered 503
    slow-handshake=D   every handshake is delayed by D
    close=CODE@D       D after the start, every connection is closed with CODE (1006: without a
                       close frame); may be given several times

D, S, P are durations (``200us``, ``5ms``, ``2s``, ``1m``), R is a share (``0.1%``). Random decisions are drawn from the
seed in order of arrival: the same seed drops the same posts.
"""

from __future__ import annotations

import enum
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from wsload.errors import UsageError
from wsload.words import duration_ns, share

GARBAGE: Final = (
    (b"{this is no JSON", True),
    (b"\x00\xff\xfe binary", False),
    (b'["an array", "not an object"]', True),
)
"""The frames that ``garbage`` sends in turn: (payload, whether it is text)."""

EXAMPLES: Final = (
    "stall=200ms/2s, delay=5ms, delay=exp:5ms, late=2%@20ms, capacity=500/s, capacity=exp:500/s, drop=0.1%, "
    "duplicate=1%, reorder=1%, garbage=1%, refuse=10%, slow-handshake=1s, close=1011@30s"
)

_MIN_CAPACITY: Final = 0.1
_MAX_CAPACITY: Final = 1e6
_CLOSE_CODES: Final = frozenset({1000, 1001, 1002, 1003, *range(1006, 1015), *range(3000, 5000)})


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """The faults to inject; all zero is a healthy server."""

    stall_ns: int = 0
    """Length of a stall."""
    period_ns: int = 0
    """From the end of one stall to the end of the next."""
    delay_ns: int = 0
    """Delay of every reply, or its mean."""
    exponential: bool = False
    """Whether each reply's delay is random."""
    late: float = 0.0
    """Share of replies that are delayed further, 0 to 1."""
    late_ns: int = 0
    """By how much."""
    service_ns: float = 0.0
    """How long each post is served, one after the other, or the mean of that."""
    exponential_service: bool = False
    """Whether each post's service time is random."""
    drop: float = 0.0
    """Share of posts that are not answered, 0 to 1."""
    duplicate: float = 0.0
    """Share answered twice."""
    reorder: float = 0.0
    """Share answered after the sender's next."""
    garbage: float = 0.0
    """Share answered with garbage as well."""
    refuse: float = 0.0
    """Share of the handshakes answered 503."""
    slow_handshake_ns: int = 0
    """Delay of every handshake."""
    closes: tuple[tuple[int, int], ...] = ()
    """(ns after the start, close code), in the order given."""


class Action(enum.Enum):
    """How a post is answered, apart from its delay."""

    ECHO = enum.auto()
    DROP = enum.auto()
    DUPLICATE = enum.auto()
    REORDER = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """The decision about one post."""

    due_ns: int
    """When to answer it, by the clock of its arrival."""
    action: Action
    garbage: int | None
    """Index in `GARBAGE` of the frame to send with the answer."""


class Faults:
    """Decides about each post and handshake of one run.

    Each kind of fault has its own random stream, so that adding one does not change which posts another hits.
    """

    def __init__(self, plan: FaultPlan, *, seed: int) -> None:
        self.plan = plan
        self.stall_origin_ns: int | None = None
        """When the first post came; stalls count from then."""
        self._free_ns = 0.0  # when the posts so far have been served
        self._delays = random.Random(f"{seed}:delays")
        self._late = random.Random(f"{seed}:late")
        self._services = random.Random(f"{seed}:services")
        self._actions = random.Random(f"{seed}:fates")
        self._garbage = random.Random(f"{seed}:garbage")
        self._handshakes = random.Random(f"{seed}:handshakes")
        self._garbage_sent = 0

    def post(self, received_ns: int) -> Treatment:
        """Decides about one post that arrived at this time (ns, any monotonic clock)."""
        if self.stall_origin_ns is None:
            self.stall_origin_ns = received_ns
        return Treatment(
            due_ns=self._unstalled(self._served(received_ns) + self._delay(), self.stall_origin_ns),
            action=self._action(),
            garbage=self._which_garbage(),
        )

    def refuses(self) -> bool:
        """Decides whether one handshake is answered 503."""
        return self._handshakes.random() < self.plan.refuse

    def _served(self, received_ns: int) -> int:
        """When it has been served: Lindley's recursion (Lindley 1952, The theory of queues with a single server)."""
        plan = self.plan
        if not plan.service_ns:
            return received_ns
        drawn = self._services.expovariate(1.0) if plan.exponential_service else 1.0
        self._free_ns = max(received_ns, self._free_ns) + drawn * plan.service_ns
        return math.ceil(self._free_ns)

    def _delay(self) -> int:
        plan = self.plan
        late_ns = plan.late_ns if plan.late and self._late.random() < plan.late else 0
        if plan.exponential:
            return late_ns + math.ceil(self._delays.expovariate(1 / plan.delay_ns))
        return late_ns + plan.delay_ns

    def _unstalled(self, ready_ns: int, origin_ns: int) -> int:
        plan = self.plan
        if not plan.stall_ns:
            return ready_ns
        left_ns = plan.period_ns - (ready_ns - origin_ns) % plan.period_ns
        return ready_ns + left_ns if left_ns <= plan.stall_ns else ready_ns

    def _action(self) -> Action:
        plan = self.plan
        drawn = self._actions.random()
        for part, action in (
            (plan.drop, Action.DROP),
            (plan.duplicate, Action.DUPLICATE),
            (plan.reorder, Action.REORDER),
        ):
            if drawn < part:
                return action
            drawn -= part
        return Action.ECHO

    def _which_garbage(self) -> int | None:
        if self._garbage.random() >= self.plan.garbage:
            return None
        self._garbage_sent += 1
        return (self._garbage_sent - 1) % len(GARBAGE)


def parse_faults(specifications: Sequence[str]) -> FaultPlan:
    """Parses ``kind=value`` specifications. Raises `UsageError`, which quotes the wrong one."""
    plan = FaultPlan()
    seen: set[str] = set()
    for specification in specifications:
        kind, _, value = specification.partition("=")
        if kind not in _PARSERS:
            raise UsageError(f"--fault {specification!r}: no such fault; use one of {EXAMPLES}")
        if kind in seen and kind != "close":
            raise UsageError(f"--fault {specification!r}: {kind} is given twice")
        seen.add(kind)
        try:
            changes = _PARSERS[kind](value)
        except ValueError as error:
            raise UsageError(f"--fault {specification!r}: {error}") from None
        if "closes" in changes:
            changes["closes"] = plan.closes + changes["closes"]
        plan = replace(plan, **changes)
    if plan.drop + plan.duplicate + plan.reorder > 1:
        raise UsageError("--fault: drop, duplicate and reorder together are more than 100%")
    return plan


def _positive_ns(text: str) -> int:
    time_ns = duration_ns(text)
    if not time_ns:
        raise ValueError("the duration must be above 0")
    return time_ns


def _share(kind: str) -> Callable[[str], dict[str, Any]]:
    def parse_share(text: str) -> dict[str, Any]:
        if (found := share(text)) > 1:
            raise ValueError("a share is at most 100%")
        return {kind: found}

    return parse_share


def _stall(text: str) -> dict[str, Any]:
    length, slash, period = text.partition("/")
    if not slash:
        raise ValueError("a stall is LENGTH/PERIOD, such as 200ms/2s")
    stall_ns, period_ns = _positive_ns(length), _positive_ns(period)
    if stall_ns >= period_ns:
        raise ValueError(f"the stall ({length}) must be shorter than its period ({period})")
    return {"stall_ns": stall_ns, "period_ns": period_ns}


def _delay(text: str) -> dict[str, Any]:
    mean = text.removeprefix("exp:")
    return {"delay_ns": _positive_ns(mean), "exponential": mean != text}


def _late(text: str) -> dict[str, Any]:
    part, at, delay = text.partition("@")
    if not at:
        raise ValueError("late replies are SHARE@DELAY, such as 2%@20ms")
    return _share("late")(part) | {"late_ns": _positive_ns(delay)}


def _capacity(text: str) -> dict[str, Any]:
    rate = text.removeprefix("exp:")
    count, per, nothing = rate.partition("/s")
    try:
        posts = float(count) if per and not nothing else math.nan
    except ValueError:
        posts = math.nan
    if not _MIN_CAPACITY <= posts <= _MAX_CAPACITY:
        raise ValueError("a capacity is posts a second, 0.1/s to 1,000,000/s, such as 500/s")
    return {"service_ns": 1e9 / posts, "exponential_service": rate != text}


def _close(text: str) -> dict[str, Any]:
    code, at, after = text.partition("@")
    if not at:
        raise ValueError("a close is CODE@TIME, such as 1011@30s")
    if not (code.isascii() and code.isdigit() and int(code) in _CLOSE_CODES):
        raise ValueError(f"close code {code!r} can't be sent: use 1000-1003, 1006-1014 or 3000-4999")
    return {"closes": ((duration_ns(after), int(code)),)}


_PARSERS: Final[dict[str, Callable[[str], dict[str, Any]]]] = {
    "stall": _stall,
    "delay": _delay,
    "late": _late,
    "capacity": _capacity,
    "drop": _share("drop"),
    "duplicate": _share("duplicate"),
    "reorder": _share("reorder"),
    "garbage": _share("garbage"),
    "refuse": _share("refuse"),
    "slow-handshake": lambda text: {"slow_handshake_ns": _positive_ns(text)},
    "close": _close,
}
