"""Reasons to doubt a run, other than the load generator's lateness: what was lost, left out or could not be done.

Each is a warning. Some of them invalidate all figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wsload.judge.figures.samples import SLOWEST_NS, number_of, of_all
from wsload.judge.run.causes import own_wait
from wsload.judge.run.trust import TO_PROVE, doubt_of
from wsload.measure.interval import Totals
from wsload.measure.names import (
    FORGOTTEN,
    GATHERED,
    KEY_IN_FLIGHT,
    LOST,
    MAX_NAMES,
    NOT_CONNECTED,
    OTHER,
    TOO_LATE,
    TOO_MANY,
    Kind,
)
from wsload.results.run import RunWarning
from wsload.words import counted, listed, milliseconds, number, percent

SHORTFALL: Final = "shortfall"
"""The name of the warning that the load generator did not start everything that was due."""
MAX_MISSED: Final = 0.01
"""If it failed to start more than this share of what was due, the load is not the one that was asked for."""
DERIVED: Final = frozenset(
    f"{SHORTFALL} too-many-open-files no-free-port forgotten-await unpaired lost unsent out-of-range unread "
    "users-ended names standout".split()
)
"""The names of the warnings that follow from a run's figures; all others were raised during the run."""
MAX_NAMED: Final = 3
EXHAUSTED: Final = {
    "too many open files": "raise the hard limit of open files (ulimit -Hn), or use more machines",
    "no free port": "one address has about 28,000 ports per destination: give several --ws-source-ip, "
    "such as 127.0.0.2, or widen net.ipv4.ip_local_port_range",
}


KEYS: Final = (
    "messages arrived whose key matches no request: key_of must return the request's exact key (1 is not '1')"
)
"""The remedy for messages whose keys match no request."""
OWN_KEYS: Final = "give each request a key of its own, so that any number may be in flight; see the failures"
"""The remedy for requests whose key was in flight."""


def doubts(totals: Totals, load: Totals | None = None) -> list[RunWarning]:
    """The warnings that follow from the figures of the measured window.

    ``load`` has what was recorded from the run's start to the window's end; None if that is the window. What concerns
    the load as a whole counts whenever it happened, since the load in the window is not the one that was asked for, or
    its names are not those of the user classes:

    - calls without an await: no second's load is what the code says;
    - users that ended early: they are missing. Openings for which this machine had no file or port count with them, for
      they may be why; users that stay try again, so where it lasts, it shows in the window;
    - names that were grouped: they stay grouped.

    Everything else is about the times and counts of the seconds in which it happened. If that is the warm-up, it is
    left out with it: what was started too late, not sent, lost, not read, out of range or can't be paired.
    """
    load = totals if load is None else load
    return [
        *_shortfall(totals),
        *_exhausted(load if load.counters.get("users_ended") else totals),
        *_forgotten(load),
        *_unpaired(totals),
        *_lost(totals),
        *_unsent(totals),
        *_counted(totals),
        *_lasting(load),
    ]


def _requests(totals: Totals) -> list[str]:
    return [name for name, kind in totals.names.items() if kind is Kind.REQUEST]


def _due(totals: Totals) -> int:
    answered = sum(number_of(name, totals.histograms) for name in _requests(totals))
    return answered + sum(totals.counters.get(name, 0) for name in ("lost", "refused", "unsent"))


def _never_begun(totals: Totals) -> int:
    return sum(count for (_, kind), count in totals.failures.items() if kind == TOO_LATE)


def _shortfall(totals: Totals) -> Iterator[RunWarning]:
    missed, due = _never_begun(totals), _due(totals)
    if missed > MAX_MISSED * due:
        cause = own_wait(totals)
        yield RunWarning(
            name=SHORTFALL,
            text=f"{number(missed)} of {number(due)} due requests ({percent(missed / due)}) were never started "
            "by the load generator",
            remedy=cause.remedy if cause else "lower the rate, or use --processes",
            invalidates=True,
        )


