"""Comparing runs: pairs in, verdicts and exit codes out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.judge.compare.bootstrap import blocks_of
from wsload.judge.compare.compare import Comparison, compare
from wsload.judge.compare.pairs import PARTS, RunFigures, Side, compared, figures_of
from wsload.judge.compare.verdict import JUDGEABLE, Gate, Verdict
from wsload.measure.histogram import Histogram, merged
from wsload.measure.interval import Interval

MS = 1_000_000
SCATTER = (0.98, 1.01, 1.03, 0.99, 1.0, 1.02, 0.97, 1.01)
"""Factors by which runs of one build differ here."""


def made(
    order: str,
    figure: Callable[[str, str], float],
    *,
    names: Sequence[str] = JUDGEABLE,
    invalid: Sequence[str] = (),
    drift: float = 0.0,
) -> list[RunFigures]:
    """Runs in this order; ``figure(letter, statistic)`` is the build's true value in ms."""
    runs = []
    for at, letter in enumerate(order):
        name = f"{letter}{order[: at + 1].count(letter)}"
        factor = SCATTER[at % len(SCATTER)] * (1 + drift) ** at
        runs.append(
            RunFigures(
                name=name,
                side=Side.BASELINE if letter == "A" else Side.CANDIDATE,
                started_s=1.7e9 + at,
                values={each: round(figure(letter, each) * factor * MS) for each in names},
                valid=name not in invalid,
            )
        )
    return runs


def slower_by(percent: float, *slow: str) -> Callable[[str, str], float]:
    return lambda letter, name: 20 * (1 + percent / 100 * (letter == "B" and name in (slow or JUDGEABLE)))


def verdicts(comparison: Comparison) -> dict[str, Verdict]:
    return {each.name: each.verdict for each in comparison.judgements}


ABBA = "ABBA" * 4
MIRRORED = {
    (Verdict.SLOWER, Verdict.FASTER),
    (Verdict.FASTER, Verdict.SLOWER),
    (Verdict.SAME, Verdict.SAME),
    (Verdict.SAME, Verdict.INCONCLUSIVE),
    (Verdict.INCONCLUSIVE, Verdict.SAME),
    (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE),
}
"""What both sides' points of view may say of one ratio: "within 10 %" is not the same seen from either."""


def test_builds_that_are_the_same() -> None:
    comparison = compare(made(ABBA, slower_by(0)))
    assert comparison.verdict is Verdict.SAME
    assert comparison.exit_code == 0
    assert [each.name for each in comparison.judgements] == list(JUDGEABLE)
    assert comparison.pairs[:3] == (("A1", "B1"), ("A2", "B2"), ("A3", "B3"))
    assert comparison.warnings == ()
    assert not comparison.within_run_only


def test_one_slow_statistic_is_named_and_fails_the_whole() -> None:
    comparison = compare(made(ABBA, slower_by(15, "login.p95")))
    assert comparison.verdict is Verdict.SLOWER
    assert comparison.exit_code == 1
    assert [name for name, verdict in verdicts(comparison).items() if verdict is Verdict.SLOWER] == [
        "login.p95"
    ]
    (slow,) = (each for each in comparison.judgements if each.verdict is Verdict.SLOWER)
    assert slow.low < 1.15 < slow.high
    assert slow.judged_low <= slow.low
    assert slow.shift_ns == pytest.approx(3 * MS, rel=0.25)
    assert slow.level == pytest.approx(0.05 / len(JUDGEABLE))


def test_a_faster_build_passes() -> None:
    comparison = compare(made(ABBA, slower_by(-20)))
    assert (comparison.verdict, comparison.exit_code) == (Verdict.FASTER, 0)
    assert set(verdicts(comparison).values()) == {Verdict.FASTER}


def test_slower_wins_over_faster() -> None:
    comparison = compare(
        made(ABBA, lambda letter, name: 20 * (1 if letter == "A" else 1.2 if name == "open.p50" else 0.8))
    )
    assert (comparison.verdict, comparison.exit_code) == (Verdict.SLOWER, 1)


def test_too_much_scatter_is_inconclusive_and_says_what_it_would_take() -> None:
    runs = made("ABBA", slower_by(9))
    comparison = compare(runs)
    assert (comparison.verdict, comparison.exit_code) == (Verdict.INCONCLUSIVE, 4)
    assert all(each.more_pairs for each in comparison.judgements)


