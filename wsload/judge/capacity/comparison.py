"""Comparing two capacities: whether build B holds less than build A, by a distribution of their ratio.

The searches of both are made in rounds, a step of either in each, so that a drift of the machine hits both. Their
errors are taken as independent, and each may have drifted since: what they share makes the interval too wide, not
too narrow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wsload.exit_codes import ExitCode
from wsload.judge.capacity.posterior import ratio
from wsload.judge.capacity.search import SHOWN_LEVEL, SearchPlan, SearchStatus, State, Step, look

SAME_WITHIN: Final = 0.1
"""*Not less* allows B to hold less by up to this share."""


class CapacityVerdict(StrEnum):
    """How B's capacity compares with A's."""

    LESS = "less"
    MORE = "more"
    NOT_LESS = "not less"
    """By no more than `SAME_WITHIN`."""
    BOTH_ABOVE = "both hold the top of the range"
    BOTH_BELOW = "neither holds the bottom of the range"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityComparison:
    """Two capacities side by side."""

    verdict: CapacityVerdict
    a: SearchStatus
    b: SearchStatus
    low: float
    """B's capacity is between this and ``high`` times A's."""
    high: float

    @property
    def exit_code(self) -> ExitCode:
        """As of one build where both are beyond the same end of the range."""
        if self.verdict in (CapacityVerdict.LESS, CapacityVerdict.BOTH_BELOW):
            return ExitCode.FAILED
        if self.verdict is not CapacityVerdict.INCONCLUSIVE:
            return ExitCode.OK
        gave_out = State.GAVE_OUT in (self.a.state, self.b.state)
        return ExitCode.UNTRUSTED if gave_out else ExitCode.INCONCLUSIVE


def contrast(plan: SearchPlan, a: Sequence[Step], b: Sequence[Step]) -> CapacityComparison:
    """The verdict on these steps of two searches, as of the last round."""
    now = max((step.number for step in (*a, *b)), default=0)
    looks = look(plan, a, now), look(plan, b, now)
    found = ratio(looks[1].posterior, looks[0].posterior)
    low, high = found.interval(SHOWN_LEVEL)
    ends = look(plan, a).state, look(plan, b).state
    verdict = _BEYOND.get(ends) or _verdict(low, high)
    return CapacityComparison(verdict=verdict, a=looks[0], b=looks[1], low=low, high=high)


_BEYOND: Final = {
    (State.ABOVE, State.ABOVE): CapacityVerdict.BOTH_ABOVE,
    (State.BELOW, State.BELOW): CapacityVerdict.BOTH_BELOW,
}


def _verdict(low: float, high: float) -> CapacityVerdict:
    if high < 1:
        return CapacityVerdict.LESS
    if low > 1:
        return CapacityVerdict.MORE
    return CapacityVerdict.NOT_LESS if low >= 1 - SAME_WITHIN else CapacityVerdict.INCONCLUSIVE
