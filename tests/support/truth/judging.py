"""Are a cell's figures what the server's account says? Pure comparison, see `support.truth.trial` for the runs.

A cell is *right* when the counts are exact and every compared percentile is within its tolerance, *marked*
when it is not and wsload says that this figure can't be trusted, and *wrong* when wsload vouches for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from support.truth.expectations import NOT_SENT, Expected, Span
from wsload.commands.selftest.truth import percentiles
from wsload.judge.run import trust
from wsload.measure.histogram import Histogram, rank
from wsload.measure.interval import Totals
from wsload.results.trust import ALL, NONE, Trust

COMPARED: Final = (0.0, 10.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0)
"""The percentiles that are compared, with the least value."""
WAY_NS: Final = 1_000_000
"""From the account's stamp, taken before the answer is written, to the client's, taken when the bytes have reached
the process: the kernel, a wake-up on a core that two processes share, and whatever the client is just doing. Mostly
0.2 ms."""
SLICE_NS: Final = 10_000_000
"""The same for the highest of a cell's values, which are about 100: the machine may have done something else for a time
slice just then, also between the account's stamp and the writing."""


def tolerance_ns(truth_ns: float) -> float:
    """How far off a percentile may be that the run vouches for.

    That it is trusted says that the load generator's lateness has moved it by at most a tenth or 1 ms; the way to
    the client comes on top. Most delays that are ordered lie 5 to 25 ms apart at random, and whether an answer
    went to its own request is looked at by itself, so that nothing can hide in it.
    """
    return max(trust.TOLERANCE_NS, trust.SHARE * truth_ns) + WAY_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One way in which a figure is not what the account says."""

    metric: str
    text: str
    percentile: float | None = None
    """None for a count, and for an answer that was given to another request."""

    def excused(self, given: Trust) -> bool:
        """Whether the run says that this very figure is not to be trusted."""
        up_to = given.up_to.get(self.metric, ALL)
        return up_to == NONE or (self.percentile is not None and self.percentile > up_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One kind of user class in one workload against one behaviour."""

    behaviour: str
    kind: str
    workload: str
    requests: int
    """How many the user class tried to send."""
    wrong: tuple[str, ...] = ()
    """The differences that the run vouches for, one line each."""
    marked: tuple[str, ...] = ()
    """Those that it does not."""
    reasons: tuple[str, ...] = ()
    """Why it does not, in its own words."""

    @property
    def verdict(self) -> str:
        """right, marked or WRONG; a cell in which nothing happened is wrong too."""
        if self.wrong or not self.requests:
            return "WRONG"
        return "marked" if self.marked else "right"


def differences(expected: Expected, totals: Totals) -> Iterator[Difference]:
    """How the figures of one name differ from what they must be; empty when they do not."""
    name, histograms = expected.name, totals.histograms
    yield from _times(name, expected.response, histograms.get(name))
    yield from _times(f"{name}.service", expected.service, histograms.get(f"{name}.service"))
    failed = histograms.get(f"{name}.failed")
    if not expected.failed_untimed:
        yield from _times(f"{name}.failed", expected.failed, failed)
    elif failed is None or failed.total != expected.failed_untimed:
        text = f"{name}.failed: {failed}, where {expected.failed_untimed} failed"
        yield Difference(metric=name, text=text)
    lost = histograms.get(f"{name}.lost", Histogram()).total
    unsent = totals.failures.get((name, NOT_SENT), 0)
    if expected.unanswered is not None and lost + unsent != expected.unanswered:
        text = f"{name}: {lost} lost and {unsent} not sent, where {expected.unanswered} were not answered"
        yield Difference(metric=name, text=text)
    for counter, (least, most) in expected.counts.items():
        if not least <= totals.counters.get(counter, 0) <= most:
            text = f"{counter}: {totals.counters.get(counter, 0)}, where the account has {most}"
            yield Difference(metric=name, text=text)


def _times(metric: str, values: Sequence[Span], histogram: Histogram | None) -> Iterator[Difference]:
    found = histogram if histogram is not None else Histogram()
    if found.total != len(values):
        text = f"{metric}: {found.total} values where the account has {len(values)}"
        yield Difference(metric=metric, text=text)
    elif values:
        least, most = (
            percentiles(np.array(side, dtype=np.int64), COMPARED) for side in zip(*values, strict=True)
        )
        for percentile, low, high, read in zip(
            COMPARED, least, most, found.percentiles(COMPARED), strict=True
        ):
            truth = min(max(read, low), high)
            highest = len(values) > 1 and rank(percentile, len(values)) == len(values)
            if abs(read - truth) > tolerance_ns(truth) + (SLICE_NS if highest else 0):
                text = f"{metric}: p{percentile:g} is {read / 1e6:.1f} ms, in truth {truth / 1e6:.1f} ms"
                yield Difference(metric=metric, text=text, percentile=percentile)
