"""Up to which percentile each metric can be trusted, given how much the load generator's lateness may have moved it.

The rule. A percentile is trusted if the load generator's lateness can have raised it by no more than `SHARE` (10 %) of
its true value, or by the tolerance (``--ws-tolerance``, 1 ms), and the same is true of every lower percentile of
`TRUST_PERCENTILES`. So "trusted up to p95" covers everything up to p95.

The formula. Let *R_i* be the recorded time of request *i*, and *B_i* an upper bound of the load generator's
own delay in it: in starting its task, in sending and in reading (`wsload.measure.lateness`). The server's part
*T_i* lies in between: *R_i* − *B_i* ≤ *T_i* ≤ *R_i*. Order statistics preserve this: the *k*-th smallest T
lies between the *k*-th smallest lower and the *k*-th smallest upper bound (if *k* of the upper bounds are at most x, so
are at least *k* of the T; and likewise from below). Hence, for every quantile q,

    Q_q(R − B)  ≤  Q_q(T)  ≤  Q_q(R),

however the lateness is related to the requests: no independence is assumed, and nothing is sampled. Q(R) is the
metric's histogram. For Q(R − B), the late values (``.lagged``) in it are replaced by what they would have been
(``.unlagged``). Both are recorded for late requests only.

Requests that were due but never started by the load generator (`TOO_LATE`) have no time, so m of them may rank
anywhere: last for the upper bound, first for the lower. So Q_q(T) of all N + m lies between the (⌈q(N+m)⌉ − m)-th
smallest of R − B, and the ⌈q(N+m)⌉-th smallest of R, which is unbounded for q > N/(N+m).

Times that a user class records itself (``record``) have no *B_i*. Instead the heartbeat is used, which samples
the loop's lateness L a thousand times a second. By the union bound P(T + L > x + y) ≤ P(T > x) + P(L > y), the quantile
q moves by at most y, and by a tenth of the ranks beyond it, if the share of beats that were late by more than y is at
most a tenth of the share of values beyond q. Where q is the highest of the values (p99 of fewer than 100), there are
none beyond it, and the chance that any value at all was late by more than y may be one in a hundred. This assumes that
lateness is equally likely at any time.

docs/inside/trust.md shows measurements of how reliable this is, with load generators that are held up.

Limits. Lateness below `wsload.measure.lateness.BEAT_NS` is only detected by chance: wherever the bounds differ, half a
beat is added to their distance (`UNSEEN_NS`). Messages that reach the server late, and then all at once, may slow it
down, and that time counts as the server's. For a ``delivery``, the sender's lateness in another process is unknown.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from wsload.measure.histogram import Histogram, rank
from wsload.measure.interval import Totals
from wsload.measure.keys import split_key
from wsload.measure.lateness import BEAT_NS
from wsload.measure.later import OVERLAPPED, UNPAIRED
from wsload.measure.names import LAGGED, SUFFIXES, TOO_LATE, UNLAGGED, Kind, for_people, split
from wsload.results.trust import ALL, NONE

SHARE: Final = 0.1
TOLERANCE_NS: Final = 1_000_000
TRUST_PERCENTILES: Final = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, ALL)
"""The percentiles that are checked; 100 is the maximum."""
UNSEEN_NS: Final = BEAT_NS // 2
"""Wherever lateness was detected, this much more may have gone undetected."""
TENTH: Final = 0.1
CHANCE: Final = 0.01
"""How likely it may be that any of a user class's own values was late."""
ANY_TASK: Final = "task"
"""The name of a `TOO_LATE` failure if no request's name was known yet."""
BEATS: Final = "loop_lag"
"""The metric of the heartbeat."""
TO_PROVE: Final = (
    "use request() with a key, round_trip() with a match that fits only this answer, or overlap = False"
)
"""The remedy for `UNPROVED`."""
UNPROVED: Final = "it can't be proved which answer belongs to which request"
ALWAYS_TRUSTED: Final = frozenset(("send_lag", "loop_lag", "gc_pause", "probe"))
"""The load generator's lateness itself, and what another process measured with the kernel's timestamps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Bounds of a metric's percentiles, had the load generator never been late."""

    low: Histogram
    """Without its lateness."""
    high: Histogram
    """As recorded."""
    missed: int = 0
    """Requests that were due but never started."""

    @classmethod
    def of(cls, metric: str, totals: Totals) -> Bounds:
        """The bounds of a metric."""
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
        """The bounds of a percentile (above 0), in ns."""
        highest = rank(percentile, self.high.total + self.missed)
        lowest = highest - self.missed
        return (
            self.low.at_rank(min(lowest, self.low.total)) if lowest > 0 else 0.0,
            self.high.at_rank(highest) if highest <= self.high.total else math.inf,
        )

    def close(self, percentile: float, tolerance_ns: float) -> bool:
        """Whether the bounds of a percentile are so close that the lateness does not matter."""
        low, high = self.at(percentile)
        return low == high or high - low + UNSEEN_NS <= max(tolerance_ns, SHARE * low)


