"""Whether the load generator's own figures allow the run's figures to be believed.

A saturated client reports its own queue as the server's latency, however it stamps. So the client
measures itself, and a run in which it was the bottleneck is marked not valid: its CPU was used up,
its sends were late, or it did not get round to sending what was due.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import Final

from wsload.measure.histogram import merged
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import GATHERED, MOST_NAMES, OTHER
from wsload.results.run import RunWarning
from wsload.words import milliseconds, number, percent

BUSY: Final = 0.85
"""CPU of one core beyond which a process is too busy to be punctual."""
BUSY_SECONDS: Final = 0.10
"""Share of a run's seconds that may be that busy."""
LAG_NS: Final = 1_000_000
"""A p99 of lateness below this is never held against a run …"""
LATE_SENDS: Final = 10
"""… nor one of fewer late sends than this: a percentile needs samples beyond it."""
LAG_SHARE: Final = 0.10
"""… nor one below this share of the p99 reported."""
SHORTFALL: Final = 0.01
"""Share of due messages that the load generator may have failed to send by its own fault."""
TOO_LATE: Final = "load generator too late"
"""The kind of failure of a message that was due and not sent, by the load generator's own fault."""


class Watch:
    """Watches one process over a run, interval by interval."""

    def __init__(self, name: str) -> None:
        self.name = name
        """For the warnings; empty where there is only one."""
        self.seconds = 0
        """Intervals seen."""
        self.busy = 0
        """Of these, the ones in which the process used more than `BUSY` of a core."""
        self.peak = 0.0
        """The highest share of a core used in any interval of half a second or more."""
        self.last = 0.0
        """The share in the latest such interval."""
        self.totals = Totals()

    def add(self, interval: Interval) -> None:
        self.totals.add(interval)
        if interval.length_s < 0.5:
            return
        share = interval.counters.get("cpu_ns", 0) / 1e9 / interval.length_s
        self.seconds += 1
        self.busy += share > BUSY
        self.last = share
        self.peak = max(self.peak, share)


def judge(totals: Totals, processes: Iterable[Watch], *, ui_in_process: bool = False) -> list[RunWarning]:
    """What there is to say against a run, worst first; some of it means that it can't be vouched for.

    ``processes`` are those that carried the load; ``ui_in_process`` says that Locust's web UI
    shared the measuring process.
    """
    watches = list(processes)
    found = [
        *(_busy(watch, len(watches), ui_in_process) for watch in watches),
        *(_late(watch, len(watches), ui_in_process) for watch in watches),
        _shortfall(totals),
        _loop(totals),
        _lost(totals),
        _unsent(totals),
        *_counted(totals),
        *_exhausted(totals),
    ]
    return sorted((warning for warning in found if warning), key=lambda warning: not warning.invalidates)


def standouts(processes: Iterable[Watch]) -> list[RunWarning]:
    """Names the processes whose message p99 is more than twice the others' median, and 1 ms above it.

    One slow client hides in a merge of many. Only p99s of 1,000 messages or more are looked at.
    """
    p99s = {
        watch.name: watch.totals.histograms["message"].percentile(99)
        for watch in processes
        if "message" in watch.totals.histograms
        and watch.totals.histograms["message"].total >= 100 * LATE_SENDS
    }
    found = []
    for name, p99 in p99s.items():
        others = [value for other, value in p99s.items() if other != name]
        typical = statistics.median(others) if others else p99
        if p99 > 2 * typical and p99 > typical + LAG_NS:
            text = (
                f"{name} stands out: message p99 {milliseconds(p99)}, "
                f"the others' median {milliseconds(typical)}"
            )
            found.append(RunWarning(name="standout", text=text, remedy="look at that machine first"))
    return found


def process_figures(watch: Watch) -> dict[str, object]:
    """One process's own figures for summary.json, times in ns, beside the merged ones."""
    figures: dict[str, object] = {
        "name": watch.name,
        "cpu_peak": round(watch.peak, 3),
        "busy_seconds": watch.busy,
        "seconds": watch.seconds,
        "valid": not any(warning.invalidates for warning in judge(watch.totals, [watch])),
    }
    for metric in ("message", "send_lag", "loop_lag"):
        histogram = watch.totals.histograms.get(metric)
        if histogram is not None:
            p50, p99 = histogram.percentiles((50, 99))
            figures[metric] = {"count": histogram.total, "p50_ns": p50, "p99_ns": p99}
    return figures


def _busy(watch: Watch, processes: int, ui_in_process: bool) -> RunWarning | None:
    if watch.busy < 2 or watch.busy <= BUSY_SECONDS * watch.seconds:
        return None
    more = max(processes + 1, math.ceil(processes * watch.peak / 0.6))
    return RunWarning(
        name="cpu",
        text=f"{_of(watch)}peak CPU {percent(watch.peak)} of one core, above {percent(BUSY)} in "
        f"{watch.busy} of {watch.seconds} s: latencies include the load generator's own queue",
        remedy=_remedy(f"use --processes {more}", ui_in_process),
        invalidates=True,
    )


