"""From runs to estimates: the log-ratio of each statistic, with how sure one may be of it.

Over pairs, by the scatter of the pairs' log-ratios; over one run a side, by the block bootstrap over
the runs' seconds, widened by what runs usually scatter and drift.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wsload.judge.compare.bootstrap import log_ratios
from wsload.judge.compare.inference import Estimate
from wsload.judge.compare.pairs import Pairing, RunFigures
from wsload.judge.compare.verdict import Gate

RESOLUTION: Final = 0.001
"""Percentiles come in steps of a histogram's buckets, 0.1 %: runs are never taken to scatter less."""
FEWEST_BLOCKS: Final = 10
"""Seconds with samples that a run needs, and half of its seconds, before it is judged alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One statistic of both sides, before the gate has looked at it; times in ns."""

    name: str
    estimate: Estimate
    """Of the log-ratio, candidate over baseline, with all that must be allowed for."""
    measured: tuple[float, float]
    """The log-ratio's interval at confidence 1 - ``gate.alpha``, from what was measured alone."""
    baseline_ns: float
    """The median over the runs."""
    candidate_ns: float
    shift_ns: float
    """The median of the pairs' differences."""
    pairs: int
    deviation: float
    """The standard deviation of a pair's log-ratio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """A statistic that could not be judged, and why."""

    name: str
    reason: str


def over_pairs(pairing: Pairing, gate: Gate) -> list[Statistic | Unjudged]:
    """Of each judged statistic that was recorded anywhere; at least two pairs."""
    return [_missing(name, pairing) or _over_pairs(name, pairing, gate) for name in _recorded(pairing, gate)]


def over_seconds(pairing: Pairing, gate: Gate) -> list[Statistic | Unjudged]:
    """The same from the seconds of the one run that either side has."""
    ((a, b),) = pairing.pairs
    found: list[Statistic | Unjudged] = []
    for metric, group in groupby(_recorded(pairing, gate), key=lambda name: name.rpartition(".p")[0]):
        names = list(group)
        problem = _too_short(a, metric) or _too_short(b, metric)
        if missing := [gap for name in names if (gap := _missing(name, pairing))]:
            found += missing
        elif problem:
            found += [Unjudged(name=name, reason=problem) for name in names]
        else:
            percentiles = [float(name.rpartition(".p")[2]) for name in names]
            logs = log_ratios(a.blocks[metric], b.blocks[metric], percentiles)
            found += [
                _over_seconds(name, a.values, b.values, logs[:, at], gate) for at, name in enumerate(names)
            ]
    return found


def _recorded(pairing: Pairing, gate: Gate) -> list[str]:
    known = {name for pair in pairing.pairs for run in pair for name in run.values}
    return [name for name in gate.judged if name in known]


def _missing(name: str, pairing: Pairing) -> Unjudged | None:
    without = [run for pair in pairing.pairs for run in pair if name not in run.values]
    if not without:
        return None
    sides = {run.side for run in without}
    where = f"in the {sides.pop()}'s runs" if len(sides) == 1 else "in runs of both sides"
    names = ", ".join(run.name for run in without)
    return Unjudged(name=name, reason=f"no samples {where}: {names}")


def _too_short(run: RunFigures, metric: str) -> str:
    blocks = run.blocks.get(metric)
    if blocks is None or blocks.filled < max(FEWEST_BLOCKS, len(blocks.counts) / 2):
        return f"samples in too few seconds of {run.name} to judge one run by"
    return ""


def _over_pairs(name: str, pairing: Pairing, gate: Gate) -> Statistic:
    values = [(a.values[name], b.values[name]) for a, b in pairing.pairs]
    logs = [math.log(b / a) for a, b in values]
    mean = math.fsum(logs) / len(logs)
    variance = math.fsum((log - mean) ** 2 for log in logs) / (len(logs) - 1)
    deviation = max(math.sqrt(variance), RESOLUTION)
    bare = Estimate(mean=mean, error=deviation / math.sqrt(len(logs)), df=len(logs) - 1)
    return Statistic(
        name=name,
        estimate=replace(bare, slack=abs(pairing.offset) * math.log1p(gate.drift)),
        measured=bare.interval(gate.alpha),
        baseline_ns=median(a for a, _ in values),
        candidate_ns=median(b for _, b in values),
        shift_ns=median(b - a for a, b in values),
        pairs=len(values),
        deviation=deviation,
    )


def _over_seconds(
    name: str,
    a: Mapping[str, int],
    b: Mapping[str, int],
    logs: NDArray[np.float64],
    gate: Gate,
) -> Statistic:
    low, high = np.quantile(logs, [gate.alpha / 2, 1 - gate.alpha / 2])
    deviation = math.hypot(float(logs.std()), math.sqrt(2) * gate.run_deviation, RESOLUTION)
    return Statistic(
        name=name,
        estimate=Estimate(
            mean=math.log(b[name] / a[name]), error=deviation, df=None, slack=math.log1p(gate.drift)
        ),
        measured=(float(low), float(high)),
        baseline_ns=a[name],
        candidate_ns=b[name],
        shift_ns=b[name] - a[name],
        pairs=1,
        deviation=deviation,
    )
