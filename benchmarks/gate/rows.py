"""The rows of the table: worlds under rules, each under three truths."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.gate.judging import EXPERIMENTS, Rates, extending, once, stated, stopping, unpaired
from benchmarks.gate.worlds import (
    Floats,
    World,
    correlated,
    disturbed,
    heavy_tailed,
    losing,
    scattered,
    side_by_side,
)

NAMES: Final = ("open.p50", "open.p99", "login.p50", "login.p99", "message.p50", "message.p99")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of world under the rules."""

    name: str
    run: Callable[[Floats], Rates]
    """The rates, by the candidate's true log-ratios."""
    statistics: int = len(NAMES)
    """How many statistics are judged together; the last one is that which is slower alone."""


def _planned(world: World, count: int = EXPERIMENTS) -> Callable[[Floats], Rates]:
    return lambda effects: once(world, effects, count)


ROWS: Final = (
    Row(name="scatter 5 %", run=_planned(scattered(0.05))),
    Row(name="scatter 10 %", run=_planned(scattered(0.10))),
    Row(name="scatter 20 %", run=_planned(scattered(0.20))),
    Row(name="scatter 35 %", run=_planned(scattered(0.35))),
    Row(name="scatter 5 % at p50, 25 % at p99", run=_planned(scattered(0.05, 0.25))),
    Row(name="scatter 5 %, one statistic judged", run=_planned(scattered(0.05)), statistics=1),
    Row(name="scatter 5 %, 20 statistics judged", run=_planned(scattered(0.05)), statistics=20),
    Row(name="heavy tails: Student’s t, 3 degrees of freedom", run=_planned(heavy_tailed)),
    Row(name="one run in ten takes twice as long", run=_planned(disturbed)),
    Row(
        name="latency correlated over 10 s within runs of 30 s", run=_planned(correlated, 1_000), statistics=2
    ),
    Row(
        name="side by side: the machine scatters by 20 %, each start by 2 %",
        run=_planned(side_by_side(common=0.20, restart=0.02)),
    ),
    Row(
        name="side by side: they compete, 3 %",
        run=_planned(side_by_side(common=0.20, restart=0.02, competing=0.03)),
    ),
    Row(
        name="side by side: they compete, and the side that starts first is 5 % faster",
        run=_planned(side_by_side(common=0.20, restart=0.02, competing=0.03, first=0.05)),
    ),
    Row(
        name="side by side, one calibration: they compete, 3 %",
        run=_planned(side_by_side(common=0.20, restart=0.02, competing=0.03, calibrations=1)),
    ),
    Row(
        name="calibrated: B’s side is 5 % slower, whatever runs there",
        run=_planned(side_by_side(common=0.20, restart=0.005, place=0.05, calibrations=1)),
    ),
    Row(name="both lose 0.5 %, in bursts", run=_planned(losing(0.005))),
    Row(name="both lose 2 %, in bursts", run=_planned(losing(0.02))),
    Row(name="only B loses, 0.1 %", run=_planned(losing(0.0, 0.001))),
    Row(name="only B loses, 5 %", run=_planned(losing(0.0, 0.05))),
    Row(name="scatter 5 %, `--stop-early`", run=lambda effects: stopping(scattered(0.05), effects)),
    Row(name="scatter 20 %, `--stop-early`", run=lambda effects: stopping(scattered(0.20), effects)),
    Row(
        name="scatter 5 %, then `--more` twice at most",
        run=lambda effects: extending(lambda pairs: scattered(0.05, pairs=pairs), effects),
    ),
    Row(
        name="scatter 20 %, then `--more` twice at most",
        run=lambda effects: extending(lambda pairs: scattered(0.20, pairs=pairs), effects),
    ),
    Row(name="scatter 5 %, nine runs of A and one of B", run=lambda effects: unpaired(0.05, effects)),
    Row(name="scatter 20 %, nine runs of A and one of B", run=lambda effects: unpaired(0.20, effects)),
    Row(name="one run a side, scatter 20 % as stated", run=lambda effects: stated(0.20, effects)),
)
SLOWER: Final = math.log(1.10)


def truths(statistics: int) -> tuple[Floats, Floats, Floats]:
    """Nothing changed; everything 10 % slower; the last statistic alone 10 % slower."""
    alone = np.zeros(statistics)
    alone[-1] = SLOWER
    return np.zeros(statistics), np.full(statistics, SLOWER), alone


def table(rows: Sequence[Row] = ROWS) -> Iterator[tuple[str, tuple[Rates, Rates, Rates]]]:
    """Each row's name, and its rates under the three truths."""
    for row in rows:
        yield row.name, tuple(row.run(effects) for effects in truths(row.statistics))  # type: ignore[misc]
