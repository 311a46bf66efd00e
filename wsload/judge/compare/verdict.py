"""The gate: what counts as slower, as failing more, and as neither.

A comparison answers two questions, each with its own test:

- Is anything *slower*, or does anything *fail more*? Shown if the lower bound of the change lies above
  the gate. Many statistics are tested at once, so Holm's correction keeps the chance of even one wrong
  answer at alpha.
- Is everything *not slower*? Shown if every upper bound lies below what still counts as the same. Since
  each one has to be shown, no correction is needed: an intersection-union test (R. Berger, Multiparameter
  hypothesis testing and acceptance sampling, Technometrics 24, 1982, 295–300). A build that is slower by
  that much passes with a chance of at most alpha.

If neither is shown, the result is inconclusive. All functions take arrays, so that the simulation in the
documentation uses the very same rules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np

from wsload.errors import UsageError
from wsload.judge.compare.inference import Bools, Evidence, Floats, holm_levels
from wsload.judge.compare.selection import parts_of

SLOWER_SHARE: Final = 0.8
"""The part of alpha for *slower* and *fails more*; the rest is for *faster*, on which nobody has to act."""


class Verdict(StrEnum):
    """The result for one statistic, or for the whole comparison."""

    FAILS_MORE = "fails more"
    """It loses or refuses more."""
    SLOWER = "slower"
    FASTER = "faster"
    NOT_SLOWER = "not slower"
    """Shown to be neither slower nor to fail more, within the gate's margins."""
    INCONCLUSIVE = "inconclusive"
    NO_VALID_RUNS = "no valid runs"
    """Only for the whole: a side has no run with trusted figures."""

    @property
    def tone(self) -> str:
        """For its colour: ``good``, ``doubtful`` or ``bad``."""
        if self in (Verdict.FASTER, Verdict.NOT_SLOWER):
            return "good"
        return "doubtful" if self is Verdict.INCONCLUSIVE else "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The limits of the verdicts; the defaults have been found to work."""

    ratio: float = 0.03
    """*Slower* needs the lower bound of the change above this (*faster* its upper below 1 / (1 + this))."""
    shift_ns: int = 50_000
    """*Slower* and *faster* need a change of more than this, in ns; less than this is *not slower*.

    So a server that answers after 2 ms can be found 5 % slower, and one that answers after 0.2 ms is not blamed for it.
    """
    same_within: float = 0.10
    """*Not slower* needs the upper bound of the change below this, which the default of ten pairs can show."""
    failures_within: float = 0.001
    """The same for shares of lost and failed attempts: at most one in a thousand above the baseline's."""
    failures_floor: float = 0.0001
    """*Fails more* needs a change of more than this: one attempt in ten thousand does not matter."""
    alpha: float = 0.05
    """The chance of a wrong *slower*, *faster* or *fails more* among everything judged; also the chance of
    a wrong *not slower*."""
    judged: tuple[str, ...] = ()
    """The statistics (``message.p99``) or metrics (``message``) to judge; empty for the defaults, see
    `wsload.judge.compare.selection`."""
    scatter: tuple[tuple[str, float], ...] = ()
    """How much runs of one build scatter, as the standard deviation of a percentile's logarithm, if there are too
    few runs to estimate it: for a statistic, a percentile (``p99``), or all (an empty name)."""
    drift: float = 0.01
    """How much latency may drift from one run to the next if the order does not cancel it."""

    def __post_init__(self) -> None:
        for name, value in (
            ("ratio", self.ratio),
            ("shift", self.shift_ns),
            ("floor of failures", self.failures_floor),
            ("drift", self.drift),
        ):
            if not 0 <= value < math.inf:
                raise UsageError(f"the gate's {name} must be a number from 0, not {value}")
        for name, value in (
            ("'same within'", self.same_within),
            ("'failures within'", self.failures_within),
            *((f"the scatter of {what or 'runs'}", value) for what, value in self.scatter),
        ):
            if not 0 < value < math.inf:
                raise UsageError(f"{name} must be a share above 0, not {value}")
        if not 0 < self.alpha < 0.5:
            raise UsageError(f"the chance of a false alarm must be between 0 and 0.5, not {self.alpha}")

    def scatter_of(self, statistic: str) -> float | None:
        """The stated scatter of a statistic between runs, or None."""
        stated = dict(self.scatter)
        return stated.get(statistic, stated.get(parts_of(statistic)[1], stated.get("")))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Decisions:
    """What the evidence shows; arrays with one entry per statistic."""

    worse: Bools
    """Slower, or failing more."""
    better: Bools
    """Faster; never true for shares."""
    cleared: Bools
    """Neither slower nor failing more, within the gate's margins."""
    low: Floats
    """The lower bound of the change that decides ``worse``, corrected for multiple tests."""
    high: Floats
    """The upper bound of the change that decides ``cleared``."""
    level: Floats
    """The level of ``low`` after Holm's correction."""

    @property
    def fail(self) -> Bools:
        """Whether the whole fails, exit code 1: anything is worse."""
        return np.asarray(self.worse.any(axis=-1))

    @property
    def passes(self) -> Bools:
        """Whether the whole passes, exit code 0: nothing is worse, and everything is shown not to be."""
        return np.asarray((self.cleared | self.better).all(axis=-1) & ~self.fail)