def test_the_interval_is_the_textbook_one() -> None:
    ratios = (1.02, 1.10, 1.05, 1.07)
    runs = []
    for at, ratio in enumerate(ratios):
        for side, value in ((Side.BASELINE, 20 * MS), (Side.CANDIDATE, round(20 * MS * ratio))):
            place = 2 * at + (side is Side.CANDIDATE) * (1 if at % 2 == 0 else -1)
            runs.append(
                RunFigures(name=f"{side}{at}", side=side, started_s=place, values={"open.p50": value})
            )
    (found,) = compare(runs, Gate(judged=("open.p50",))).judgements
    logs = np.log(ratios)
    reach = 3.1824 * logs.std(ddof=1) / 2
    assert found.ratio == pytest.approx(math.exp(logs.mean()), rel=1e-6)
    assert found.low == pytest.approx(math.exp(logs.mean() - reach), rel=1e-5)
    assert found.high == pytest.approx(math.exp(logs.mean() + reach), rel=1e-5)
    assert (found.judged_low, found.judged_high) == (found.low, found.high)
    assert found.shift_ns == pytest.approx(20 * MS * 0.06)
    assert found.deviation == pytest.approx(logs.std(ddof=1))


def test_drift_is_no_build_when_runs_alternate_and_is_allowed_for_when_they_do_not() -> None:
    balanced = compare(made(ABBA, slower_by(0), drift=0.01))
    assert balanced.verdict is Verdict.SAME
    in_blocks = compare(made("A" * 8 + "B" * 8, slower_by(0), drift=0.01))
    assert in_blocks.verdict is Verdict.INCONCLUSIVE
    assert all(each.low > 1.03 for each in in_blocks.judgements)
    assert "did not alternate" in in_blocks.warnings[0]
    far = compare(made("A" * 8 + "B" * 8, slower_by(60)))
    assert far.verdict is Verdict.SLOWER


def test_runs_that_are_not_valid_are_left_out_and_named() -> None:
    runs = made(ABBA, slower_by(0), invalid=("B3",))
    wild = [run if run.valid else replace(run, values=dict.fromkeys(run.values, 2_000 * MS)) for run in runs]
    comparison = compare(wild)
    assert comparison == compare(runs)
    assert comparison.verdict is Verdict.SAME
    assert {each.name for each in comparison.excluded} == {"A3", "B3"}
    assert len(comparison.pairs) == 7


def test_a_side_without_valid_runs() -> None:
    comparison = compare(made("ABBA", slower_by(0), invalid=("B1", "B2")))
    assert (comparison.verdict, comparison.exit_code) == (Verdict.NO_VALID_RUNS, 3)
    assert comparison.judgements == ()
    assert {each.name for each in comparison.excluded} == {"A1", "A2", "B1", "B2"}
    assert compare([]).exit_code == 3


def test_a_metric_that_one_side_lacks_is_never_passed_over() -> None:
    def cut(run: RunFigures) -> RunFigures:
        return replace(run, values={name: run.values[name] for name in run.values if "login" not in name})

    runs = made(ABBA, slower_by(0))
    comparison = compare([cut(run) if run.side is Side.CANDIDATE else run for run in runs])
    assert comparison.exit_code == 4
    assert [each.name for each in comparison.unjudged] == ["login.p50", "login.p95", "login.p99"]
    assert comparison.unjudged[0].reason.startswith("no samples in the candidate's runs: B1, B2")
    nowhere = compare([cut(run) for run in runs])
    assert nowhere.exit_code == 0
    assert nowhere.unjudged == ()
    assert len(nowhere.judgements) == 9


def test_nothing_recorded_at_all_is_inconclusive() -> None:
    assert compare(made("ABBA", slower_by(0), names=())).exit_code == 4


def test_unlike_conditions_become_warnings() -> None:
    runs = [
        replace(run, conditions={"users": "100" if run.name == "B2" else "50"})
        for run in made("ABBA", slower_by(0))
    ]
    assert compare(runs).warnings == ("the runs differ in users: 50 in A1, B1, A2; 100 in B2",)


def test_runs_that_agree_to_the_bucket_are_still_not_infinitely_sure() -> None:
    runs = [
        RunFigures(name=str(at), side=side, started_s=at, values={"open.p50": 20 * MS})
        for at, side in enumerate((Side.BASELINE, Side.CANDIDATE, Side.CANDIDATE, Side.BASELINE))
    ]
    (found,) = compare(runs, Gate(judged=("open.p50",))).judgements
    assert found.verdict is Verdict.SAME
    assert found.low < 1 < found.high
    assert found.within < 0.01


