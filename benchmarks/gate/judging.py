"""Experiments judged by the rules that judge real runs (`wsload.judge.compare`), thousands at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.gate.worlds import ATTEMPTS, BASE_NS, DRIFT, PAIRS, Floats, Runs, World, shared_noise
from wsload.judge.compare.estimates import (
    RESOLUTION,
    as_stated,
    bias,
    counting_deviation,
    over_pairs,
    over_runs,
)
from wsload.judge.compare.inference import Estimate, Evidence
from wsload.judge.compare.sequential import EARLY_SHARE, LookPlan
from wsload.judge.compare.verdict import Decisions, Gate, decide

EXPERIMENTS: Final = 4_000
GATE: Final = Gate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Shares of the experiments."""

    worse: float
    """Exit code 1."""
    better: float
    """Something was called faster."""
    passed: float
    """Exit code 0."""
    pairs: float = PAIRS
    """Pairs made, on average."""

    @property
    def open(self) -> float:
        """Exit code 4."""
        return 1 - self.worse - self.passed


def judged(runs: Runs, gate: Gate, stages: Sequence[int] = ()) -> tuple[Decisions, NDArray[np.bool_]]:
    """The gate's decisions on pairs, and where a percentile lay among the lost, which blocks exit code 0."""
    a, b = runs.a, runs.b
    among = ~(np.isfinite(a).all(axis=-2) & np.isfinite(b).all(axis=-2))
    a, b = (np.where(np.isfinite(side), side, 0.0) for side in (a, b))
    a, b = (np.where(among[..., None, :], 0.0, side) for side in (a, b))  # in no way a difference
    baseline, candidate = (np.exp(side.mean(axis=-2)) for side in (a, b))
    least = np.full(baseline.shape, RESOLUTION)
    timed = np.ones(baseline.shape[-1], dtype=bool)
    differences = b - a
    if runs.lost_a is not None and runs.lost_b is not None:
        share_a, share_b = runs.lost_a / ATTEMPTS, runs.lost_b / ATTEMPTS
        attempts = np.full(share_a.shape[:-1], float(ATTEMPTS * share_a.shape[-1]))
        hits = runs.lost_a.sum(axis=-1) + runs.lost_b.sum(axis=-1)
        counted = counting_deviation(hits, attempts, attempts, share_a.shape[-1])
        differences = np.concatenate([differences, (share_b - share_a)[..., None]], axis=-1)
        least = np.concatenate([least, counted[..., None]], axis=-1)
        baseline = np.concatenate([baseline, share_a.mean(axis=-1)[..., None]], axis=-1)
        timed = np.append(timed, False)
        candidate = np.concatenate([candidate, share_b.mean(axis=-1)[..., None]], axis=-1)
    slack = np.zeros(1) if runs.same is None else biases(runs.same, differences, least)
    evidence, _ = over_pairs(differences, least=least, slack=slack, stages=stages)
    found = decide(evidence, gate, baseline=baseline, candidate=candidate, timed=timed)
    return found, among.any(axis=-1)


def biases(same: Floats, differences: Floats, least: Floats) -> Floats:
    """The possible bias of each experiment's statistics, by its calibrations."""
    deviations = Estimate.of(differences, axis=-2, least=least).deviation
    df = np.full(differences.shape[-1], differences.shape[-2] - 1)
    each = zip(same, deviations, strict=True)
    return np.array([bias(found, deviation=deviation, df=df) for found, deviation in each])


def rates(found: Decisions, blocked: NDArray[np.bool_]) -> Rates:
    """The shares of experiments with each outcome."""
    return Rates(
        worse=float(found.fail.mean()),
        better=float((found.better.any(axis=-1) & ~found.fail).mean()),
        passed=float((found.passes & ~blocked).mean()),
    )


def once(world: World, effects: Floats, count: int = EXPERIMENTS, seed: int = 1, gate: Gate = GATE) -> Rates:
    """Everything judged once, at the end, with the share of alpha that ``wsload ab`` has for it."""
    runs = world(np.random.default_rng(seed), count, effects)
    return rates(*judged(runs, replace(gate, alpha=LookPlan().last * gate.alpha)))