def margins(gate: Gate, baseline: Floats, timed: Bools) -> Floats:
    """The largest change that is *not slower*, or *no more*: log-ratios of times, differences of shares."""
    with np.errstate(divide="ignore"):
        same = np.maximum(math.log1p(gate.same_within), np.log1p(gate.shift_ns / baseline))
    return np.where(timed, same, gate.failures_within)


def decide(
    evidence: Evidence, gate: Gate, *, baseline: Floats, candidate: Floats, timed: Bools | None = None
) -> Decisions:
    """Judges log-ratios of times and differences of shares; ``timed`` tells which are times, None for all.

    Shape (…, statistics). ``baseline`` and ``candidate`` are the means of both sides.
    """
    timed = np.ones(baseline.shape[-1], dtype=bool) if timed is None else timed
    shift = candidate - baseline
    beyond = np.where(timed, gate.shift_ns, gate.failures_floor)
    limit = np.where(timed, math.log1p(gate.ratio), 0.0)
    margin = margins(gate, baseline, timed)
    above, below = evidence.p_above(limit), np.where(timed, evidence.p_below(-limit), 1.0)
    level = holm_levels(above, SLOWER_SHARE * gate.alpha)
    faster = below < holm_levels(below, (1 - SLOWER_SHARE) * gate.alpha)
    high = evidence.at_most(gate.alpha)
    return Decisions(
        worse=(above < level) & (shift > beyond),
        better=faster & (shift < -beyond),
        cleared=(high <= margin) | (~timed & (candidate == 0)),
        low=evidence.at_least(level),
        high=high,
        level=level,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One statistic of the candidate against the baseline's, all from the same runs."""

    name: str
    """The statistic: ``message.p99``, or ``message.lost`` for a share."""
    is_share: bool
    """Whether it is a share of all attempts, from 0 to 1, and not a time in ns."""
    baseline: float
    """The geometric mean of times, or the mean of shares, over the runs used."""
    candidate: float
    change: float
    """For times candidate over baseline (1.1 is 10 % slower), for shares candidate minus baseline."""
    pairs: int
    """Pairs of runs used; for unpaired runs, the candidate's."""
    verdict: Verdict
    low: float | None = None
    """The lower bound of the change, corrected for multiple tests (`Decisions.low`). This and the following
    fields are None if the scatter between runs is unknown."""
    high: float | None = None
    """The upper bound of the change (`Decisions.high`)."""
    level: float | None = None
    """The corrected chance that ``low`` is wrong; that of ``high`` is the gate's alpha."""
    deviation: float | None = None
    """The standard deviation of the pairs' log-ratios or differences."""
    calibration: float | None = None
    """What A and A differed by on the two sides, as in ``change``; None if that was not measured."""
    more_pairs: int | None = None
    """See `wsload.judge.compare.power.more_pairs`."""

    @property
    def shift(self) -> float:
        """Candidate minus baseline, in ns or as a share."""
        return self.candidate - self.baseline

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": "share" if self.is_share else "ns",
            "baseline": self.baseline,
            "candidate": self.candidate,
            "shift": self.shift,
            "ratio": None if self.is_share else self.change,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "pairs": self.pairs,
            "deviation": self.deviation,
            "calibration": self.calibration,
            "verdict": self.verdict,
            "more_pairs": self.more_pairs,
        }
