"""The outcomes of all attempts of a run under one name: answered after some time, lost, or failed.

A message without an answer, or with a refusal, ranks above every answered one. Percentiles are over all
attempts, and one that lies among the lost and failed is more than the slowest answer. So a build never looks
faster by losing its slow answers. (The age of a lost message is not used: with a dropped connection it is lost
within a millisecond.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wsload.judge.figures.samples import number_of
from wsload.measure.histogram import Histogram, rank
from wsload.measure.interval import Totals
from wsload.measure.names import FAILED, LOST, OWN_FAULTS, SERVICE, split


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """The attempts of one run under one name."""

    edges: NDArray[np.int64]
    """Upper edges (ns) of the buckets that hold answers, ascending."""
    reached: NDArray[np.int64]
    """For each edge, how many answers took at most that long."""
    lost: int
    failed: int
    """Refused, or never sent because the server had gone."""

    @classmethod
    def of(cls, histogram: Histogram | None, *, lost: int = 0, failed: int = 0) -> Outcomes:
        edges, counts = (Histogram() if histogram is None else histogram).buckets()
        return cls(edges=edges, reached=np.cumsum(counts), lost=lost, failed=failed)

    @property
    def answered(self) -> int:
        return int(self.reached[-1]) if len(self.reached) else 0

    @property
    def attempts(self) -> int:
        return self.answered + self.lost + self.failed

    @property
    def slowest_ns(self) -> int:
        """The longest time to an answer; 0 without answers."""
        return int(self.edges[-1]) if len(self.edges) else 0

    def rank(self, percentile: float) -> int:
        """The rank of the percentile among all attempts."""
        return rank(percentile, self.attempts)

    def percentile(self, percentile: float) -> float:
        """The percentile of all attempts in ns; infinite if it lies among the lost and failed."""
        rank = self.rank(percentile)
        if rank > self.answered:
            return math.inf
        return float(self.edges[np.searchsorted(self.reached, rank)])

    def beyond(self, percentile: float) -> int:
        """How many attempts rank above the percentile."""
        return max(self.attempts - self.rank(percentile), 0)


def outcomes_of(totals: Totals) -> dict[str, Outcomes]:
    """The outcomes of a run by name; parts such as ``message.lost`` belong to their name."""
    failures: dict[str, int] = {}
    for (what, kind), count in totals.failures.items():
        if kind not in OWN_FAULTS:
            failures[what] = failures.get(what, 0) + count
    whole = [name for name in totals.histograms if split(name)[1] in ("", SERVICE)]
    found = {}
    for name in dict.fromkeys([*whole, *failures]):
        lost, refused = (number_of(name + suffix, totals.histograms) for suffix in (LOST, FAILED))
        failed = max(failures.get(name, 0) - lost, refused)
        if name in totals.histograms or lost or failed:
            found[name] = Outcomes.of(totals.histograms.get(name), lost=lost, failed=failed)
    return found
