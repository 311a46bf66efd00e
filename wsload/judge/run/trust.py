r"""Up to which percentile each metric can be trusted: how far the load generator's own lateness may have moved it.

The rule. A percentile is trusted when the load generator's lateness can have raised it by at most `SHARE` (10 %) of
what it would have been, or by the tolerance (``--ws-tolerance``, 1 ms), and so can every lower one that is looked at
(`RUNGS`). So "trusted up to p95" speaks of everything up to p95.

The formula. Let :math:`R_i` be the recorded time of request *i*, and :math:`B_i` the most by which the load generator
itself was late with it, in starting its task, in sending and in reading (`wsload.measure.lateness`). The server's part
:math:`T_i` lies between: :math:`R_i - B_i \le T_i \le R_i`. Order statistics keep that order: if each :math:`T_i` lies
between two values, then the *k*-th smallest T lies between the *k*-th smallest of the one kind and the *k*-th smallest
of the other (if *k* of the upper values are at most x, so are at least *k* of the T; and the same from below). Hence,
for every quantile q,

    Q_q(R − B)  ≤  Q_q(T)  ≤  Q_q(R),

whatever the lateness had to do with the requests: no independence is assumed, and nothing is sampled. Q(R) is the
histogram of the metric. Q(R − B) is that of the metric without its late values (``.lagged``) and with what these would
have been (``.unlagged``), which are recorded for late requests only.

Requests that were due and that the load generator never began (`TOO_LATE`) have no time at all; m of them may rank
anywhere. So above they rank behind all others, and below before all: Q_q(T) of all N + m lies between the
(⌈q(N+m)⌉ − m)-th smallest of R − B, and the ⌈q(N+m)⌉-th smallest of R, which for q > N/(N+m) is unbounded.

What a user class records itself (``record``) has no :math:`B_i`. There the heartbeat stands in, which samples the
loop's lateness L a thousand times a second: by the union bound P(T + L > x + y) ≤ P(T > x) + P(L > y) the quantile q
moves by at most y, and by a tenth of the ranks beyond it, if at most a tenth of 1 − q of the beats were late by more
than y. That assumes that lateness comes at any time alike.

What it is worth is measured with load generators that are held up, in docs/inside/trust.md.

What it can't see. Lateness below `wsload.measure.lateness.BEAT_NS` is seen by chance only: where the bounds differ at
all, half a beat is added to their distance (`UNSEEN_NS`). Messages that arrive at the server late, and then all at
once, may make the server slow: that time is the server's here. In a ``delivery`` the sender's lateness in another
process is not known.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from wsload.measure.histogram import Histogram
from wsload.measure.interval import Totals
from wsload.measure.lateness import BEAT_NS
from wsload.measure.names import LAGGED, SUFFIXES, TOO_LATE, UNLAGGED, Kind, for_people, split
from wsload.results.trust import ALL, NONE

SHARE: Final = 0.1
TOLERANCE_NS: Final = 1_000_000
RUNGS: Final = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, ALL)
"""The percentiles that are looked at; 100 is the maximum."""
UNSEEN_NS: Final = BEAT_NS // 2
"""Where lateness shows at all, so much more may be unseen."""
TENTH: Final = 0.1
ANY_TASK: Final = "task"
"""What such a failure is one of, where no request's name was known yet."""
UNPAIRED: Final = ".unpaired"
OVERLAPPED: Final = ".overlapped"
TO_PROVE: Final = (
    "use request() with a key, round_trip() with a match that fits only this answer, or overlap = False"
)
"""What to do about it."""
UNPROVED: Final = "it can't be proved which answer belongs to which request"
OWN_ACCOUNT: Final = frozenset(("send_lag", "loop_lag", "gc_pause", "probe"))
"""The load generator's lateness itself, and what another process measured with the kernel's stamps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Between what the percentiles of a metric lie, had the load generator been in time."""

    low: Histogram
    """Without its lateness."""
    high: Histogram
    """As recorded."""
    missed: int = 0
    """Due beside those, and never begun."""

    @classmethod
    def of(cls, metric: str, totals: Totals) -> Bounds:
        """A metric's, over all that was recorded."""
        high = totals.histograms.get(metric, Histogram())
        late = totals.histograms.get(metric + LAGGED)
        missed = missed_of(metric, totals)
        if late is None:
            return cls(low=high, high=high, missed=missed)
        low = high.copy()
        low.subtract(late)
        low.add(totals.histograms.get(metric + UNLAGGED, Histogram()))
        return cls(low=low, high=high, missed=missed)

    def at(self, percentile: float) -> tuple[float, float]:
        """Between what a percentile above 0 lies, in ns."""
        rank = max(math.ceil(math.nextafter(percentile, 0) * (self.high.total + self.missed) / 100), 1)
        lowest = rank - self.missed
        return (
            self.low.at_rank(min(lowest, self.low.total)) if lowest > 0 else 0.0,
            self.high.at_rank(rank) if rank <= self.high.total else math.inf,
        )

    def close(self, percentile: float, tolerance_ns: float) -> bool:
        """Whether they are so close that the lateness between them does not matter."""
        low, high = self.at(percentile)
        return low == high or high - low + UNSEEN_NS <= max(tolerance_ns, SHARE * low)


