"""Judging a step: what its run's checks, trust and rate make of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made_runs import MS, TRUSTED, UNTRUSTED, make_run, second

from wsload.judge.capacity.offered import Made, Wanted
from wsload.judge.capacity.search import Outcome
from wsload.judge.capacity.step import enough_s, judged
from wsload.measure.histogram import Histogram
from wsload.measure.names import LAGGED, UNLAGGED, Kind
from wsload.results.reader import open_run
from wsload.results.run import CheckOutcome, CheckState, RunWarning
from wsload.results.trust import Standing, Trust

LATE = "not trusted: it includes the load generator's own lateness; message is trusted up to p75"
SHORT = RunWarning(name="shortfall", text="a tenth was never begun", invalidates=True)


def checked(state: CheckState, expression: str = "message.p99 < 50ms", reason: str = "") -> CheckOutcome:
    return CheckOutcome(expression=expression, state=state, wanted="< 50 ms", got="42 ms", reason=reason)


def judge(place: Path, *, took_ms: float = 30, late: bool = False, **run: Any) -> tuple[Outcome, str, str]:
    """The outcome of a closed run of a second, in which 600 requests were answered."""
    values = Histogram.of([round(took_ms * MS)] * 600)
    histograms = {"message": values}
    if late:
        histograms |= {"message" + LAGGED: values, "message" + UNLAGGED: Histogram.of([MS] * 600)}
    plan = run.pop("plan", [check.expression for check in run.get("checks", ())])
    path = make_run(place, [second(0, histograms=histograms, names={"message": Kind.REQUEST})], **run)
    found = open_run(path)
    totals = found.totals()
    return judged(
        replace(found.info, workload={"kind": "closed"}),
        found.problems,
        Made(whole=totals, window=totals, steady=totals),
        leading="message",
        checks=plan,
        wanted=Wanted(users=50),
    )


def test_a_step_holds_when_all_checks_do(tmp_path: Path) -> None:
    assert judge(tmp_path, checks=(checked(CheckState.PASSED),)) == (Outcome.HOLDS, "", "")


def test_a_step_fails_by_the_first_check_that_does(tmp_path: Path) -> None:
    checks = (checked(CheckState.PASSED), checked(CheckState.FAILED, "lost < 1"), checked(CheckState.FAILED))
    assert judge(tmp_path, checks=checks)[:2] == (Outcome.FAILS, "lost 42 ms")


@pytest.mark.parametrize("state", [CheckState.FAILED, CheckState.UNJUDGED])
def test_checks_that_are_not_the_plan_s_steer_nothing(tmp_path: Path, state: CheckState) -> None:
    """Of pyproject.toml, say: they are neither shown nor is a step as long as they need."""
    checks = (checked(state, "lost < 1"), checked(CheckState.PASSED))
    assert judge(tmp_path / "a", checks=checks, plan=["message.p99  <  50ms"])[0] is Outcome.HOLDS
    ended = checked(CheckState.FAILED, "lost <= 9", "so the run was ended (--ws-abort-on 'lost > 9 for 1s')")
    assert judge(tmp_path / "b", checks=(ended,), plan=["message.p99 < 50ms"])[0] is Outcome.FAILS


def test_a_load_that_was_not_what_was_asked_says_nothing_of_the_server(tmp_path: Path) -> None:
    found = judge(tmp_path, checks=(checked(CheckState.FAILED),), warnings=(SHORT,), trust=UNTRUSTED)
    assert found == (Outcome.UNTRUSTED, "late", "use --processes 4")


@pytest.mark.parametrize(
    ("took_ms", "expression", "outcome"),
    [
        (30, "message.p99 < 50ms", Outcome.HOLDS),  # with all of the lateness in it
        (70, "message.p99 < 50ms", Outcome.UNTRUSTED),  # 1 ms without, 70 ms with
        (70, "message.p99 > 50ms", Outcome.UNTRUSTED),
        (30, "message.mean < 50ms", Outcome.UNTRUSTED),
    ],
)
def test_a_percentile_that_is_low_enough_with_the_lateness_in_it_holds(
    tmp_path: Path, took_ms: float, expression: str, outcome: Outcome
) -> None:
    checks = (checked(CheckState.UNJUDGED, expression, LATE),)
    found, reason, _ = judge(tmp_path, took_ms=took_ms, late=True, checks=checks, trust=UNTRUSTED)
    assert found is outcome
    assert reason == "" or ": it includes the load generator's own lateness" in reason


@pytest.mark.parametrize(("values", "standing"), [(10, Standing.FEW), (298, Standing.TRUSTED)])
def test_too_few_values_are_no_fault_of_the_load_generator(
    tmp_path: Path, values: int, standing: Standing
) -> None:
    reason = "too few to judge p99; 500 are enough"
    check = replace(checked(CheckState.UNJUDGED, reason=reason), got=f"{values} values")
    run = [second(0, [1.0] * values, names={"message": Kind.REQUEST})]
    found = open_run(make_run(tmp_path, run, checks=(check,), trust=replace(TRUSTED, standing=standing)))
    totals = found.totals()
    made = Made(whole=totals, window=totals, steady=totals)
    asked: Any = {"leading": "message", "checks": ["message.p99 < 50ms"], "wanted": Wanted(users=1)}
    said = f"message.p99: {values} values, {reason}"
    assert judged(found.info, found.problems, made, **asked) == (Outcome.FEW, said, "use a longer -t")
    assert enough_s(found.info, totals, asked["checks"]) == pytest.approx(1.2 * 500 / values, abs=0.1)


def test_too_few_values_of_a_load_generator_that_was_late_are_not_trusted(tmp_path: Path) -> None:
    check = checked(CheckState.UNJUDGED, "message.p99.9 < 50ms", "too few to judge p99.9; 5,000 are enough")
    found = judge(tmp_path, checks=(check,), trust=UNTRUSTED)
    assert found == (Outcome.UNTRUSTED, "message.p99.9: late", "use --processes 4")


def test_a_server_that_lets_nobody_in_does_not_hold_the_load(tmp_path: Path) -> None:
    nobody = Trust(standing=Standing.FAILED, verdict="Failed at start: nobody could connect")
    assert judge(tmp_path, trust=nobody)[:2] == (Outcome.FAILS, "Failed at start: nobody could connect")


def test_a_run_that_was_killed_is_not_trusted(tmp_path: Path) -> None:
    assert judge(tmp_path, trust=None)[0] is Outcome.UNTRUSTED
    assert judge(tmp_path, trust=TRUSTED)[0] is Outcome.HOLDS
