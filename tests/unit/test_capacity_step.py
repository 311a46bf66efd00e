"""Judging a step: what its run's checks, trust and rate make of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made_runs import MS, TRUSTED, UNTRUSTED, make_run, second

from wsload.judge.capacity.search import Outcome
from wsload.judge.capacity.step import judged
from wsload.judge.figures.summary import summarize
from wsload.measure.histogram import Histogram
from wsload.measure.names import LAGGED, UNLAGGED, Kind
from wsload.results.reader import open_run
from wsload.results.run import CheckOutcome, CheckState, RunWarning
from wsload.results.trust import Standing, Trust

LATE = "not trusted: it includes the load generator's own lateness; message is trusted up to p75"
SHORT = RunWarning(name="shortfall", text="a tenth was never begun", invalidates=True)


def checked(state: CheckState, expression: str = "message.p99 < 50ms", reason: str = "") -> CheckOutcome:
    return CheckOutcome(expression=expression, state=state, wanted="< 50 ms", got="42 ms", reason=reason)


def judge(
    place: Path,
    *,
    took_ms: float = 30,
    late: bool = False,
    open_load: bool = True,
    per_offer: float | None = 1.0,
    **run: Any,
) -> tuple[Outcome, str, str]:
    """The outcome of a run of a second, offered 600 and answered 600."""
    values = Histogram.of([round(took_ms * MS)] * 600)
    histograms = {"message": values}
    if late:
        histograms |= {"message" + LAGGED: values, "message" + UNLAGGED: Histogram.of([MS] * 600)}
    offered = run.pop("offered", 600)
    plan = run.pop("plan", [check.expression for check in run.get("checks", ())])
    path = make_run(place, [second(0, histograms=histograms, names={"message": Kind.REQUEST})], **run)
    found = open_run(path)
    info = replace(found.info, workload={"kind": "open" if open_load else "closed"})
    totals = found.totals()
    return judged(
        info,
        found.problems,
        totals,
        summarize(totals),
        checks=plan,
        offered=offered,
        per_offer=per_offer,
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
        (30, "message.p99.9 < 50ms", Outcome.UNTRUSTED),  # of too few values
    ],
)
def test_a_percentile_that_is_low_enough_with_the_lateness_in_it_holds(
    tmp_path: Path, took_ms: float, expression: str, outcome: Outcome
) -> None:
    checks = (checked(CheckState.UNJUDGED, expression, LATE),)
    found, reason, _ = judge(tmp_path, took_ms=took_ms, late=True, checks=checks, trust=UNTRUSTED)
    assert found is outcome
    assert reason == "" or ": it includes the load generator's own lateness" in reason


def test_an_open_load_of_which_a_part_is_not_answered_is_not_held(tmp_path: Path) -> None:
    outcome, reason, _ = judge(tmp_path, offered=700)
    assert (outcome, reason) == (Outcome.FAILS, "answered 600/s, 85.7 % of the load")
    assert judge(tmp_path, offered=650)[0] is Outcome.HOLDS
    assert judge(tmp_path, offered=700, per_offer=0.85)[0] is Outcome.HOLDS  # not every task asks
    assert judge(tmp_path, offered=700, per_offer=None)[0] is Outcome.HOLDS
    assert judge(tmp_path, offered=700, open_load=False)[0] is Outcome.HOLDS


def test_a_part_that_a_late_load_generator_may_have_kept_says_nothing_of_the_server(tmp_path: Path) -> None:
    trust = replace(TRUSTED, standing=Standing.PARTLY, up_to={"message": 90.0}, remedy="use --processes 4")
    found = judge(tmp_path, offered=700, trust=trust)
    assert found == (Outcome.UNTRUSTED, "answered 600/s, 85.7 % of the load", "use --processes 4")


def test_a_server_that_lets_nobody_in_does_not_hold_the_load(tmp_path: Path) -> None:
    nobody = Trust(standing=Standing.FAILED, verdict="Failed at start: nobody could connect")
    assert judge(tmp_path, trust=nobody)[:2] == (Outcome.FAILS, "Failed at start: nobody could connect")


def test_a_run_that_was_killed_is_not_trusted(tmp_path: Path) -> None:
    assert judge(tmp_path, trust=None)[0] is Outcome.UNTRUSTED
    assert judge(tmp_path, trust=TRUSTED)[0] is Outcome.HOLDS
