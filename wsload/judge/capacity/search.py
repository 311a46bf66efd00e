"""The search for a capacity: at which rate to make the next step, when to end, and what is known by then.

It begins at the lowest rate and goes up by doubling, or by more where that would take more than `MAX_CLIMB_STEPS`
steps, until a step fails. From there each step is made at the rate at which holding and failing are equally likely
(`wsload.judge.capacity.posterior`), so that later steps correct one with a wrong outcome.

A step in which the load generator can't be trusted says nothing about the server, and is not counted. It is repeated;
if that does not help, and no step at that rate or above was trusted, its rate is the ceiling. One step is made above
it, because a clearly overloaded server is visible despite some lateness. Then the search continues below, and ends when
the highest rate that holds is `NEAR` the ceiling. It also ends after `IN_A_ROW` untrusted steps in a row, at any rate.

A step with too few values for its checks says nothing about the server either, and nothing about the load generator:
it is no ceiling. While no step held, the search goes up from it, since a higher rate has more values. Else it is
repeated, for longer (`wsload.commands.capacity.plan`), and the search ends if that does not help.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import takewhile
from typing import Final

from wsload.errors import UsageError
from wsload.exit_codes import ExitCode
from wsload.judge.capacity.posterior import Answer, Posterior, posterior

LEVEL: Final = 0.95
"""The probability with which the interval is to cover the capacity."""
SHOWN_LEVEL: Final = 0.96
"""The probability of the interval that is shown: a little above, for what the model leaves out."""
MAX_CLIMB_STEPS: Final = 4
"""Most steps from the lowest rate to the highest while nothing fails; each step at least doubles the rate."""
NEAR: Final = 1.5
"""If the load generator reaches its limit at up to this many times the highest rate that holds, the search ends."""
TRIES: Final = 2
"""How often to try a rate at which the load generator can't be trusted, or values are too few."""
IN_A_ROW: Final = 8
"""The search ends after this many untrusted steps in a row: another would be no better."""
MADE_PER_COUNTED: Final = 2
"""At most so many times the steps that count are made, including those that say nothing about the server."""
DIGITS: Final = 3
"""Significant digits of rates."""
AT_END: Final = 0.02
"""A rate this close to the upper end of the range, as a share of it, is replaced by the upper end."""


class Outcome(StrEnum):
    """The outcome of a step."""

    HOLDS = "holds"
    FAILS = "fails"
    UNTRUSTED = "not trusted"
    """The load generator's own lateness is in its figures."""
    FEW = "too few values"
    """Its checks need more values than there were."""

    @property
    def counts(self) -> bool:
        """Whether it says something about the server."""
        return self in (Outcome.HOLDS, Outcome.FAILS)


class State(StrEnum):
    """How far a search is."""

    SEARCHING = "searching"
    FOUND = "found"
    """As precise as was asked."""
    IMPRECISE = "out of steps"
    """All steps were made, and the interval is wider than was asked."""
    ABOVE = "above the range"
    """The highest rate holds."""
    BELOW = "below the range"
    """The lowest rate fails."""
    GAVE_OUT = "the load generator reached its limit first"
    FEW = "too few values"


