"""What a latency figure should have been: the stall formula, exact percentiles, and the error of a figure.

The formula's model: a server of capacity μ answers nothing for S in every period P, and arrivals come at rate λ
regardless. With ρ = λ/μ, a share ``f = (S/P)/(1−ρ)`` of them is delayed, uniformly between 0 and S: for ``q > 1−f`` the
quantile is ``L(q) = b + S·(1 − (1−q)/f)``, below that the base latency b. A recorder with coordinated omission can't
show this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wsload.measure.histogram import Histogram

PERCENTILES: Final = (50.0, 90.0, 95.0, 99.0, 99.9)
"""At which percentiles figures are checked."""

Times = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalls:
    """A server that answers nothing in the last ``stall_ns`` of every ``period_ns``."""

    stall_ns: int
    period_ns: int
    rho: float = 0.0
    """λ/μ: the server's utilization, 0 to below 1."""
    base_ns: int = 0
    """Latency outside of stalls."""

    def quantile(self, q: float, span_ns: int | None = None) -> float:
        """The latency in ns that a share ``q`` (0 to 1) of the messages does not exceed.

        Over whole periods this is the formula above. ``span_ns`` is a run's length from the start of a period; if
        it ends within one, the stalls that really happened count, and the beginning of the last one, whose
        messages wait the longest.
        """
        share = (1 - q) * (1 - self.rho)
        if span_ns is None:
            above = share * self.period_ns
        else:
            whole, rest_ns = divmod(span_ns, self.period_ns)
            partial = max(rest_ns - (self.period_ns - self.stall_ns), 0)
            # Those above S−y arrived in the first y of a stall: whole·y + min(y, partial) of the span.
            above = share * span_ns / (whole + 1)
            if above > partial:
                above = (share * span_ns - partial) / whole if whole else math.inf
        return self.base_ns + max(self.stall_ns - above, 0.0)

    def scatter_ns(self, q: float, count: int) -> float:
        """The standard error of that quantile for ``count`` Poisson arrivals.

        How many of them arrive in the first y of a stall is Poisson distributed with mean ``(1−q)·count``, so the
        relative standard error of y is one over the square root of that.
        """
        above = min((1 - q) * (1 - self.rho) * self.period_ns, float(self.stall_ns))
        return above / math.sqrt(max((1 - q) * count, 1.0))


def percentiles(values: Times, wanted: Sequence[float]) -> list[int]:
    """The exact percentiles (0 to 100) of these values, ns; ranks are rounded as the histograms round them."""
    ordered = np.sort(values)
    ranks = [max(math.ceil(math.nextafter(each, 0) * len(ordered) / 100), 1) for each in wanted]
    return [int(ordered[rank - 1]) for rank in ranks]


def due_times(sent_ns: Times, rate: float) -> Times:
    """When messages sent at a constant rate (per second) were due, derived from their sending times alone.

    The n-th was due n/rate after the first, and none is sent before it is due: so the grid is the latest one on
    which no message was sent early. It is late by the lateness of the most punctual message, some 50 µs.
    """
    grid: Times = (np.arange(len(sent_ns)) * (1e9 / rate)).astype(np.int64)
    grid += (sent_ns - grid).min()
    return grid


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentileCheck:
    """A percentile's true value beside the one that was read."""

    metric: str
    percentile: float
    formula_ns: float | None = None
    """By the model, if there is one."""
    truth_ns: int
    """By the server's account."""
    read_ns: int
    """By wsload."""
    tolerance_ns: int
    """The largest error allowed."""

    @property
    def error_ns(self) -> int:
        return self.read_ns - self.truth_ns

    @property
    def error(self) -> float:
        """Relative to the truth."""
        return self.error_ns / self.truth_ns if self.truth_ns else 0.0

    @property
    def within(self) -> bool:
        return abs(self.error_ns) <= self.tolerance_ns


def stall_tolerance_ns(percentile: float, truth_ns: int) -> int:
    """2 % at p99, at least 1 ms; elsewhere 5 %, at least 3 ms.

    If a stall delays a tenth of the messages, p90 lies on the edge, where one late message more or less makes
    milliseconds; p99.9 of a short run rests on a handful of messages.
    """
    share, least_ns = (0.02, 1_000_000) if percentile == 99 else (0.05, 3_000_000)
    return max(round(share * truth_ns), least_ns)


def delay_tolerance_ns(truth_ns: int) -> int:
    """The histogram's precision, 0.1 % or 512 ns, plus 150 µs for the reply's way back into the process."""
    return max(truth_ns // 1000, 512) + 150_000


def undercut(histogram: Histogram, least_ns: Times) -> int:
    """How many values are certainly below their lower bounds; 0 if every value can be at or above its own.

    Values and bounds are compared in order of size, bucket by bucket: n values up to a bucket's upper edge need n
    bounds up to that edge.
    """
    edges, counts = histogram.buckets()
    allowed = np.searchsorted(np.sort(least_ns), edges, side="right")
    return max(int((np.cumsum(counts) - allowed).max(initial=0)), 0)
