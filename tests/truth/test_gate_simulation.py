"""The gate against experiments whose truth is known: how often it is wrong, and how often it finds out.

A thousand experiments each, through the same `compare` and `look` that judge real runs. Every run's
percentiles scatter by 4.9 % (what repeated runs on a shared two-core machine showed), latency drifts
by 1 % from each run to the next, and runs go A B B A. Of the twelve judged statistics, a run's share
part of their scatter: 0.3 of the variance is common to the run, 0.3 to the metric.

``pytest -n0 -s tests/truth/test_gate_simulation.py`` prints the table of rates.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import groupby

import numpy as np
import pytest
from numpy.typing import NDArray

from wsload.judge.compare.bootstrap import blocks_of
from wsload.judge.compare.compare import compare
from wsload.judge.compare.pairs import PARTS, RunFigures, Side, figures_of
from wsload.judge.compare.power import RUN_DEVIATION
from wsload.judge.compare.sequential import Plan, look
from wsload.judge.compare.verdict import JUDGEABLE, Gate, Verdict
from wsload.measure.histogram import Histogram, merged
from wsload.measure.interval import Interval

EXPERIMENTS = 1_000
pytestmark = pytest.mark.xdist_group("gate")  # the rates are computed once, in one process
DRIFT = 0.01
BASE_NS = 20e6
ONE = ("message.p99",)
FALSE_ALARMS = 0.025
"""The most that may be called slower without being so."""
POWER = 0.70
"""The least that a build slower by 10 % is to be found by ten pairs."""


def scatter(rng: np.random.Generator, runs: int, names: Sequence[str]) -> NDArray[np.float64]:
    """Unit-variance noise of shape (EXPERIMENTS, runs, statistics)."""
    metrics = [len(list(group)) for _, group in groupby(names, key=lambda name: name.split(".")[0])]
    of_run = rng.normal(size=(EXPERIMENTS, runs, 1))
    of_metric = np.repeat(rng.normal(size=(EXPERIMENTS, runs, len(metrics))), metrics, axis=2)
    of_each = rng.normal(size=(EXPERIMENTS, runs, len(names)))
    noise: NDArray[np.float64] = (
        math.sqrt(0.3) * of_run + math.sqrt(0.3) * of_metric + math.sqrt(0.4) * of_each
    )
    return noise


def experiments(
    order: str, slower: float, names: Sequence[str], *, affected: Sequence[str] = JUDGEABLE, seed: int = 1
) -> Iterator[list[RunFigures]]:
    """Runs in this order, the candidate B slower by this ratio in the affected statistics."""
    noise = scatter(np.random.default_rng(seed), len(order), names)
    drift = np.arange(len(order)) * math.log1p(DRIFT)
    effect = np.array([math.log1p(slower) if name in affected else 0.0 for name in names])
    candidate = np.array([letter == "B" for letter in order])
    logs = RUN_DEVIATION * noise + drift[:, None] + candidate[:, None] * effect
    for values in (BASE_NS * np.exp(logs)).astype(np.int64).tolist():
        yield [
            RunFigures(
                name=f"{letter}{at}",
                side=Side.CANDIDATE if letter == "B" else Side.BASELINE,
                started_s=at,
                values=dict(zip(names, row, strict=True)),
            )
            for at, (letter, row) in enumerate(zip(order, values, strict=True))
        ]


def abba(pairs: int) -> str:
    return ("ABBA" * pairs)[: 2 * pairs]


def rates(verdicts: Counter[Verdict]) -> dict[Verdict, float]:
    return {verdict: verdicts[verdict] / verdicts.total() for verdict in Verdict}


@cache
def fixed(order: str, slower: float, names: tuple[str, ...] = ONE) -> dict[Verdict, float]:
    """The rates of the verdicts when everything is judged once, at the end."""
    gate = Gate(judged=names)
    return rates(Counter(compare(runs, gate).verdict for runs in experiments(order, slower, names)))


@cache
def stopping(pairs: int, slower: float, names: tuple[str, ...] = ONE) -> tuple[dict[Verdict, float], float]:
    """The same with a look after every pair; also the mean number of pairs made."""
    gate, plan = Gate(judged=names), Plan(pairs=pairs)
    verdicts: Counter[Verdict] = Counter()
    made = 0
    for runs in experiments(abba(pairs), slower, names, seed=2):
        for done in range(1, pairs + 1):
            found = look(runs[: 2 * done], plan, gate)
            if found.stop:
                break
        assert found.comparison is not None
        verdicts[found.comparison.verdict] += 1
        made += done
    return rates(verdicts), made / EXPERIMENTS


def row(*cells: object) -> None:
    print("  ".join(f"{cell:>12.1%}" if isinstance(cell, float) else f"{cell:>12}" for cell in cells))


# False alarms


@pytest.mark.parametrize("names", [ONE, JUDGEABLE], ids=["one statistic", "twelve"])
@pytest.mark.parametrize("pairs", [2, 3, 5, 10])
def test_equal_builds_are_hardly_ever_called_slower(pairs: int, names: tuple[str, ...]) -> None:
    found = fixed(abba(pairs), 0.0, names)
    assert found[Verdict.SLOWER] <= 0.01
    assert found[Verdict.FASTER] <= 0.01


@pytest.mark.parametrize("names", [ONE, JUDGEABLE], ids=["one statistic", "twelve"])
def test_even_at_the_gate_itself_false_alarms_stay_in_bounds(names: tuple[str, ...]) -> None:
    """A true +3 %, the largest change that is not to be called slower, is the hardest case."""
    found = fixed(abba(10), 0.03, names)
    assert 0 < found[Verdict.SLOWER] <= FALSE_ALARMS


def test_all_of_a_then_all_of_b_raises_no_alarm_either_for_the_drift_is_allowed_for() -> None:
    found = fixed("A" * 10 + "B" * 10, 0.0)
    assert found[Verdict.SLOWER] <= FALSE_ALARMS


def test_this_simulation_would_show_what_goes_wrong_without_the_gate() -> None:
    """All A, then all B, the drift not allowed for and any difference enough: the usual way."""
    naive = Gate(ratio=0.0, shift_ns=0, drift=0.0, judged=ONE)
    alarms = sum(
        compare(runs, naive).verdict is Verdict.SLOWER for runs in experiments("A" * 10 + "B" * 10, 0.0, ONE)
    )
    assert alarms / EXPERIMENTS > 0.9


# Power


def test_ten_pairs_find_ten_percent() -> None:
    assert fixed(abba(10), 0.10)[Verdict.SLOWER] >= POWER
    assert fixed(abba(10), 0.10, JUDGEABLE)[Verdict.SLOWER] >= POWER


def test_five_pairs_find_twenty_percent_and_ten_always() -> None:
    assert fixed(abba(5), 0.20)[Verdict.SLOWER] >= 0.90
    assert fixed(abba(10), 0.20, JUDGEABLE)[Verdict.SLOWER] >= 0.99


def test_a_faster_build_is_found_as_often() -> None:
    faster = fixed(abba(10), 1 / 1.10 - 1)[Verdict.FASTER]
    assert faster == pytest.approx(fixed(abba(10), 0.10)[Verdict.SLOWER], abs=0.05)


def test_only_what_is_slower_is_named() -> None:
    """One metric in four is slower by half: Holm's correction keeps the other nine statistics clean."""
    affected = tuple(name for name in JUDGEABLE if name.startswith("login"))
    found = wrong = 0
    for runs in experiments(abba(10), 0.5, JUDGEABLE, affected=affected):
        slow = {each.name for each in compare(runs).judgements if each.verdict is Verdict.SLOWER}
        found += slow >= set(affected)
        wrong += bool(slow - set(affected))
    assert found / EXPERIMENTS >= 0.99
    assert wrong / EXPERIMENTS <= FALSE_ALARMS


