"""The gate's decisions, their order and their words."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.errors import UsageError
from wsload.judge.compare.inference import Estimate
from wsload.judge.compare.power import chance
from wsload.judge.compare.verdict import Gate, Judgement, Verdict, decide, more_pairs

GATE = Gate()
MS = 1_000_000


def ratio(percent: float, spread: float = 0.01) -> Estimate:
    """An estimate of so many percent, whose 95 % interval reaches about ±2.3 spreads (ten pairs)."""
    return Estimate(mean=math.log1p(percent / 100), error=spread, df=9)


def judged(estimate: Estimate, *, base_ms: float = 20, shift_ms: float | None = None) -> Verdict:
    shift = base_ms * math.expm1(estimate.mean) if shift_ms is None else shift_ms
    return decide(estimate, level=0.05, gate=GATE, baseline_ns=base_ms * MS, shift_ns=shift * MS)[0]


@pytest.mark.parametrize(
    ("percent", "verdict"),
    [
        (10, Verdict.SLOWER),
        (5.5, Verdict.SLOWER),
        (5, Verdict.SAME),
        (0, Verdict.SAME),
        (-4, Verdict.SAME),
        (-10, Verdict.FASTER),
    ],
)
def test_the_gate_wants_the_whole_interval_beyond_it(percent: float, verdict: Verdict) -> None:
    assert judged(ratio(percent)) is verdict


def test_what_is_neither_far_nor_near_is_inconclusive() -> None:
    assert judged(ratio(5, spread=0.04)) is Verdict.INCONCLUSIVE
    assert judged(ratio(0, spread=0.05)) is Verdict.INCONCLUSIVE


def test_a_shift_that_does_not_matter_is_no_regression() -> None:
    assert judged(ratio(50), base_ms=0.1) is Verdict.SAME  # 50 µs of 100: at most 54
    assert judged(ratio(50), base_ms=0.19) is Verdict.INCONCLUSIVE  # 95 µs: might be above 100
    assert judged(ratio(50), base_ms=0.3) is Verdict.SLOWER  # 150 µs
    assert judged(ratio(-40), base_ms=0.3) is Verdict.FASTER  # 120 µs
    assert judged(ratio(-25), base_ms=0.3) is Verdict.SAME  # 75 µs: at most 80


def test_the_correction_counts_for_slower_and_not_for_same() -> None:
    estimate = ratio(6)
    kwargs = {"gate": GATE, "baseline_ns": 20 * MS, "shift_ns": 1.2 * MS}
    assert decide(estimate, level=0.05, **kwargs)[0] is Verdict.SLOWER
    verdict, within = decide(estimate, level=0.05 / 12, **kwargs)
    assert verdict is Verdict.SAME
    assert within == pytest.approx(1.06 * math.exp(2.262 * 0.01) - 1, abs=1e-4)


mirrored = {Verdict.SLOWER: Verdict.FASTER, Verdict.FASTER: Verdict.SLOWER}


@given(st.floats(-0.5, 0.5), st.floats(0.001, 0.2), st.floats(0.3, 100))
def test_slower_and_faster_mirror_each_other(log_ratio: float, spread: float, base_ms: float) -> None:
    there = Estimate(mean=log_ratio, error=spread, df=9)
    back = replace(there, mean=-log_ratio)
    shift = base_ms * math.expm1(log_ratio)
    verdict, reverse = (
        judged(there, base_ms=base_ms, shift_ms=shift),
        judged(back, base_ms=base_ms, shift_ms=-shift),
    )
    if {verdict, reverse} & mirrored.keys():
        assert reverse is mirrored[verdict]


@given(st.floats(-0.3, 0.3), st.floats(0.001, 0.2), st.integers(0, 200_000_000))
def test_same_keeps_its_word(log_ratio: float, spread: float, base_ns: int) -> None:
    estimate = Estimate(mean=log_ratio, error=spread, df=9)
    shift = base_ns * math.expm1(log_ratio)
    verdict, within = decide(estimate, level=0.05, gate=GATE, baseline_ns=base_ns, shift_ns=shift)
    low, high = estimate.interval(0.05)
    assert 1 - within <= math.exp(low) * (1 + 1e-12)
    assert math.exp(high) <= (1 + within) * (1 + 1e-12)
    if verdict is Verdict.SAME:
        assert within <= GATE.same_within or within * base_ns <= GATE.shift_ns


def more(estimate: Estimate, *, pairs: int = 10, deviation: float, base_ms: float = 20) -> int | None:
    shift = base_ms * MS * math.expm1(estimate.mean)
    return more_pairs(
        estimate,
        pairs=pairs,
        deviation=deviation,
        level=0.05,
        gate=GATE,
        baseline_ns=base_ms * MS,
        shift_ns=shift,
    )


def test_the_pairs_still_missing_bring_an_answer_four_times_in_five() -> None:
    deviation = 0.15
    estimate = ratio(8, deviation / math.sqrt(10))
    missing = more(estimate, deviation=deviation)
    assert missing is not None
    distance = math.log(1.08 / 1.03)
    assert chance(distance, 10 + missing, deviation, 0.05) == pytest.approx(0.8, abs=0.01)


def test_the_nearer_answer_counts() -> None:
    to_slower = more(ratio(9, 0.05), deviation=0.15)
    to_same = more(ratio(4, 0.05), deviation=0.15)
    between = more(ratio(6.5, 0.05), deviation=0.15)
    assert to_slower is not None
    assert to_same is not None
    assert between is not None
    assert max(to_slower, to_same) < between


def test_where_no_number_of_pairs_would_tell_there_is_none() -> None:
    hopeless = Estimate(mean=math.log(1.05), error=0.03, df=9, slack=0.1)
    assert more(hopeless, deviation=0.1) is None
    assert more(ratio(5, 0.02), deviation=100.0) is None


def judgement(**changes: object) -> Judgement:
    base = Judgement(
        name="message.p99",
        baseline_ns=20 * MS,
        candidate_ns=22 * MS,
        shift_ns=2 * MS,
        ratio=1.1,
        low=1.05,
        high=1.152,
        level=0.025,
        judged_low=1.04,
        judged_high=1.17,
        pairs=10,
        deviation=0.07,
        verdict=Verdict.SLOWER,
        within=0.152,
        more_pairs=None,
        within_run_only=False,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_verdicts_in_words() -> None:
    assert judgement().sentence == "slower by 2.00 ms, +10.0 % (+5.0 % to +15.2 %)"
    assert judgement(verdict=Verdict.SAME, within=0.0411).sentence == "same within 4.2 %, 0.822 ms"
    unclear = judgement(verdict=Verdict.INCONCLUSIVE)
    assert unclear.sentence == "inconclusive, +10.0 % (judged as +4.0 % to +17.0 %)"
    assert replace(unclear, more_pairs=7).sentence.endswith("; about 7 more pairs of runs would tell")
    assert replace(unclear, more_pairs=1).sentence.endswith("; about 1 more pair of runs would tell")


def test_large_ratios_are_told_as_factors() -> None:
    assert (
        judgement(ratio=4.9, low=1.2, high=1e6).sentence == "slower by 2.00 ms, +390.0 % (+20.0 % to >×1000)"
    )


def test_two_pairs_that_contradict_each_other_are_inconclusive_and_finite() -> None:
    wild = Estimate(mean=0.0, error=5.0, df=1)
    verdict, within = decide(wild, level=0.05 / 12, gate=GATE, baseline_ns=20 * MS, shift_ns=0)
    assert verdict is Verdict.INCONCLUSIVE
    assert math.isfinite(within)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_one_run_a_side_never_goes_without_its_warning(verdict: Verdict) -> None:
    assert "drift between runs is not covered" in judgement(verdict=verdict, within_run_only=True).sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ratio": -0.1}, "the gate's ratio is a number from 0"),
        ({"shift_ns": -1}, "the gate's shift"),
        ({"drift": math.nan}, "the gate's drift"),
        ({"run_deviation": math.inf}, "the gate's run-to-run deviation"),
        ({"same_within": 0.0}, "'same within' takes a ratio above 0"),
        ({"alpha": 1.0}, "between 0 and 1, not at 1.0"),
        ({"judged": ("message.p98",)}, "can't judge message.p98: choose from open.p50"),
        ({"judged": ()}, "can't judge nothing"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        replace(GATE, **changes)  # type: ignore[arg-type]