def trusted(metric: str, percentile: float, totals: Totals, tolerance_ns: float = TOLERANCE_NS) -> bool:
    """Whether this percentile (above 0; 100 is the maximum) of a metric is trusted, and all below it."""
    vouches = _voucher(metric, totals, tolerance_ns)
    return all(vouches(rung) for rung in RUNGS if rung < percentile) and vouches(percentile)


def trusted_up_to(metric: str, totals: Totals, tolerance_ns: float = TOLERANCE_NS) -> float:
    """The highest of `RUNGS` up to which a metric is trusted; 0 for none."""
    return max((NONE, *itertools.takewhile(_voucher(metric, totals, tolerance_ns), RUNGS)))


def levels(totals: Totals, tolerance_ns: float = TOLERANCE_NS) -> dict[str, float]:
    """`trusted_up_to` of every metric that people see."""
    return {
        metric: trusted_up_to(metric, totals, tolerance_ns)
        for metric, histogram in totals.histograms.items()
        if for_people(metric) and histogram.total
    }


def missed_of(metric: str, totals: Totals) -> int:
    """How many requests of this name may be among what was due and never begun."""
    name, suffix = split(metric)
    if totals.names.get(name) not in (Kind.REQUEST, Kind.STEP) or suffix in SUFFIXES[1:]:
        return 0
    return sum(totals.failures.get((what, TOO_LATE), 0) for what in (name, ANY_TASK))


def doubt_of(metric: str, totals: Totals) -> str:
    """Why nothing of this metric is trusted, whatever the lateness; empty where nothing speaks against it."""
    name, _ = split(metric)
    if totals.counters.get(name + UNPAIRED):
        why = (key.removeprefix(f"{name}: ") for key in totals.counters if key.startswith(f"{name}: "))
        return f"{UNPROVED}: {next(why, 'their order does not tell')}"
    if totals.counters.get(name + OVERLAPPED):
        return f"{UNPROVED}: several requests were outstanding at once, and the answers quote none of them"
    return ""


def _voucher(metric: str, totals: Totals, tolerance_ns: float) -> Callable[[float], bool]:
    """Tells of single percentiles of a metric whether the load generator's lateness has moved them by too much."""
    histogram = totals.histograms.get(metric)
    if metric in OWN_ACCOUNT or histogram is None or not histogram.total:
        return lambda _: True
    if doubt_of(metric, totals):
        return lambda _: False
    if totals.names.get(metric) is Kind.VALUE:
        return partial(_seldom_late, histogram, totals.histograms.get("loop_lag"), tolerance_ns)
    return partial(Bounds.of(metric, totals).close, tolerance_ns=tolerance_ns)


def _seldom_late(values: Histogram, beats: Histogram | None, tolerance_ns: float, percentile: float) -> bool:
    """Whether the heartbeat vouches for a percentile of what a user class recorded."""
    if beats is None:
        return False
    allowed_ns = max(tolerance_ns, values.percentile(percentile) * SHARE / (1 + SHARE))
    seldom = round(TENTH * (100 - percentile) / 100 * beats.total, 6)
    return beats.count_above(int(allowed_ns)) <= seldom
