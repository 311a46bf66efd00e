"""Estimates how much each statistic differs between the builds, and how certain that is.

Times are compared by the logarithm of candidate over baseline, shares of lost and failed attempts by
their difference. The uncertainty always comes from the scatter between runs: with pairs, that of the pairs'
ratios; with several runs on one side only, that of the runs; with one run per side, that which the user
states. (How a run varies from second to second does not tell how the next run will differ.)

Side by side, the servers compete for the machine, and one may have the better place. Where that is alike for both it
cancels. So now and then both sides run A. What they then differ by, beyond chance, is no difference between builds.
Once that is seen in one statistic the sides are known to differ, and what each statistic differed by is counted as a
possible bias: its bounds move out by as much. (If each had to be beyond chance on its own, one that just missed would
be called slower: with six statistics biased by seven deviations, in one experiment of seven.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import harmonic_mean
from typing import Final

import numpy as np

from wsload.judge.compare.inference import KNOWN, Bools, Estimate, Evidence, Floats, Ints, t_quantile
from wsload.judge.compare.pairs import Basis, Design, RunFigures
from wsload.judge.compare.selection import (
    Quantile,
    Unjudged,
    counted,
    needed,
    only_baseline,
    quantiles,
    shares,
    trusted,
    why_unjudged,
)
from wsload.judge.compare.verdict import Gate
from wsload.results.trust import ALL, NONE

RESOLUTION: Final = 0.001
"""Percentiles are rounded to a histogram's buckets, 0.1 %, so runs are assumed to scatter at least that much."""
SEEN: Final = 0.01
"""The chance, over all statistics together, that a bias is seen where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """Everything that can be judged; each array has one entry per statistic: first the times, then the shares."""

    names: tuple[str, ...]
    timed: Bools
    """Which of the statistics are times, in ns; the others are shares, from 0 to 1."""
    baseline: Floats
    """The geometric mean of times, the mean of shares, over the same runs as the estimate."""
    candidate: Floats
    evidence: Evidence | None
    """On log-ratios and differences; None if the scatter between runs is unknown, as with one pair in each stage."""
    deviation: Floats
    """The standard deviation of a pair's log-ratio or difference; NaN if unknown."""
    pairs: Ints
    """How many pairs were used; for unpaired runs, how many of the candidate's."""
    calibration: Floats
    """The mean log-ratio or difference of pairs of A and A; NaN where none were made."""
    bias: Floats
    """Its size where the sides are known to differ, else 0: part of the evidence's slack."""


def measure(
    design: Design, gate: Gate, calibration: Sequence[tuple[RunFigures, RunFigures]] = ()
) -> tuple[Measured, list[Unjudged]]:
    """Estimates of everything that the gate asks for, and what could not be estimated.

    ``calibration`` are pairs of A and A (see `bias`), used if the design has pairs too.
    """
    wanted, unjudged = quantiles(design.runs, gate.judged)
    found = [(each, _problem(each, design, gate)) for each in wanted]
    unjudged += [problem for _, problem in found if problem is not None]
    times = [each for each, problem in found if problem is None]
    if not gate.judged:
        unjudged = needed(unjudged, times, design.runs)
    others = shares(design.runs, gate.judged)
    a, b = (_matrix(side, times, others, design.runs) for side in (design.baseline, design.candidate))
    if design.basis is Basis.PAIRS:  # a pair counts as a whole
        gaps = np.isnan(a) | np.isnan(b)
        a, b = np.where(gaps, np.nan, a), np.where(gaps, np.nan, b)
    least = np.array([RESOLUTION] * len(times) + [_counting_deviation(each, design) for each in others])
    slack = np.array([abs(design.offset) * math.log1p(gate.drift)] * len(times) + [0.0] * len(others))
    evidence: Evidence | None = None
    deviation = same = np.full(len(least), np.nan)
    extra = np.zeros(len(least))
    match design.basis:
        case Basis.PAIRS:
            stages = [run.stage for run in design.candidate]
            deviation = Estimate.of(b - a, axis=-2, least=least).deviation
            both = [
                _matrix([pair[side] for pair in calibration], times, others, design.runs) for side in (0, 1)
            ]
            same = mean_of(both[1] - both[0])
            extra = bias(both[1] - both[0], deviation=deviation, df=(~np.isnan(b - a)).sum(axis=0) - 1)
            over, deviation = over_pairs(b - a, least=least, slack=slack + extra, stages=stages)
            evidence = over if over.stages else None
        case Basis.RUNS:
            evidence, deviation = over_runs(a, b, least=least, slack=slack)
        case Basis.STATED:
            stated = [gate.scatter_of(each.name) or 0.0 for each in times] + [0.0] * len(others)
            evidence, deviation = as_stated(a, b, np.array(stated), least=least, slack=slack)
    baseline, candidate = (np.nanmean(side, axis=0) for side in (a, b))
    timed = np.arange(len(least)) < len(times)
    measured = Measured(
        names=(*(each.name for each in times), *others),
        timed=timed,
        baseline=np.where(timed, np.exp(baseline), baseline),
        candidate=np.where(timed, np.exp(candidate), candidate),
        evidence=evidence,
        deviation=deviation,
        pairs=(~np.isnan(b)).sum(axis=0),
        calibration=same,
        bias=extra,
    )
    return measured, unjudged