@given(st.floats(0.5, 2.0), st.permutations(JUDGEABLE))
def test_swapping_the_sides_turns_the_ratio_over(factor: float, order: list[str]) -> None:
    def figure(letter: str, name: str) -> float:
        return 20 * (factor if letter == "B" else 1) * (1 + order.index(name) / 100)

    def swapped(run: RunFigures) -> RunFigures:
        return replace(run, side=Side.CANDIDATE if run.side is Side.BASELINE else Side.BASELINE)

    runs = made(ABBA, figure)
    there, back = compare(runs), compare([swapped(run) for run in runs])
    for one, other in zip(there.judgements, back.judgements, strict=True):
        assert one.ratio == pytest.approx(1 / other.ratio)
        assert one.low == pytest.approx(1 / other.high)
        assert (one.verdict, other.verdict) in MIRRORED


def lone(side: Side, *, scale: float, seconds: int = 30, lost: int = 0, opens: bool = False) -> RunFigures:
    """One run with its seconds: exponential latencies on a floor of 20 ms, times ``scale``."""
    rng = np.random.default_rng(11 if side is Side.BASELINE else 12)
    intervals = []
    for at in range(seconds):
        values = 20 * MS * scale * (1 + 0.2 * rng.exponential(size=200))
        histograms = {"message": Histogram.of(values.astype(int).tolist())}
        if lost:
            histograms["message.lost"] = Histogram.of([10_000 * MS] * lost)
        if opens and at == 0:
            histograms["open"] = Histogram.of([5 * MS] * 50)
        intervals.append(Interval(start_s=at, length_s=1.0, histograms=histograms))
    whole = {
        metric: merged(each.histograms[metric] for each in intervals if metric in each.histograms)
        for metric in intervals[0].histograms
    }
    assert compared(whole, "message").total == seconds * (200 + lost)
    return RunFigures(
        name=side.value, side=side, started_s=side is Side.CANDIDATE,
        values=figures_of(whole), blocks=blocks_of(intervals, PARTS),
    )  # fmt: skip


def one_a_side(**candidate: float) -> Comparison:
    return compare([lone(Side.BASELINE, scale=1), lone(Side.CANDIDATE, **candidate)])  # type: ignore[arg-type]


def test_one_run_a_side_says_so_and_allows_for_the_scatter_between_runs() -> None:
    comparison = one_a_side(scale=1.1)
    assert comparison.within_run_only
    assert comparison.exit_code == 4
    assert "one run a side" in comparison.warnings[0]
    for each in comparison.judgements:
        assert each.low > 1.03, "within the runs alone it would look clear"
        assert each.judged_low < 1.03
        assert "drift between runs is not covered" in each.sentence
        assert each.more_pairs is not None


def test_one_run_a_side_still_finds_what_no_drift_explains() -> None:
    comparison = one_a_side(scale=2)
    assert (comparison.verdict, comparison.exit_code) == (Verdict.SLOWER, 1)
    assert all("drift between runs is not covered" in each.sentence for each in comparison.judgements)


def test_losing_the_slow_answers_does_not_make_a_build_faster() -> None:
    comparison = one_a_side(scale=1, lost=5)
    assert verdicts(comparison)["message.p99"] is Verdict.SLOWER


def test_a_metric_of_a_few_seconds_is_not_judged_from_one_run() -> None:
    comparison = compare([lone(side, scale=1, opens=True) for side in Side])
    assert {each.name for each in comparison.unjudged} == {"open.p50", "open.p95", "open.p99"}
    assert "too few seconds of baseline" in comparison.unjudged[0].reason
    assert {each.name.split(".")[0] for each in comparison.judgements} == {"message"}


def test_a_metric_that_one_of_two_runs_lacks_is_named() -> None:
    a, b = lone(Side.BASELINE, scale=1), lone(Side.CANDIDATE, scale=1)
    comparison = compare([a, replace(b, values={}, blocks={})])
    assert comparison.exit_code == 4
    assert [each.name for each in comparison.unjudged] == ["message.p50", "message.p95", "message.p99"]
    assert "no samples in the candidate's runs: candidate" in comparison.unjudged[0].reason


def test_fewer_than_two_valid_pairs_fall_back_to_the_closest_runs() -> None:
    a, b = lone(Side.BASELINE, scale=1), lone(Side.CANDIDATE, scale=1)
    bad = RunFigures(name="bad", side=Side.CANDIDATE, started_s=-1.0, values=b.values, valid=False)
    spare = RunFigures(name="spare", side=Side.BASELINE, started_s=-9.0, values=a.values)
    comparison = compare([spare, bad, a, b])
    assert comparison.pairs == (("baseline", "candidate"),)
    assert comparison.within_run_only
    assert {each.name: each.reason for each in comparison.excluded} == {
        "bad": "not valid",
        "spare": "its partner bad is not valid",
    }
