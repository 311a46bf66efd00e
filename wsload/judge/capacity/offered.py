"""Whether the load of a step was made in full, and answered: what no percentile shows.

Users that were not let in and requests that were not sent have no response time. So a server that refuses most users
passes every check on response times, and `wsload.load.users.context.process` spreads the rate over the users that are
ready, which lowers it. A step is held to three things:

- Its users got in: `MIN_INSIDE` of them. Otherwise, if the server refused openings or logins, the step fails.
- Its tasks came due: of a rate, `MIN_SHARE`. Every task that began is one value of ``send_lag``, so this needs no
  other step. If they did not and the server refused no connection, the load generator may be the cause.
- Its requests were answered: `MIN_SHARE` of those that were sent or could not be sent, counted in the step itself,
  so that it does not matter how many requests a task makes, or if it makes any. Of an open workload only. In a closed
  one a request that is not answered holds up the next, which its response time shows; there only the unsent count.

A task that waits for an answer before its next request makes fewer requests when the server is too slow. The third
does not see those that are missing, so the answers for each task are compared with those of the steps that held, too.
Whichever of these proves the most is taken (`per_offer`): if it were the least, each step could be a little worse than
the one before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wsload.judge.run.doubts import EXHAUSTED
from wsload.measure.interval import Totals
from wsload.measure.names import CANCELLED, TIMEOUT, TOO_LATE, TOO_MANY, WAITED, Kind
from wsload.words import counted, number, percent, rate

MIN_SHARE: Final = 0.9
"""A server that answers less than this share of a load does not hold it, however quick its answers are."""
MIN_INSIDE: Final = 0.98
"""Nor does one that turns users away, so that less than this share of them are inside."""
MAX_FAILED: Final = 0.1
"""A server turns users away if more than this share of all attempts to get in fail: users that it refuses try again."""
DEVIATIONS: Final = 3.0
"""So many standard deviations of a random count may be missing by chance."""
SPARE_TASKS: Final = 3
"""So many evenly spaced tasks may be missing, since a stretch of time can begin and end between two of them."""
_NOT_BEGUN: Final = (TOO_LATE, TOO_MANY)
_SLOW: Final = (TIMEOUT, CANCELLED)
"""Kinds of failure that a load generator may have caused by its own lateness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The load that a step was to make."""

    users: int
    per_second: float = 0.0
    """Tasks; 0 where that is up to the users."""
    poisson: bool = False
    """Whether tasks come at random."""
    per_offer: float = 0.0
    """How many answers come for each task, or for each user and second where the rate is up to them, by steps that
    held (`per_offer`); 0 while that is not known."""

    @property
    def offered(self) -> float:
        """Tasks a second, or users."""
        return self.per_second or self.users


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a step's run recorded."""

    whole: Totals
    """From its start on: users arrive before the measured window."""
    window: Totals
    """In the measured window, up to the last answer that was waited for."""
    steady: Totals | None
    """In the seconds of that in which all of the load was due; None if there is no such second."""

    @property
    def answered(self) -> float:
        """Answers a second while the load was due."""
        totals = self.steady or self.window
        return answers(totals) / totals.duration_s if totals.duration_s else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Why a load was not made, or not answered."""

    reason: str
    remedy: str = ""
    by_server: bool = True
    """Whether it shows that the server does not take the load."""
    certain: bool = False
    """Whether it does so even if the load generator was late."""


def answers(totals: Totals) -> int:
    """How many requests were answered."""
    return sum(
        totals.histograms[name].total
        for name, kind in totals.names.items()
        if kind is Kind.REQUEST and name in totals.histograms
    )


def per_offer(held: Iterable[tuple[float, float, float]]) -> float:
    """How many answers for each task the steps that held prove; 0 if there are none.

    ``held`` are their answers a second, their tasks a second, and how many seconds they were measured. Tasks may make
    requests at random, so of few answers some may be there by chance.
    """
    proved = [0.0]
    for answered, offered, length_s in held:
        count = answered * length_s
        proved.append((count - DEVIATIONS * math.sqrt(count)) / (offered * length_s))
    return max(proved)


def shortfall(kind: object, wanted: Wanted, made: Made) -> Shortfall | None:
    """What is missing; ``kind`` is that of the workload: ``open``, ``closed`` or ``mixed``."""
    is_open = kind == "open"
    return (
        _not_let_in(wanted, made)
        or (_not_offered(wanted, made) if is_open else None)
        or _not_answered(wanted, made, is_open=is_open)
    )


def _not_let_in(wanted: Wanted, made: Made) -> Shortfall | None:
    whole = made.whole
    own = next((kind for _, kind in sorted(whole.failures) if kind in EXHAUSTED), "")
    for what, inside, said in (
        ("open", made.window.peaks.get("connections", 0), "connected"),
        ("login", whole.counters["logins"], "logged in"),
    ):
        if (failed := _failed(whole, what)) and inside < MIN_INSIDE * wanted.users:
            return Shortfall(
                reason=f"only {number(inside)} of {counted(wanted.users, 'user')} {said}: {own or failed}",
                remedy=EXHAUSTED.get(own, ""),
                by_server=not own,
                certain=bool(_failed(whole, what, besides=sum(whole.failures[what, kind] for kind in _SLOW))),
            )
    return None


def _failed(whole: Totals, what: str, *, besides: int = 0) -> str:
    """How many attempts to get in failed, if that is no small share of them; those ``besides`` do not count."""
    failed = whole.counters[f"{what}_failures"] - besides
    tried = whole.counters[f"{what}s"] + failed
    return f"{number(failed)} of {counted(tried, 'attempt')} failed" if failed > MAX_FAILED * tried else ""


def _not_offered(wanted: Wanted, made: Made) -> Shortfall | None:
    steady = made.steady
    if steady is None or not wanted.per_second:
        return None
    due = _tasks(steady, made)
    expected = MIN_SHARE * wanted.per_second * steady.duration_s
    if due + (DEVIATIONS * math.sqrt(expected) if wanted.poisson else SPARE_TASKS) >= expected:
        return None
    refused = _failed(made.whole, "open") or _failed(made.whole, "login")
    return Shortfall(
        reason=f"only {rate(due / steady.duration_s)}/s of {rate(wanted.per_second)}/s were offered: "
        f"{refused or 'not all users were ready'}",
        remedy="" if refused else "use a longer --ramp or --warm-up",
        by_server=bool(refused),
    )


def _tasks(steady: Totals, made: Made) -> int:
    """How many tasks came due."""
    begun = steady.histograms["send_lag"].total if "send_lag" in steady.histograms else 0
    return begun + sum(n for (_, kind), n in steady.failures.items() if kind in _NOT_BEGUN) + _waited(made)


def _waited(made: Made) -> int:
    """How many tasks had to wait for the one before until the end, when they are counted."""
    return sum(count for (_, kind), count in made.window.failures.items() if kind == WAITED)


def _not_answered(wanted: Wanted, made: Made, *, is_open: bool) -> Shortfall | None:
    totals = made.steady or made.window
    counters, answered = totals.counters, answers(totals)
    due = counters["requests"] + counters["unsent"]
    missing = counters["unsent"]
    if is_open:
        if made.steady is not None:
            due += _waited(made)
        missing = due - answered - counters["refused"]
    allowed = (1 - MIN_SHARE) * due
    if missing > allowed + DEVIATIONS * math.sqrt(allowed):
        return Shortfall(reason=f"answered {rate(made.answered)}/s, {percent(1 - missing / due)} of the load")
    offered = wanted.offered * totals.duration_s
    if made.steady is not None and wanted.per_second:
        offered = _tasks(made.steady, made) or offered
    usual = wanted.per_offer * offered
    if is_open and answered < MIN_SHARE * usual:
        return Shortfall(reason=f"answered {rate(made.answered)}/s, {percent(answered / usual)} of the load")
    return None