def _exhausted(totals: Totals) -> Iterator[RunWarning]:
    """Openings that failed because this machine ran out of something."""
    for (what, kind), count in sorted(totals.failures.items()):
        if what == "open" and kind in EXHAUSTED:
            yield RunWarning(
                name=kind.replace(" ", "-"),
                text=f"{number(count)} openings failed on this machine's side: {kind}, with at most "
                f"{number(totals.peaks.get('connections', 0))} connections open",
                remedy=EXHAUSTED[kind],
                invalidates=True,
            )


def _forgotten(totals: Totals) -> Iterator[RunWarning]:
    found = {kind: count for (what, kind), count in totals.failures.items() if what == FORGOTTEN}
    if found:
        number_of = sum(found.values())
        calls = sorted(found, key=lambda kind: (-found[kind], kind))[:MAX_NAMED]
        yield RunWarning(
            name="forgotten-await",
            text=f"{counted(number_of, 'call')} in the user classes had no await, so nothing was done "
            f"({listed(calls)}): the load is not what the code says",
            remedy="write await before it; the log says where",
            invalidates=True,
        )


def _unpaired(totals: Totals) -> Iterator[RunWarning]:
    for name in sorted(totals.names):
        if doubt := doubt_of(name, totals):
            yield RunWarning(
                name="unpaired",
                text=f"{name}: {doubt}; its figures are not trusted",
                remedy=TO_PROVE,
            )


def _lost(totals: Totals) -> Iterator[RunWarning]:
    for name in _requests(totals):
        lost = number_of(name + LOST, totals.histograms)
        if not lost:
            continue
        ranked = of_all(name, totals.histograms)
        p99_ns = ranked.percentile(99)
        where = "lies among them" if p99_ns >= SLOWEST_NS else f"is {milliseconds(p99_ns)}"
        yield RunWarning(
            name="lost",
            text=f"{number(lost)} of {number(ranked.total)} {name} requests were lost "
            f"({percent(lost / ranked.total)}): the percentiles cover only answered ones; "
            f"with the lost counted as the slowest, p99 {where}",
            remedy=KEYS if totals.counters.get("unknown_keys", 0) >= lost else "see the failures by kind",
        )


def _unsent(totals: Totals) -> Iterator[RunWarning]:
    unsent = totals.counters.get("unsent", 0) - _never_begun(totals)
    if unsent <= 0:
        return
    kinds = sorted({kind for _, kind in totals.failures if kind in (NOT_CONNECTED, TOO_MANY, KEY_IN_FLIGHT)})
    remedy = "see the failures; --ws-max-in-flight is the bound per user"
    yield RunWarning(
        name="unsent",
        text=f"{number(unsent)} of {number(_due(totals))} requests could not be sent"
        f"{f' ({listed(kinds)})' if kinds else ''}: they have no latency",
        remedy=OWN_KEYS if KEY_IN_FLIGHT in kinds else remedy,
    )


def _counted(totals: Totals) -> Iterator[RunWarning]:
    counters = totals.counters
    if out := counters.get("out_of_range", 0):
        text = f"{number(out)} values were outside the histograms' range of up to 73 minutes and are in no percentile"
        yield RunWarning(name="out-of-range", text=text, remedy="lower --ws-message-timeout")
    if unread := counters.get("unread", 0):
        text = f"{counted(unread, 'message')} that answered no request were never received by the user class"
        yield RunWarning(
            name="unread", text=text, remedy="read them with receive(), or define on_message to handle them"
        )


def _lasting(load: Totals) -> Iterator[RunWarning]:
    """What was counted once and goes on."""
    counters = load.counters
    if ended := counters.get("users_ended", 0):
        text = f"{counted(ended, 'user')} ended early (--no-ws-reconnect, or an error in the user class)"
        yield RunWarning(name="users-ended", text=text, remedy="see the failures and Locust's log")
    if gathered := counters.get(GATHERED, 0):
        text = (
            f"{number(gathered)} names beyond a run's limit of {MAX_NAMES} were grouped under '{OTHER}' "
            "(one of several processes counts several times): their figures can't be told apart"
        )
        yield RunWarning(
            name="names", text=text, remedy="name requests by what they do, without ids and other values"
        )