# Sameness


def test_what_is_called_the_same_lies_where_it_is_said_to() -> None:
    wrong = called = 0
    for slower in (0.0, 0.05, 0.10):
        for runs in experiments(abba(10), slower, ONE, seed=3):
            (each,) = compare(runs, Gate(judged=ONE)).judgements
            if each.verdict is Verdict.SAME:
                called += 1
                wrong += each.within < slower
    assert called > EXPERIMENTS
    assert wrong / (3 * EXPERIMENTS) <= 0.05


def test_ten_percent_slower_is_not_called_the_same() -> None:
    assert fixed(abba(10), 0.10)[Verdict.SAME] <= FALSE_ALARMS + 0.01


# The interval


@pytest.mark.parametrize("pairs", [2, 3, 5, 10])
def test_the_interval_holds_the_truth_as_often_as_it_says(pairs: int) -> None:
    held = 0
    for runs in experiments(abba(pairs), 0.10, ONE, seed=4):
        (each,) = compare(runs, Gate(judged=ONE)).judgements
        held += each.low <= 1.10 <= each.high
    # Binomial: 0.95 ± 3 · sqrt(0.95 · 0.05 / 1000), and drift within pairs makes it a little wider.
    assert 0.929 <= held / EXPERIMENTS <= 0.985