def trusted(metric: str, percentile: float, totals: Totals, tolerance_ns: float = TOLERANCE_NS) -> bool:
    """Whether this percentile (above 0; 100 is the maximum) of a metric is trusted, and all below it."""
    holds = _rule(metric, totals, tolerance_ns)
    return all(holds(rung) for rung in TRUST_PERCENTILES if rung < percentile) and holds(percentile)


def trusted_up_to(metric: str, totals: Totals, tolerance_ns: float = TOLERANCE_NS) -> float:
    """The highest of `TRUST_PERCENTILES` up to which a metric is trusted; 0 for none."""
    return max((NONE, *itertools.takewhile(_rule(metric, totals, tolerance_ns), TRUST_PERCENTILES)))


def levels(totals: Totals, tolerance_ns: float = TOLERANCE_NS) -> dict[str, float]:
    """`trusted_up_to` of every metric in reports."""
    return {
        metric: trusted_up_to(metric, totals, tolerance_ns)
        for metric, histogram in totals.histograms.items()
        if for_people(metric) and histogram.total
    }


def missed_of(metric: str, totals: Totals) -> int:
    """How many requests that were due but never started may have this metric's name."""
    name, suffix = split(metric)
    if totals.names.get(name) not in (Kind.REQUEST, Kind.STEP) or suffix in SUFFIXES[1:]:
        return 0
    return sum(totals.failures.get((what, TOO_LATE), 0) for what in (name, ANY_TASK))


def doubt_of(metric: str, totals: Totals) -> str:
    """Why nothing of this metric is trusted, regardless of lateness; empty if there is no such reason."""
    name, _ = split(metric)
    if totals.counters.get(name + UNPAIRED):
        why = (said for what, said in map(split_key, totals.counters) if what == name and said)
        return f"{UNPROVED}: {next(why, 'their order does not show it')}"
    if totals.counters.get(name + OVERLAPPED):
        return f"{UNPROVED}: several requests were outstanding at once, and the answers quote none of them"
    return ""


def _rule(metric: str, totals: Totals, tolerance_ns: float) -> Callable[[float], bool]:
    """A function that tells whether the load generator's lateness left a percentile of the metric nearly unmoved."""
    histogram = totals.histograms.get(metric)
    if metric in ALWAYS_TRUSTED or histogram is None or not histogram.total:
        return lambda _: True
    if doubt_of(metric, totals):
        return lambda _: False
    if totals.names.get(metric) is Kind.VALUE:
        return partial(_seldom_late, histogram, totals.histograms.get(BEATS), tolerance_ns)
    return partial(Bounds.of(metric, totals).close, tolerance_ns=tolerance_ns)


def _seldom_late(values: Histogram, beats: Histogram | None, tolerance_ns: float, percentile: float) -> bool:
    """The rule for times that a user class records itself, which uses the heartbeat."""
    if beats is None:
        return False
    allowed_ns = max(tolerance_ns, values.percentile(percentile) * SHARE / (1 + SHARE))
    beyond = values.total - rank(percentile, values.total)
    seldom = round(max(TENTH * beyond, CHANCE) / values.total * beats.total, 6)
    return beats.count_above(int(allowed_ns)) <= seldom