EXIT_CODES: Final = {
    State.SEARCHING: ExitCode.INCONCLUSIVE,
    State.FOUND: ExitCode.OK,
    State.IMPRECISE: ExitCode.INCONCLUSIVE,
    State.ABOVE: ExitCode.OK,
    State.BELOW: ExitCode.FAILED,
    State.GAVE_OUT: ExitCode.UNTRUSTED,
    State.FEW: ExitCode.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlan:
    """What is searched, and how precisely."""

    low: float
    high: float
    precision: float = 0.05
    """The half-width of the interval to aim for, as a share of the capacity."""
    most_steps: int = 14
    """Of those that count; `most_made` in all."""
    whole: bool = False
    """Whether rates are whole numbers, as of users."""

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise UsageError(
                f"{self.low:g}..{self.high:g}: the lower end must be above 0 and below the upper one"
            )
        if not 0.01 <= self.precision <= 0.5:
            raise UsageError(f"--precision {100 * self.precision:g}%: from 1% to 50% is allowed")
        if not 3 <= self.most_steps <= 100:
            raise UsageError(f"--steps {self.most_steps}: from 3 to 100 is allowed")

    @property
    def most_made(self) -> int:
        """Most steps in all."""
        return MADE_PER_COUNTED * self.most_steps

    @property
    def growth(self) -> float:
        """By how much the rate grows while nothing fails."""
        return max(2.0, float((self.high / self.low) ** (1 / MAX_CLIMB_STEPS)))

    def rounded(self, rate: float) -> float:
        """The rate rounded to `DIGITS` and kept within the range; close to the upper end, that end."""
        if rate > self.high * (1 - AT_END):
            return self.high
        digits = 0 if self.whole else DIGITS - 1 - math.floor(math.log10(rate))
        return max(float(round(rate, digits)), self.low)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a search, as far as the search goes."""

    rate: float
    outcome: Outcome
    number: int
    """Of its round, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchStatus:
    """What is known after some steps."""

    state: State
    posterior: Posterior
    estimate: float
    """The rate at which a step holds as often as not."""
    low: float
    """The capacity lies between this and ``high`` with a probability of `LEVEL` at least."""
    high: float
    next_rate: float | None
    """Where to make the next step; None where the search has ended."""
    ceiling: float | None
    """The lowest rate at which the load generator reached its limit."""


def look(plan: SearchPlan, steps: Sequence[Step], now: int | None = None) -> SearchStatus:
    """What these steps say as of a round, by default that of the last step."""
    answers = [
        Answer(rate=step.rate, holds=step.outcome is Outcome.HOLDS, number=step.number)
        for step in steps
        if step.outcome.counts
    ]
    found = posterior(answers, plan.low, plan.high, now or max((step.number for step in steps), default=0))
    low, high = found.interval(SHOWN_LEVEL)
    ceiling = _ceiling(steps)
    state = _state(plan, steps, found, ceiling)
    return SearchStatus(
        state=state,
        posterior=found,
        estimate=found.quantile(0.5),
        low=low,
        high=high,
        next_rate=_next(plan, steps, found, ceiling) if state is State.SEARCHING else None,
        ceiling=ceiling,
    )


def _ceiling(steps: Iterable[Step]) -> float | None:
    steps = list(steps)
    late = [step.rate for step in steps if step.outcome is Outcome.UNTRUSTED]
    made = max((step.rate for step in steps if step.outcome is not Outcome.UNTRUSTED), default=0.0)
    return min((rate for rate in late if late.count(rate) >= TRIES and rate > made), default=None)


def _highest(steps: Sequence[Step]) -> float | None:
    """The highest rate that holds; while none does, the highest with too few values."""
    for outcome in (Outcome.HOLDS, Outcome.FEW):
        if rates := [step.rate for step in steps if step.outcome is outcome]:
            return max(rates)
    return None


def _failed(steps: Iterable[Step]) -> bool:
    return any(step.outcome is Outcome.FAILS for step in steps)


def _looked_above(plan: SearchPlan, steps: Iterable[Step], ceiling: float) -> bool:
    """Whether all was done to find a failure: there is one, or nothing higher is left to try."""
    return ceiling >= plan.high or _failed(steps) or any(step.rate > ceiling for step in steps)


def _state(plan: SearchPlan, steps: Sequence[Step], found: Posterior, ceiling: float | None) -> State:
    if len(steps) >= IN_A_ROW and all(step.outcome is Outcome.UNTRUSTED for step in steps[-IN_A_ROW:]):
        return State.GAVE_OUT
    if ceiling is not None and _looked_above(plan, steps, ceiling) and not _failed(steps):
        highest = _highest(steps)
        if ceiling <= plan.low or (highest is not None and ceiling <= NEAR * highest):
            return State.GAVE_OUT
    if found.above(plan.high) >= LEVEL:
        return State.ABOVE
    if found.above(plan.low) <= 1 - LEVEL:
        return State.BELOW
    low, high = found.interval(SHOWN_LEVEL)
    if high <= low * (1 + plan.precision) ** 2:
        return State.FOUND
    if _few_again(plan, steps, found, ceiling):
        return State.FEW
    counted = sum(step.outcome.counts for step in steps)
    if counted < plan.most_steps and len(steps) < plan.most_made:
        return State.SEARCHING
    if not counted:
        return State.FEW if steps[-1].outcome is Outcome.FEW else State.GAVE_OUT
    beyond = ceiling is not None and found.above(ceiling) > 0.5
    return State.GAVE_OUT if beyond else State.IMPRECISE


def _few_again(plan: SearchPlan, steps: Sequence[Step], found: Posterior, ceiling: float | None) -> bool:
    """Whether the latest steps had too few values, and the next would be no higher on the way up."""
    latest = takewhile(lambda step: not step.outcome.counts, reversed(steps))
    few = [step.rate for step in latest if step.outcome is Outcome.FEW]
    return len(few) >= TRIES and (_failed(steps) or _next(plan, steps, found, ceiling) <= max(few))


def _next(plan: SearchPlan, steps: Sequence[Step], found: Posterior, ceiling: float | None) -> float:
    if not steps:
        return plan.low
    if steps[-1].outcome is Outcome.UNTRUSTED and (ceiling is None or steps[-1].rate < ceiling):
        return steps[-1].rate  # again
    if ceiling is not None and not _looked_above(plan, steps, ceiling):
        return plan.rounded(plan.growth * ceiling)
    highest = _highest(steps)
    if highest is None:
        wanted = found.quantile(0.5)
    else:
        above = plan.growth * highest
        wanted = min(found.quantile(0.5), above) if _failed(steps) else above
    if ceiling is not None and plan.rounded(wanted) >= ceiling:
        wanted = math.sqrt(ceiling * (highest or plan.low))
    return plan.rounded(wanted)