def _late(watch: Watch, processes: int, ui_in_process: bool) -> RunWarning | None:
    lag, message = watch.totals.histograms.get("send_lag"), watch.totals.histograms.get("message")
    if lag is None or not lag.total:
        return None
    lag_ns = lag.percentile(99)
    reported_ns = message.percentile(99) if message is not None else 0
    if lag_ns <= LAG_NS or lag_ns <= LAG_SHARE * reported_ns or lag.count_above(LAG_NS) < LATE_SENDS:
        return None
    share = (
        f", {percent(lag_ns / reported_ns)} of the message p99 of {milliseconds(reported_ns)}"
        if reported_ns
        else ""
    )
    return RunWarning(
        name="send-lag",
        text=f"{_of(watch)}sends were late: p99 {milliseconds(lag_ns)}{share}",
        remedy=_remedy(
            f"use --processes {processes + 1}, take blocking calls out of the user class, "
            "or a machine with nothing else to do",
            ui_in_process,
        ),
        invalidates=True,
    )


def _shortfall(totals: Totals) -> RunWarning | None:
    missed = totals.failures.get(("message", TOO_LATE), 0)
    due = _due(totals)
    if not missed or missed <= SHORTFALL * due:
        return None
    return RunWarning(
        name="shortfall",
        text=f"{number(missed)} of {number(due)} due messages ({percent(missed / due)}) "
        "were not sent in time: the load generator was too slow",
        remedy="lower the rate or use --processes",
        invalidates=True,
    )


def _loop(totals: Totals) -> RunWarning | None:
    """For closed workloads, which have no due times to be late for."""
    lag, message = totals.histograms.get("loop_lag"), totals.histograms.get("message")
    if lag is None or message is None or "send_lag" in totals.histograms:
        return None
    lag_ns, reported_ns = lag.percentile(99), message.percentile(99)
    if lag_ns <= LAG_NS or lag_ns <= LAG_SHARE * reported_ns:
        return None
    return RunWarning(
        name="loop-lag",
        text=f"the event loop was late: p99 {milliseconds(lag_ns)}, beside a message p99 of "
        f"{milliseconds(reported_ns)}",
        remedy="take blocking calls out of the user class, or use --processes",
    )


def _lost(totals: Totals) -> RunWarning | None:
    lost = totals.counters.get("lost", 0)
    if not lost:
        return None
    answered, ages = totals.histograms.get("message"), totals.histograms.get("message.lost")
    kept = answered.total if answered is not None else 0
    share = lost / (lost + kept)
    with_lost = merged(part for part in (answered, ages) if part is not None).percentile(99)
    return RunWarning(
        name="lost",
        text=f"{number(lost)} messages were lost ({percent(share)}): message percentiles are those of the "
        f"answered; with the lost at their age p99 is at least {milliseconds(with_lost)}",
        remedy="see the failures by kind",
    )


def _unsent(totals: Totals) -> RunWarning | None:
    unsent = totals.counters.get("unsent", 0) - totals.failures.get(("message", TOO_LATE), 0)
    if unsent <= 0:
        return None
    kinds = ", ".join(
        kind
        for what, kind in sorted(totals.failures)
        if what == "message" and kind in ("not connected", "too many in flight")
    )
    return RunWarning(
        name="unsent",
        text=f"{number(unsent)} of {number(_due(totals))} messages due could not be sent ({kinds}): "
        "they have no latency",
        remedy="see the failures; --ws-max-in-flight is the bound per user",
    )


def _counted(totals: Totals) -> list[RunWarning]:
    found = []
    if out := totals.counters.get("out_of_range", 0):
        text = f"{out:,} values were outside the histograms' range of 1 µs to 68 s and are in no percentile"
        found.append(RunWarning(name="out-of-range", text=text, remedy="lower --ws-message-timeout"))
    if gathered := totals.counters.get(GATHERED, 0):
        text = (
            f"{number(gathered)} names beyond the {MOST_NAMES} of a run are gathered under '{OTHER}': "
            "their figures can't be told apart"
        )
        remedy = "name requests by what they do, without ids and other values"
        found.append(RunWarning(name="names", text=text, remedy=remedy))
    if paused := totals.counters.get("reads_paused", 0):
        text = f"reading was paused {paused:,} times because the user class did not receive() what arrived"
        found.append(
            RunWarning(name="reads-paused", text=text, remedy="receive all messages, or define on_message")
        )
    if ended := totals.counters.get("users_ended", 0):
        text = f"{ended:,} users ended before their time (--no-ws-reconnect, or an error in the user class)"
        found.append(RunWarning(name="users-ended", text=text, remedy="see the failures and Locust's log"))
    return found


def _exhausted(totals: Totals) -> list[RunWarning]:
    """Openings that failed because this machine ran out of something."""
    remedies = {
        "too many open files": "raise the limit of open files (ulimit -n), or use more machines",
        "no free port": "one address has about 28,000 ports per destination: give several --ws-source-ip, "
        "such as 127.0.0.2, or widen net.ipv4.ip_local_port_range",
    }
    return [
        RunWarning(
            name=kind.replace(" ", "-"),
            text=f"{number:,} openings failed on this machine's side: {kind}, with at most "
            f"{totals.peaks.get('connections', 0):,} connections open",
            remedy=remedies[kind],
            invalidates=True,
        )
        for (what, kind), number in sorted(totals.failures.items())
        if what == "open" and kind in remedies
    ]


def _due(totals: Totals) -> int:
    message = totals.histograms.get("message")
    answered = message.total if message is not None else 0
    return answered + totals.counters.get("lost", 0) + totals.counters.get("unsent", 0)


def _of(watch: Watch) -> str:
    return f"{watch.name}: " if watch.name else ""


def _remedy(text: str, ui_in_process: bool) -> str:
    return (
        f"{text}; the web UI shares this process, --processes 1 gives it one of its own"
        if ui_in_process
        else text
    )
