"""Why the load generator was late, according to its own counters, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wsload.judge.run.processes import BUSY, ProcessFigures
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Totals
from wsload.measure.names import LAGGED, LATE_IN, SERVICE, UNLAGGED, OwnWait
from wsload.words import milliseconds, percent

MOST: Final = 0.5
"""A cause is named if it explains this share of the lateness."""
FULL_SECONDS: Final = 0.1
"""A full process is a cause if it was full in this share of the run's seconds."""
SAMPLES: Final = 2
"""A place must have been sampled this many times while the loop was late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What was observed, and what to do."""

    text: str
    remedy: str


_OWN_WAITS: Final = {
    OwnWait.SURPLUS: Cause(
        text="due tasks had to wait while wsload itself waited for surplus answers, before it closed connections",
        remedy="give each request a key of its own (request()), or keep connections open from one task to the next",
    ),
    OwnWait.PAUSE: Cause(
        text="due tasks had to wait for wsload's own pauses after calls that had failed at once",
        remedy="see the failures by kind",
    ),
    OwnWait.HTTP: Cause(
        text="due tasks had to wait while wsload made or closed the client of self.http",
        remedy="make the first call of self.http in on_start, and keep the connection open",
    ),
}


def own_wait(totals: Totals) -> Cause | None:
    """The wait of wsload's own that explains most of the lateness of requests; None if none does.

    It delays tasks that wait for their turn, without any work for the load generator.
    """
    why = max(OwnWait, key=lambda each: totals.counters[each.value])
    waited_ns = totals.counters[why.value]
    if not waited_ns:
        return None
    late_ns = max(_late_ns(totals), waited_ns)
    if waited_ns < MOST * late_ns:
        return None
    found = _OWN_WAITS[why]
    share = round(waited_ns / late_ns, 2)  # of sums over histograms, which are no more exact
    return Cause(text=f"{found.text} ({percent(share)} of the lateness)", remedy=found.remedy)


def _late_ns(totals: Totals) -> float:
    """How late all due tasks began, and all requests were written and answers read."""
    histograms = totals.histograms
    found = _sum_ns(histograms.get("send_lag"))
    for name in totals.names:
        lagged, unlagged = (histograms.get(name + SERVICE + suffix) for suffix in (LAGGED, UNLAGGED))
        found += _sum_ns(lagged) - _sum_ns(unlagged)
    return found


def _sum_ns(found: Histogram | None) -> float:
    return 0.0 if found is None else found.mean_ns * found.total


def cause_of(processes: Iterable[ProcessFigures], *, ui_in_process: bool = False) -> Cause | None:
    """What held up the process that was late for longest; None if none was.

    ``ui_in_process`` says that Locust's web UI shared the measuring process.
    """
    watches = list(processes)
    if not watches:
        return None
    watch = max(watches, key=lambda each: each.totals.counters["late_ns"])
    if not watch.totals.counters["late_ns"]:
        return None
    # A loop that waits for a core is often in the user class at that moment, but no line there is to blame.
    found = _waited(watch) or _blocked(watch) or _full(watch, len(watches)) or _held_up(watch)
    text = f"{watch.name}: {found.text}" if watch.name else found.text
    if ui_in_process and not _blocked(watch):
        return Cause(text=text, remedy=f"{found.remedy}; the web UI shares this process, --processes 1 "
                     "gives it one of its own")  # fmt: skip
    return Cause(text=text, remedy=found.remedy)


def _longest(watch: ProcessFigures) -> str:
    lag = watch.totals.histograms.get("loop_lag")
    return milliseconds(lag.max_ns) if lag is not None else "an unknown time"


def _blocked(watch: ProcessFigures) -> Cause | None:
    """A place in the user class at which the late loop was sampled repeatedly."""
    counters = watch.totals.counters
    places = {
        name.removeprefix(LATE_IN): number for name, number in counters.items() if name.startswith(LATE_IN)
    }
    if not places:
        return None
    place = max(places, key=lambda each: (places[each], each))
    if places[place] < max(SAMPLES, MOST * counters["late_samples"]):
        return None
    return Cause(
        text=f"{place} blocked the event loop, for up to {_longest(watch)} at a time",
        remedy="await awaitable calls, and run blocking ones with asyncio.to_thread",
    )


def _waited(watch: ProcessFigures) -> Cause | None:
    counters, duration_s = watch.totals.counters, watch.totals.duration_s
    if counters["late_waiting_ns"] < MOST * counters["late_ns"]:
        return None
    share = percent(counters["late_waiting_ns"] / 1e9 / duration_s) if duration_s else "part"
    return Cause(
        text=f"another process had the core for {share} of the time, up to {_longest(watch)} in a row",
        remedy="stop other work on this machine, or give the load generator a higher priority (nice -n -5, chrt -r 1) "
        "or a machine of its own",
    )


def _full(watch: ProcessFigures, processes: int) -> Cause | None:
    if watch.busy < 2 or watch.busy <= FULL_SECONDS * watch.seconds:
        return None
    more = max(processes + 1, math.ceil(processes * watch.peak / 0.6))
    return Cause(
        text=f"its process was saturated: peak CPU {percent(watch.peak)} of one core, above {percent(BUSY)} in "
        f"{watch.busy} of {watch.seconds} s",
        remedy=f"use --processes {more}",
    )


def _held_up(watch: ProcessFigures) -> Cause:
    counters = watch.totals.counters
    longest = _longest(watch)
    if counters["late_working_ns"] >= MOST * counters["late_ns"]:
        return Cause(
            text=f"it was busy with work of its own, for up to {longest} at a time",
            remedy="let users arrive more slowly (-r), or use --processes",
        )
    return Cause(
        text=f"something held it up for up to {longest} at a time, without using the CPU",
        remedy="take blocking calls out of the user class, and don't stop or suspend the load generator",
    )