def stopping(world: World, effects: Floats, count: int = EXPERIMENTS) -> Rates:
    """A look after each pair from the third on, and the end when the verdict is clear: ``--stop-early``."""
    plan = LookPlan(pairs=PAIRS, early_share=EARLY_SHARE)
    runs = world(np.random.default_rng(2), count, effects)
    going = np.ones(count, dtype=bool)
    sums = np.zeros(4)
    for done in range(plan.first_look, PAIRS + 1):
        seen = Runs(a=runs.a[going, :done], b=runs.b[going, :done])
        share = plan.early if done < PAIRS else plan.last
        found, _ = judged(seen, replace(GATE, alpha=share * GATE.alpha))
        ends = found.fail | found.passes | (done == PAIRS)
        sums += [found.fail.sum(), (found.better.any(axis=-1) & ~found.fail).sum(), found.passes.sum(), 0]
        sums[3] += done * ends.sum()
        going[np.flatnonzero(going)[ends]] = False
    worse, better, passed, made = sums / count
    return Rates(worse=worse, better=better, passed=passed, pairs=made)


def extending(world_of: Callable[[int], World], effects: Floats, count: int = EXPERIMENTS) -> Rates:
    """Up to two extensions of what could not be told, their size chosen by what was seen: ``--more``.

    An extension has few pairs where the answer seems near, and many where it does not: the choice that would
    deceive a rule which pools all pairs as if their number had been planned.
    """
    rng, plan = np.random.default_rng(3), LookPlan()
    every = world_of(PAIRS)(rng, count, effects)
    groups = [(np.arange(count), every, [0] * PAIRS)]
    outcomes = np.zeros((count, 4))  # worse, better, passed, pairs
    for number in range(3):
        share = plan.extension(number) if number else plan.last
        left = []
        for which, runs, stages in groups:
            found, _ = judged(runs, replace(GATE, alpha=share * GATE.alpha), stages)
            better = found.better.any(axis=-1) & ~found.fail
            pairs = np.full(len(which), float(len(stages)))
            outcomes[which] = np.stack([found.fail, better, found.passes, pairs], axis=-1)
            open_ = ~(found.fail | found.passes)
            difference = runs.b - runs.a
            score = difference.mean(axis=1) / difference.std(axis=1) * math.sqrt(len(stages))
            near = np.abs(score).max(axis=-1) > 1.5
            for size, some in ((4, open_ & near), (16, open_ & ~near)):
                if not some.any():
                    continue
                new = world_of(size)(rng, int(some.sum()), effects)
                longer = Runs(
                    a=np.concatenate([runs.a[some], new.a], axis=1),
                    b=np.concatenate([runs.b[some], new.b], axis=1),
                )
                left.append((which[some], longer, [*stages, *[number + 1] * size]))
        groups = left
    worse, better, passed, made = outcomes.mean(axis=0).tolist()
    return Rates(worse=worse, better=better, passed=passed, pairs=made)


def unpaired(scatter: float, effects: Floats, count: int = 500) -> Rates:
    """One run of the candidate against nine stored ones of the baseline, made just before."""
    rng = np.random.default_rng(4)
    logs = scatter * shared_noise(rng, count, 10, len(effects)) + math.log(BASE_NS)
    logs += (np.arange(10) * math.log1p(DRIFT))[:, None]
    a, b = logs[:, :9], logs[:, 9:] + effects
    least = np.full(len(effects), RESOLUTION)
    slack = np.full(len(effects), 5 * math.log1p(GATE.drift))
    return _each(
        (over_runs(one, other, least=least, slack=slack)[0] for one, other in zip(a, b, strict=True)), a, b
    )


def stated(scatter: float, effects: Floats, count: int = 500) -> Rates:
    """One run a side, and the scatter between runs rightly stated by the user."""
    rng = np.random.default_rng(5)
    logs = scatter * shared_noise(rng, count, 2, len(effects)) + math.log(BASE_NS)
    a, b = logs[:, :1], logs[:, 1:] + math.log1p(DRIFT) + effects
    known = {
        "least": np.full(len(effects), RESOLUTION),
        "slack": np.full(len(effects), math.log1p(GATE.drift)),
    }
    scatters = np.full(len(effects), scatter)
    return _each((as_stated(one, other, scatters, **known)[0] for one, other in zip(a, b, strict=True)), a, b)


def _each(evidence: Iterable[Evidence], a: Floats, b: Floats) -> Rates:
    counts = np.zeros(3)
    for found, one, other in zip(evidence, a, b, strict=True):
        said = decide(found, GATE, baseline=np.exp(one.mean(axis=0)), candidate=np.exp(other.mean(axis=0)))
        counts += [said.fail, said.better.any() and not said.fail, said.passes]
    worse, better, passed = counts / len(a)
    return Rates(worse=worse, better=better, passed=passed)