def over_pairs(
    differences: Floats, *, least: Floats | float, slack: Floats | float = 0.0, stages: Sequence[int] = ()
) -> tuple[Evidence, Floats]:
    """From pairs, shape (…, pairs, statistics); NaN marks a pair that is not used.

    ``least`` is a lower limit for the standard deviation; ``stages`` says which stage each pair
    belongs to. A stage with fewer than two pairs is ignored, so none may be left. Also returns the deviations.
    """
    stage_of = np.array(stages or [0] * differences.shape[-2])
    parts = [differences[..., stage_of == stage, :] for stage in dict.fromkeys(stage_of.tolist())]
    found = tuple(
        Estimate.of(part, axis=-2, least=least, slack=slack) for part in parts if part.shape[-2] > 1
    )
    return Evidence(found), Estimate.of(differences, axis=-2, least=least).deviation


def over_runs(a: Floats, b: Floats, *, least: Floats, slack: Floats) -> tuple[Evidence, Floats]:
    """From unpaired runs, shape (runs, statistics), with the pooled scatter of both sides.

    The two-sample t interval with pooled variance: G. Snedecor & W. Cochran, Statistical Methods, 1989, 6.9.
    """
    n_a, n_b = (np.sum(~np.isnan(side), axis=0) for side in (a, b))
    squares = sum(np.nansum((side - np.nanmean(side, axis=0)) ** 2, axis=0) for side in (a, b))
    df = n_a + n_b - 2
    deviation = np.maximum(np.sqrt(squares / df), least / math.sqrt(2))
    mean = np.nanmean(b, axis=0) - np.nanmean(a, axis=0)
    error = deviation * np.sqrt(1 / n_a + 1 / n_b)
    return Evidence((Estimate(mean=mean, error=error, df=df, slack=slack),)), math.sqrt(2) * deviation


def as_stated(
    a: Floats, b: Floats, scatter: Floats, *, least: Floats, slack: Floats
) -> tuple[Evidence, Floats]:
    """From one run per side, and the scatter between runs that the user states, taken as known."""
    deviation = np.maximum(math.sqrt(2) * scatter, least)
    df = np.full(deviation.shape, KNOWN)
    return Evidence((Estimate(mean=(b - a)[0], error=deviation, df=df, slack=slack),)), deviation


def _problem(quantile: Quantile, design: Design, gate: Gate) -> Unjudged | None:
    asked = bool(gate.judged)
    if problem := why_unjudged(quantile, design.runs, asked=asked):
        return problem
    if not _trusted(quantile, design):
        reason = "in most runs it is not trusted; their reports say why"
        metric = quantile.metric
        doubted = only_baseline(metric, design.runs, lambda run: run.trusted.get(metric, ALL) > NONE)
        if doubted:
            reason = "the candidate’s runs have no trusted figure of it, unlike the baseline’s; their reports say why"
        return Unjudged(name=quantile.name, reason=reason, blocks=asked or doubted)
    if design.basis is Basis.STATED and gate.scatter_of(quantile.name) is None:
        return Unjudged(name=quantile.name, reason="its scatter between runs is not stated")
    return None


