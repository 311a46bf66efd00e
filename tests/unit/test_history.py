from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made_runs import STARTED_AT, TRUSTED, UNTRUSTED, make_run, second

from wsload.judge.run.history import RunLine, builds, run_line
from wsload.judge.run.standing import standing
from wsload.results.reader import open_run
from wsload.results.run import CheckOutcome, CheckState, RunInfo
from wsload.results.trust import Standing, Trust

INFO = RunInfo(build="v1", target="", started_at=STARTED_AT, trust=TRUSTED)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def line(build: str, at: int, p50: int, *, standing: Standing = Standing.TRUSTED) -> RunLine:
    return RunLine(
        name=f"{at}-{build}",
        build=build,
        started_at=float(at),
        users=1,
        request="message",
        rate=1.0,
        p50_ns={"message": p50},
        p99_ns={"message": 2 * p50},
        checks={},
        standing=standing,
    )


def test_a_line_says_what_the_run_was(tmp_path: Path) -> None:
    checks = tuple(
        CheckOutcome(expression="lost < 1", state=state, wanted="", got="")
        for state in (CheckState.PASSED, CheckState.FAILED, CheckState.PASSED)
    )
    path = make_run(tmp_path, [second(0, [1.0] * 200, gauges={"users": 7})], checks=checks)
    run = open_run(path)
    found = run_line(path.name, run.info, run.problems, run.summary())
    assert (found.build, found.users, found.rate, found.checks) == (
        "v1",
        7,
        200.0,
        {CheckState.PASSED: 2, CheckState.FAILED: 1},
    )
    assert found.p50_ns["message"] == found.p99_ns["message"] == pytest.approx(1e6, rel=0.001)
    assert found.standing is Standing.TRUSTED


def test_what_is_not_trusted_is_in_no_line_and_in_no_builds_median() -> None:
    summary = {
        "metrics": {"message": {"count": 5_000, "p50_ns": 1_000_000, "p99_ns": 90_000_000, "rate": 1.0}},
        "names": {"message": "request"},
    }
    trust = replace(TRUSTED, standing=Standing.PARTLY, up_to={"message": 95.0})
    partly = run_line("x", replace(INFO, trust=trust), (), summary)
    assert (partly.p50_ns, partly.p99_ns) == ({"message": 1_000_000}, {})
    whole = run_line("y", INFO, (), summary)
    (found,) = builds([partly, whole, whole])
    assert (found.p50_ns, found.p99_ns) == ({"message": 1_000_000}, {"message": 90_000_000})


@given(json_values | st.fixed_dictionaries({"metrics": json_values, "peaks": json_values}))
def test_whatever_a_foreign_summary_holds_makes_a_line(summary: object) -> None:
    found = run_line("x", INFO, (), summary)  # type: ignore[arg-type]
    assert all(type(value) is int for value in found.p50_ns.values())


@pytest.mark.parametrize(
    "standing", [each for each in Standing if each not in (Standing.TRUSTED, Standing.PARTLY)]
)
def test_a_build_is_the_median_of_its_trusted_runs(standing: Standing) -> None:
    lines = [line("a", at, p50) for at, p50 in enumerate((10, 30, 20))]
    (found,) = builds([*lines, line("a", 9, 999, standing=standing)])
    assert (found.p50_ns, found.p99_ns, found.trusted, len(found.runs)) == (
        {"message": 20},
        {"message": 40},
        3,
        4,
    )


def test_builds_come_in_the_order_of_their_first_runs_even_when_they_alternate() -> None:
    lines = [line("b", 1, 1), line("a", 2, 1), line("a", 3, 1), line("b", 4, 1), line("a", 0, 1)]
    assert [(each.build, len(each.runs)) for each in builds(lines)] == [("a", 3), ("b", 2)]


def test_a_build_without_a_trusted_run_has_no_figures() -> None:
    (found,) = builds([line("a", 0, 1, standing=Standing.INCOMPLETE)])
    assert found.p50_ns == {}


@pytest.mark.parametrize(
    ("trust", "problems", "expected"),
    [
        (TRUSTED, (), Standing.TRUSTED),
        (TRUSTED, ("summary.json is missing",), Standing.INCOMPLETE),
        (None, (), Standing.INCOMPLETE),
        (UNTRUSTED, (), Standing.UNTRUSTED),
        (UNTRUSTED, ("summary.json is missing",), Standing.UNTRUSTED),
    ],
)
def test_the_worst_that_is_known_of_a_run_is_its_standing(
    trust: Trust | None, problems: tuple[str, ...], expected: Standing
) -> None:
    info = RunInfo(build="", target="", started_at=0.0, trust=trust)
    assert standing(info, problems) is expected
