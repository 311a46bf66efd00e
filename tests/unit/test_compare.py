"""Comparing runs: pairs in, verdicts and exit codes out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.made_figures import ATTEMPTS, MS, STATISTICS, made, outcomes, slower_by

from wsload.judge.compare.compare import Comparison, compare
from wsload.judge.compare.pairs import Basis, RunFigures, Side
from wsload.judge.compare.verdict import SLOWER_SHARE, Gate, Judgement, Verdict

ABBA = "ABBA" * 4


def verdicts(comparison: Comparison) -> dict[str, Verdict]:
    return {each.name: each.verdict for each in comparison.judgements}


def judgement(comparison: Comparison, name: str) -> Judgement:
    (found,) = (each for each in comparison.judgements if each.name == name)
    return found


# Verdicts of the whole


def test_builds_that_are_the_same() -> None:
    comparison = compare(made(ABBA))
    assert comparison.verdict is Verdict.NOT_SLOWER
    assert comparison.exit_code == 0
    assert [each.name for each in comparison.judgements] == list(STATISTICS)
    assert comparison.pairs[:3] == (("A1", "B1"), ("A2", "B2"), ("A3", "B3"))
    assert comparison.warnings == ()
    assert comparison.unjudged == ()
    assert comparison.basis is Basis.PAIRS


def test_one_slow_statistic_is_named_and_fails_the_whole() -> None:
    comparison = compare(made(ABBA, slower_by(15, "login.p99")))
    assert (comparison.verdict, comparison.exit_code) == (Verdict.SLOWER, 1)
    slow = judgement(comparison, "login.p99")
    assert [name for name, verdict in verdicts(comparison).items() if verdict is Verdict.SLOWER] == [
        slow.name
    ]
    assert slow.low is not None and slow.high is not None
    assert 1.03 < slow.low < 1.15 < slow.high
    assert slow.shift == pytest.approx(6 * MS, rel=0.25)
    assert slow.level == pytest.approx(SLOWER_SHARE * 0.05 / len(STATISTICS))


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
    comparison = compare(made("ABBA", slower_by(9)))
    assert (comparison.verdict, comparison.exit_code) == (Verdict.INCONCLUSIVE, 4)
    assert all(each.more_pairs for each in comparison.judgements)


def test_faster_by_a_doubtful_amount_is_shown_not_to_be_slower() -> None:
    """An interval of −26 to +3.5 % was no answer before, though the build is not slower for certain."""
    wide = (1.0, 1.1, 0.9, 1.0, 1.2, 0.9, 0.95, 1.0)
    comparison = compare(made(ABBA, slower_by(-8), scatter=wide), Gate(judged=("message.p50",)))
    (each,) = comparison.judgements
    assert each.low is not None and each.high is not None
    assert each.low < 0.9 < each.high < 1.1
    assert (each.verdict, comparison.exit_code) == (Verdict.NOT_SLOWER, 0)


def test_the_bounds_are_the_textbook_ones() -> None:
    ratios = (1.02, 1.10, 1.05, 1.07)
    runs = []
    for at, ratio in enumerate(ratios):
        for side, value in ((Side.BASELINE, 20.0), (Side.CANDIDATE, 20 * ratio)):
            place = 2 * at + (side is Side.CANDIDATE) * (1 if at % 2 == 0 else -1)
            runs.append(
                RunFigures(name=f"{side}{at}", side=side, started_s=place, outcomes={"open": outcomes(value)})
            )
    comparison = compare(runs, Gate(judged=("open.p50",)))
    (found,) = comparison.judgements
    logs = np.log(ratios)
    error = logs.std(ddof=1) / 2
    assert found.change == pytest.approx(math.exp(logs.mean()), rel=1e-3)
    assert found.low == pytest.approx(math.exp(logs.mean() - 2.60543 * error), rel=1e-3)  # t(0.96; 3)
    assert found.high == pytest.approx(math.exp(logs.mean() + 2.35336 * error), rel=1e-3)  # t(0.95; 3)
    assert found.deviation == pytest.approx(logs.std(ddof=1), rel=0.02)
    assert found.baseline == pytest.approx(20 * MS, rel=1e-3)


# Everything in a row comes from the same runs


def test_what_a_row_shows_of_both_sides_never_contradicts_its_change() -> None:
    """Medians over the runs said A 10.8, B 10.1 and +50.7 % in one row."""
    a, b = (10.8, 10.9, 2.0, 10.7), (10.1, 10.2, 31.0, 10.0)
    runs = [
        RunFigures(name=f"{letter}{at}", side=side, started_s=2 * at + (side is Side.CANDIDATE) * (-1) ** at,
                   outcomes={"open": outcomes(values[at])})
        for at in range(4) for letter, side, values in (("A", Side.BASELINE, a), ("B", Side.CANDIDATE, b))
    ]  # fmt: skip
    found = judgement(compare(runs), "open.p50")
    assert found.change > 1
    assert found.candidate > found.baseline
    assert found.candidate / found.baseline == pytest.approx(found.change)
    assert found.shift == pytest.approx(found.candidate - found.baseline)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0.1, 1000), st.floats(0.1, 1000)), min_size=2, max_size=6))
def test_signs_agree_whatever_the_runs(pairs: list[tuple[float, float]]) -> None:
    runs = [
        RunFigures(
            name=f"{side}{at}", side=side, started_s=2 * at + place, outcomes={"open": outcomes(value)}
        )
        for at, pair in enumerate(pairs)
        for place, (side, value) in enumerate(zip(Side, pair, strict=True))
    ]
    for each in compare(runs).judgements:
        assert each.candidate / each.baseline == pytest.approx(each.change)
        assert each.low is not None and each.high is not None
        assert each.low <= each.change * (1 + 1e-9) and each.change <= each.high * (1 + 1e-9)


# Lost and failed


def test_a_build_that_drops_messages_is_not_faster_however_fast_the_rest_is() -> None:
    runs = made(ABBA, slower_by(-50), lost=lambda letter, at: 3_000 * (letter == "B"))
    for gate in (Gate(), Gate(judged=("message.p50",)), Gate(judged=("open",))):
        comparison = compare(runs, gate)
        assert (comparison.verdict, comparison.exit_code) == (Verdict.FAILS_MORE, 1)
    lost = judgement(comparison, "message.lost")
    assert (lost.baseline, lost.candidate) == (0, pytest.approx(0.6))


def test_failures_against_none_are_not_the_same() -> None:
    comparison = compare(made(ABBA, failed=lambda letter, at: 100 * (letter == "B")))
    assert (comparison.verdict, comparison.exit_code) == (Verdict.FAILS_MORE, 1)
    assert verdicts(comparison)["message.failed"] is Verdict.FAILS_MORE


def test_failing_less_or_losing_nothing_passes() -> None:
    comparison = compare(made(ABBA, lost=lambda letter, at: (40 + at) * (letter == "A")))
    assert verdicts(comparison)["message.lost"] is Verdict.NOT_SLOWER
    assert comparison.exit_code == 4  # the baseline's p99 lies among its lost in half of the runs
    assert compare(made(ABBA, lost=lambda letter, at: 4 * (letter == "A"))).exit_code == 0


def test_losses_that_are_the_builds_alike_are_no_regression() -> None:
    found = compare(made(ABBA, lost=lambda letter, at: 3 + at % 3))
    assert verdicts(found)["message.lost"] is not Verdict.FAILS_MORE
    assert found.exit_code in (0, 4)


def test_a_loss_that_one_run_shows_can_not_be_told_from_chance() -> None:
    comparison = compare(made(ABBA, lost=lambda letter, at: 30 * (letter == "B" and at == 1)))
    assert verdicts(comparison)["message.lost"] is Verdict.INCONCLUSIVE
    assert comparison.exit_code == 4


@given(st.integers(1, 3))
def test_a_build_that_loses_more_is_never_called_faster(lost: int) -> None:
    """Not even where the loss is too small to count, or could be chance."""
    runs = made("ABBA" * 4, slower_by(-30), answered=40_000, lost=lambda letter, at: lost * (letter == "B"))
    comparison = compare(runs)
    assert verdicts(comparison)["message.p50"] is Verdict.FASTER
    assert comparison.verdict is Verdict.NOT_SLOWER


def test_percentiles_that_lie_among_the_lost_are_more_than_all_that_was_measured() -> None:
    comparison = compare(made(ABBA, lost=lambda letter, at: 100))
    assert comparison.exit_code == 4
    (found,) = comparison.unjudged
    assert found.name == "message.p99"
    assert "among the lost or failed" in found.reason
    assert found.more == (True, True)
    assert found.blocks
    assert found.candidate == pytest.approx(40 * MS, rel=0.01)
    assert "message.p50" in verdicts(comparison)


def test_losing_slow_answers_moves_the_percentiles_up() -> None:
    """Of 2,000 posts 30 are lost: the p99 of all is what was the p99.5 of the answered."""
    assert outcomes(20).percentile(99) == pytest.approx(40 * MS, rel=1e-3)
    losing = outcomes(20, answered=ATTEMPTS, lost=19)
    assert losing.percentile(98) == pytest.approx(40 * MS, rel=1e-3) != outcomes(20).percentile(98)
    assert losing.percentile(99.1) == math.inf


# Losses say nothing about times


def a_loses(letter: str, at: int) -> int:
    return int(letter == "A")


def test_no_time_that_was_judged_is_no_good_end_whoever_lost_something() -> None:
    """The p50 of 15 values is not judged; that B lost none said "not slower" of a build three times slower."""
    for lost in (a_loses, lambda letter, at: 0):
        comparison = compare(made("ABBA" * 2, slower_by(200), metrics=("message",), answered=15, lost=lost))
        assert (comparison.verdict, comparison.exit_code) == (Verdict.INCONCLUSIVE, 4)


@pytest.mark.parametrize("asked", ["message.lost", "message.failed"])
@pytest.mark.parametrize("lost", [a_loses, lambda letter, at: 0])
def test_where_only_a_share_was_asked_for_it_is_judged_even_if_it_is_0(
    asked: str, lost: Callable[[str, int], int]
) -> None:
    comparison = compare(
        made("ABBA" * 2, slower_by(200), metrics=("message",), lost=lost), Gate(judged=(asked,))
    )
    assert verdicts(comparison)[asked] is Verdict.NOT_SLOWER
    assert (comparison.verdict, comparison.exit_code) == (Verdict.NOT_SLOWER, 0)


def test_a_share_that_one_run_a_side_has_is_not_judged() -> None:
    for lost in (a_loses, lambda letter, at: 0):
        assert compare(made("AB", lost=lost), Gate(judged=("message.lost",))).exit_code == 4


# What can't be judged


def test_few_samples_are_not_judged_and_do_not_stand_in_the_way() -> None:
    comparison = compare(made(ABBA, answered=999))
    assert {each.name: each.blocks for each in comparison.unjudged} == {
        f"{metric}.p99": False for metric in ("message", "open", "login")
    }
    assert all("a run has fewer than 1,000 values" in each.reason for each in comparison.unjudged)
    assert set(verdicts(comparison)) == {"message.p50", "open.p50", "login.p50"}
    assert comparison.exit_code == 0
    assert compare(made(ABBA, answered=1_000)).unjudged == ()


def test_what_was_asked_for_by_name_is_needed_for_a_good_end() -> None:
    comparison = compare(made(ABBA, answered=50), Gate(judged=("open.p99", "message.p50")))
    assert [each.blocks for each in comparison.unjudged] == [True]
    assert comparison.exit_code == 4
    assert compare(made(ABBA), Gate(judged=("nothing like it",))).exit_code == 4


def test_a_metric_that_one_side_lacks_is_never_passed_over() -> None:
    def cut(run: RunFigures) -> RunFigures:
        return replace(run, outcomes={name: run.outcomes[name] for name in run.outcomes if name != "login"})

    runs = made(ABBA)
    comparison = compare([cut(run) if run.side is Side.CANDIDATE else run for run in runs])
    assert comparison.exit_code == 4
    assert [each.name for each in comparison.unjudged] == ["login.p50", "login.p99"]
    assert comparison.unjudged[0].reason == "no values in the candidate’s runs"
    nowhere = compare([cut(run) for run in runs])
    assert (nowhere.exit_code, nowhere.unjudged, len(nowhere.judgements)) == (0, (), 4)


def test_percentiles_the_load_generator_can_not_vouch_for_are_left_out_by_name() -> None:
    comparison = compare(made(ABBA, trusted=lambda letter, at: {"message": 95.0, "open": 99.9}))
    (found,) = comparison.unjudged
    assert (found.name, found.blocks) == ("message.p99", False)
    assert "in most runs it is not trusted" in found.reason
    assert comparison.exit_code == 0


def test_a_pair_that_is_not_trusted_drops_out_of_that_row_alone() -> None:
    comparison = compare(made(ABBA, trusted=lambda letter, at: {"message": 95.0} if at == 2 else {}))
    pairs = {each.name: each.pairs for each in comparison.judgements}
    assert pairs.pop("message.p99") == 7
    assert set(pairs.values()) == {8}


def test_nothing_recorded_at_all_is_inconclusive() -> None:
    assert compare(made("ABBA", metrics=())).exit_code == 4


def test_names_are_data() -> None:
    runs = made(
        ABBA, slower_by(30, "log in.p99"), metrics=("log in", "buy", "open"), requests=("log in", "buy")
    )
    comparison = compare(runs)
    assert [each.name for each in comparison.judgements] == [
        "log in.p50", "log in.p99", "buy.p50", "buy.p99", "open.p50", "open.p99"
    ]  # fmt: skip
    assert verdicts(comparison)["log in.p99"] is Verdict.SLOWER
    only = compare(runs, Gate(judged=("buy.p95", "log in")))
    assert [each.name for each in only.judgements] == ["buy.p95", "log in.p50", "log in.p99"]


def test_runs_that_agree_to_the_bucket_are_still_not_infinitely_sure() -> None:
    (found, _) = compare(made("ABBA", scatter=(1.0,), metrics=("open",))).judgements
    assert found.verdict is Verdict.NOT_SLOWER
    assert found.low is not None and found.high is not None
    assert 0.98 < found.low < 1 < found.high < 1.02


# What the load is about must be judged


def with_message(
    runs: list[RunFigures], answered: Callable[[RunFigures], int], metric: str = "message"
) -> list[RunFigures]:
    """The runs with so many answers of one metric."""
    return [
        replace(run, outcomes={**run.outcomes, metric: outcomes(20, answered=answered(run))}) for run in runs
    ]


def blocking(comparison: Comparison) -> list[str]:
    return [each.name for each in comparison.unjudged if each.blocks]


def test_how_fast_connections_open_says_nothing_about_requests() -> None:
    """Requests of which a run had 15 were judged by nothing, and `open.p50` alone called B *not slower*."""
    runs = with_message(made(ABBA), lambda run: 15)
    comparison = compare(runs)
    assert (comparison.verdict, comparison.exit_code) == (Verdict.INCONCLUSIVE, 4)
    assert blocking(comparison) == ["message.p50", "message.p99"]
    assert set(verdicts(comparison).values()) == {Verdict.NOT_SLOWER}
    assert compare(runs, Gate(judged=("open",))).exit_code == 0


def test_where_nothing_but_connections_is_made_they_are_enough() -> None:
    assert compare(made(ABBA, metrics=("open",))).exit_code == 0
    assert compare(made(ABBA, metrics=("open", "login"), answered=100)).exit_code == 0


def test_requests_of_which_no_time_is_trusted_block() -> None:
    comparison = compare(made(ABBA, trusted=lambda letter, at: {"message": 0.0}))
    assert (comparison.exit_code, blocking(comparison)) == (4, ["message.p50", "message.p99"])


def test_one_of_several_requests_that_is_judged_is_enough() -> None:
    runs = made(ABBA, metrics=("message", "buy", "open"), requests=("message", "buy"))
    comparison = compare(with_message(runs, lambda run: 15, "buy"))
    assert (comparison.exit_code, blocking(comparison)) == (0, [])


def test_values_that_only_b_lacks_are_not_passed_over() -> None:
    """A slow build answers less in the same time, so its p99 dropped out of the comparison."""

    def answered(few: set[str], letter: str = "B") -> Callable[[RunFigures], int]:
        return lambda run: 730 if run.side.letter == letter and run.name in few else 1_020

    every = {f"{letter}{number}" for letter in "AB" for number in range(1, 9)}
    runs = made(ABBA)
    comparison = compare(with_message(runs, answered(every)))
    assert (comparison.exit_code, blocking(comparison)) == (4, ["message.p99"])
    (reason,) = (each.reason for each in comparison.unjudged)
    assert reason == "the candidate’s runs have fewer than 1,000 values, unlike the baseline’s"
    for one_run in (answered({"B3"}), answered(every, "A")):
        by_chance = compare(with_message(runs, one_run))
        assert (by_chance.exit_code, blocking(by_chance)) == (0, [])
        assert [each.name for each in by_chance.unjudged] == ["message.p99"]


def test_fewer_openings_of_a_build_that_drops_fewer_connections_do_not_block() -> None:
    comparison = compare(
        with_message(made(ABBA), lambda run: 1_020 if run.side is Side.BASELINE else 730, "open")
    )
    assert (comparison.exit_code, blocking(comparison)) == (0, [])
    assert [each.name for each in comparison.unjudged] == ["open.p99"]


@pytest.mark.parametrize(("level", "code"), [(0.0, 4), (50.0, 0)])
def test_a_request_of_which_only_bs_runs_vouch_for_nothing_blocks(level: float, code: int) -> None:
    """As where B's answers overlap, so that it can't be proved which belongs to which request."""
    runs = made(
        ABBA,
        metrics=("message", "buy", "open"),
        requests=("message", "buy"),
        trusted=lambda letter, at: {"buy": level} if letter == "B" else {},
    )
    comparison = compare(runs)
    assert comparison.exit_code == code
    assert blocking(comparison) == (["buy.p50", "buy.p99"] if code else [])


# Which runs


def test_drift_is_no_build_when_runs_alternate_and_is_allowed_for_when_they_do_not() -> None:
    assert compare(made(ABBA, drift=0.01)).exit_code == 0
    in_blocks = compare(made("A" * 8 + "B" * 8, drift=0.01))
    assert in_blocks.verdict is Verdict.INCONCLUSIVE
    assert "did not alternate" in in_blocks.warnings[0]
    assert compare(made("A" * 8 + "B" * 8, slower_by(60))).verdict is Verdict.SLOWER


def test_runs_that_are_not_valid_are_left_out_and_named() -> None:
    runs = made(ABBA, invalid=("B3",))
    wild = [run if run.valid else replace(run, outcomes={"open": outcomes(2_000)}) for run in runs]
    comparison = compare(wild)
    assert comparison == compare(runs)
    assert comparison.exit_code == 0
    assert {each.name for each in comparison.excluded} == {"A3", "B3"}
    assert len(comparison.pairs) == 7


def test_a_side_without_valid_runs() -> None:
    comparison = compare(made("ABBA", invalid=("B1", "B2")))
    assert (comparison.verdict, comparison.exit_code) == (Verdict.NO_VALID_RUNS, 3)
    assert comparison.judgements == ()
    assert {each.name for each in comparison.excluded} == {"A1", "A2", "B1", "B2"}
    assert (comparison.used, comparison.pairs, comparison.unjudged) == ((), (), ())
    assert (comparison.basis, comparison.gate) == (Basis.NONE, Gate())
    runs = [replace(run, conditions={"users": run.name}) for run in made("AB", invalid=("A1", "B1"))]
    assert compare(runs).warnings == ("the runs differ in users: A1 in the baseline; B1 in the candidate",)
    assert compare([]).exit_code == 3


def test_unlike_conditions_become_warnings() -> None:
    runs = [replace(run, conditions={"users": "100" if run.name == "B2" else "50"}) for run in made("ABBA")]
    assert compare(runs).warnings == ("the runs differ in users: 50 in A1, A2, B1; 100 in B2",)


@pytest.mark.parametrize("order", ["A" * 9 + "B", "B" * 9 + "A"])
def test_one_lost_message_of_a_single_run_against_many_is_chance(order: str) -> None:
    runs = made(
        order,
        metrics=("message",),
        answered=1000,
        lost=lambda letter, at: int(letter == "B" and at in (0, 9)),
    )
    assert verdicts(compare(runs, Gate(judged=("message.p50",))))["message.lost"] is not Verdict.FAILS_MORE


# One run a side


def test_one_run_a_side_is_not_judged_without_knowing_how_runs_scatter() -> None:
    """It assumed 4.9 %, and at a real 20 % called builds slower or faster in 45 % of cases."""
    for slower in (0, 10, 100):
        comparison = compare(made("AB", slower_by(slower)))
        assert (comparison.basis, comparison.exit_code) == (Basis.NONE, 4)
        assert {each.low for each in comparison.judgements} == {None}
        assert all(each.change > 0 for each in comparison.judgements)


def test_a_scatter_that_is_stated_is_taken_for_known() -> None:
    gate = Gate(judged=("message.p50",), scatter=(("", 0.05),))
    comparison = compare(made("AB", slower_by(40), scatter=(1.0,)), gate)
    (found,) = comparison.judgements
    assert (comparison.basis, comparison.exit_code) == (Basis.STATED, 1)
    reach = 1.75069 * math.sqrt(2) * 0.05 + math.log(1.01)  # z(0.96), and a run of drift
    assert found.low == pytest.approx(1.4 * math.exp(-reach), rel=1e-3)
    assert (
        compare(made("AB", slower_by(40), scatter=(1.0,)), replace(gate, scatter=(("", 0.3),))).exit_code == 4
    )


def test_a_scatter_can_be_stated_by_percentile_and_statistic() -> None:
    gate = Gate(scatter=(("p50", 0.02), ("message.p99", 0.2)))
    comparison = compare(made("AB", slower_by(25), scatter=(1.0,)), gate)
    assert verdicts(comparison) == {
        "message.p50": Verdict.SLOWER, "message.p99": Verdict.INCONCLUSIVE,
        "open.p50": Verdict.SLOWER, "login.p50": Verdict.SLOWER,
    }  # fmt: skip
    assert {each.name for each in comparison.unjudged} == {"open.p99", "login.p99"}


def test_one_run_against_many_is_judged_by_the_many() -> None:
    same, slow = (compare(made("AAAAAAAA" + "B", slower_by(by))) for by in (0, 60))
    assert same.basis is slow.basis is Basis.RUNS
    assert len(same.used) == 9 and same.pairs == ()
    assert same.exit_code in (0, 4)
    assert (slow.verdict, slow.exit_code) == (Verdict.SLOWER, 1)
    assert slow.judgements[0].baseline == pytest.approx(20 * MS, rel=0.02)


def test_pairs_are_used_where_they_leave_few_runs_unused() -> None:
    assert compare(made("ABBA" + "A")).basis is Basis.PAIRS
    assert compare(made("ABBA" + "A" * 6)).basis is Basis.RUNS


# Symmetry


@settings(deadline=None, max_examples=30)
@given(st.floats(0.5, 2.0))
def test_swapping_the_sides_turns_the_change_over(factor: float) -> None:
    def swapped(run: RunFigures) -> RunFigures:
        return replace(run, side=Side.CANDIDATE if run.side is Side.BASELINE else Side.BASELINE)

    runs = made(ABBA, slower_by(100 * factor - 100))
    there, back = compare(runs), compare([swapped(run) for run in runs])
    for one, other in zip(there.judgements, back.judgements, strict=True):
        assert one.change == pytest.approx(1 / other.change)
        assert one.baseline == pytest.approx(other.candidate)