# Stopping early


@pytest.mark.parametrize("slower", [0.0, 0.03])
@pytest.mark.parametrize("names", [ONE, JUDGEABLE], ids=["one statistic", "twelve"])
def test_looking_after_every_pair_raises_no_more_false_alarms(slower: float, names: tuple[str, ...]) -> None:
    found, _ = stopping(10, slower, names)
    assert found[Verdict.SLOWER] <= FALSE_ALARMS


def test_this_simulation_would_show_what_looking_does_without_a_rule() -> None:
    """The same looks, each at the full level: what the rule is there to prevent."""
    gate = Gate(judged=ONE)
    alarms = sum(
        any(compare(runs[: 2 * done], gate).verdict is Verdict.SLOWER for done in range(3, 11))
        for runs in experiments(abba(10), 0.03, ONE, seed=2)
    )
    assert alarms / EXPERIMENTS > 2 * FALSE_ALARMS


def test_stopping_early_costs_hardly_any_power_and_saves_pairs_where_it_is_clear() -> None:
    found, _ = stopping(10, 0.10)
    assert found[Verdict.SLOWER] >= POWER
    assert found[Verdict.SLOWER] >= fixed(abba(10), 0.10)[Verdict.SLOWER] - 0.05
    assert stopping(10, 0.10, JUDGEABLE)[0][Verdict.SLOWER] >= POWER
    doubled, pairs = stopping(10, 1.0)
    assert doubled[Verdict.SLOWER] == 1
    assert pairs < 4.5


# One run a side


def lone_runs(slower: float, count: int) -> Iterator[list[RunFigures]]:
    """A run of 20 s a side, with the same scatter and drift from run to run."""
    rng = np.random.default_rng(5)
    for _ in range(count):
        runs = []
        for at, side in enumerate(Side):
            factor = math.exp(RUN_DEVIATION * rng.normal()) * (1 + DRIFT) ** at * (1 + slower) ** at
            values = BASE_NS * factor * (1 + 0.2 * rng.exponential(size=(20, 60)))
            seconds = [Histogram.of(second) for second in values.astype(np.int64).tolist()]
            intervals = [
                Interval(start_s=t, length_s=1.0, histograms={"message": each})
                for t, each in enumerate(seconds)
            ]
            figures = figures_of({"message": merged(seconds)})
            blocks = blocks_of(intervals, PARTS)
            runs.append(RunFigures(name=side.value, side=side, started_s=at, values=figures, blocks=blocks))
        yield runs


def test_one_run_a_side_raises_no_false_alarms_where_its_own_interval_would() -> None:
    count, alarms, tempting = 100, 0, 0
    for runs in lone_runs(0.0, count):
        comparison = compare(runs)
        assert comparison.within_run_only
        alarms += comparison.verdict is Verdict.SLOWER
        tempting += any(each.low > 1.03 for each in comparison.judgements)
    assert alarms / count <= FALSE_ALARMS
    assert tempting / count > 0.15


def test_one_run_a_side_finds_a_build_half_as_slow_again() -> None:
    found = [compare(runs).verdict for runs in lone_runs(0.5, 30)]
    assert found.count(Verdict.SLOWER) >= 27


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the rates, and holds that they add up and that power grows with the effect."""
    plans = {ONE: (0.0, 0.03, 0.05, 0.10, 0.20, 0.50, 1.00), JUDGEABLE: (0.0, 0.03, 0.10)}
    with capsys.disabled():
        print()
        row("rule", "judged", "truly slower", *(verdict.value for verdict in list(Verdict)[:4]), "pairs")
        for names, effects in plans.items():
            power = []
            for slower in effects:
                once = fixed(abba(10), slower, names)
                early, pairs = stopping(10, slower, names)
                row("10 pairs", len(names), slower, *list(once.values())[:4], 10)
                row("stop early", len(names), slower, *list(early.values())[:4], f"{pairs:.1f}")
                power.append(once[Verdict.SLOWER])
                assert sum(once.values()) == pytest.approx(1)
                assert once[Verdict.NO_VALID_RUNS] == early[Verdict.NO_VALID_RUNS] == 0
            assert power == sorted(power)