def _trusted(quantile: Quantile, design: Design) -> bool:
    """Whether the percentile is trusted in enough runs: half of the pairs, and two of each stage."""
    if design.basis is not Basis.PAIRS:
        sides = (design.baseline, design.candidate)
        good = [sum(trusted(run, quantile) for run in side) for side in sides]
        return min(good) > 0 and sum(good) >= min(3, len(design.runs))
    stages = [(a.stage, trusted(a, quantile) and trusted(b, quantile)) for a, b in design.pairs]
    every = {stage: [good for which, good in stages if which == stage] for stage, _ in stages}
    return all(sum(good) >= max(2, len(good) / 2) for good in every.values() if len(good) > 1)


def _matrix(
    side: Sequence[RunFigures], times: Sequence[Quantile], others: Sequence[str], runs: Sequence[RunFigures]
) -> Floats:
    """Logarithms of the times, and the shares; one row per run. NaN marks what is not trusted."""
    rows = [[*_logs(run, times), *(_share(run, other, runs) for other in others)] for run in side]
    return np.array(rows, dtype=np.float64).reshape(len(side), len(times) + len(others))


def _logs(run: RunFigures, times: Sequence[Quantile]) -> Iterator[float]:
    for each in times:
        found = run.outcomes.get(each.metric)  # a calibration's run may lack it, or have lost too much
        value_ns = found.percentile(each.percentile) if found is not None and found.attempts else math.inf
        yield math.log(value_ns) if trusted(run, each) and math.isfinite(value_ns) else math.nan


def _share(run: RunFigures, other: str, runs: Sequence[RunFigures]) -> float:
    hits, attempts = counted(run, other, runs)
    return hits / attempts if attempts else 0.0


def counting_deviation(hits: Floats, attempts_a: Floats, attempts_b: Floats, pairs: float) -> Floats:
    """The least standard deviation of a pair's difference of a share, due to counting alone.

    The arguments are totals over the runs: ``hits`` of both sides, attempts of each. Binomial, with one success and
    one failure added, so that counts of none or all are not taken for certain.
    """
    share = (hits + 1) / (attempts_a + attempts_b + 2)
    variance = share * (1 - share) * (1 / np.maximum(attempts_a, 1) + 1 / np.maximum(attempts_b, 1))
    return np.asarray(np.sqrt(variance * pairs))


def _counting_deviation(share: str, design: Design) -> float:
    sides = (design.baseline, design.candidate)
    counts = [np.array([counted(run, share, design.runs) for run in side], dtype=float) for side in sides]
    (hits_a, attempts_a), (hits_b, attempts_b) = (side.sum(axis=0) for side in counts)
    # Unpaired runs tell as much as this number of pairs: 2 / (1 / n_a + 1 / n_b), see `over_runs`.
    pairs = harmonic_mean(map(len, counts))
    return float(counting_deviation(hits_a + hits_b, attempts_a, attempts_b, pairs))


def bias(differences: Floats, *, deviation: Floats, df: Ints) -> Floats:
    """The possible bias of each statistic, from 0; 0 for all unless one is beyond chance.

    ``differences`` are those of pairs of A and A, shape (pairs, statistics), NaN where one is not known;
    ``deviation`` is a pair's standard deviation, estimated from the experiment's other pairs with ``df`` degrees of
    freedom, shape (statistics,). By Student's t, with Bonferroni's correction.
    """
    pairs = (~np.isnan(differences)).sum(axis=0)
    levels = [t_quantile(1 - SEEN / 2 / max(len(deviation), 1), int(each)) for each in df]
    limit = np.array(levels) * deviation / np.sqrt(np.maximum(pairs, 1))
    seen = np.abs(mean_of(differences))
    differ = bool(((pairs > 0) & (seen > limit)).any())
    return np.where((pairs > 0) & differ, seen, 0.0)


def mean_of(differences: Floats) -> Floats:
    """The mean difference of each statistic; NaN where none is known."""
    pairs = (~np.isnan(differences)).sum(axis=0)
    total = np.nansum(differences, axis=0)
    return np.where(pairs > 0, total / np.maximum(pairs, 1), np.nan)
