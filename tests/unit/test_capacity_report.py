"""What a search found, in words, tables and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.made_runs import make_run, second

from wsload.exit_codes import ExitCode
from wsload.judge.capacity.comparison import contrast
from wsload.judge.capacity.search import Outcome, SearchPlan, State, look
from wsload.judge.capacity.step import StepFigures
from wsload.measure.names import Kind
from wsload.report.capacity.capacity import CapacityReport, SearchedSide
from wsload.report.capacity.html import chart_data, render
from wsload.report.capacity.sentences import findings, headline
from wsload.report.capacity.tables import steps_table
from wsload.report.capacity.text import as_json, as_text, markdown

PLAN = SearchPlan(low=100, high=1_600)
Server = Callable[[float], Outcome]


def holding(capacity: float, trusted_to: float = 1e9) -> Server:
    def server(rate: float) -> Outcome:
        if rate > trusted_to:
            return Outcome.UNTRUSTED
        return Outcome.HOLDS if rate <= capacity else Outcome.FAILS

    return server


def side(server: Server, *, letter: str = "A", plan: SearchPlan = PLAN, most: int = 100) -> SearchedSide:
    steps: list[StepFigures] = []
    while len(steps) < most and (rate := look(plan, [each.step for each in steps]).next_rate) is not None:
        outcome = server(rate)
        steps.append(
            StepFigures(
                rate=rate,
                number=len(steps) + 1,
                outcome=outcome,
                reason={
                    Outcome.FAILS: "message.p99 212 ms",
                    Outcome.UNTRUSTED: "it was late",
                    Outcome.FEW: "message.p99: 9 values",
                }.get(outcome, ""),
                remedy={Outcome.UNTRUSTED: "use --processes 2", Outcome.FEW: "use a longer -t"}.get(
                    outcome, ""
                ),
                achieved=rate,
                p50_ns=1_000_000,
                p99_ns=2_000_000,
                trusted_up_to=90 if outcome is Outcome.UNTRUSTED else 100,
            )
        )
    found = look(plan, [each.step for each in steps])
    return SearchedSide(letter=letter, name=f"v{letter}", how="server", look=found, steps=tuple(steps))


def report(*sides: SearchedSide, plan: SearchPlan = PLAN) -> CapacityReport:
    both = [[step.step for step in each.steps] for each in sides]
    return CapacityReport(
        path=Path("search"),
        started_s=0.0,
        plan=plan,
        checks=("message.p99 < 50ms", "lost < 1"),
        load="50 users",
        sides=sides,
        contrast=contrast(plan, *both) if len(sides) == 2 else None,
    )


@pytest.mark.parametrize(
    ("found", "state", "said", "code"),
    [
        (
            side(holding(700)),
            State.FOUND,
            r"Holds [67]\d\d/s \(between 6\d\d/s and 7\d\d/s\), fails at",
            ExitCode.OK,
        ),
        (side(holding(9_000)), State.ABOVE, "Holds 1,600/s, the top of the range", ExitCode.OK),
        (
            side(holding(5)),
            State.BELOW,
            "Does not hold 100/s, the bottom of the range: message.p99 212 ms",
            ExitCode.FAILED,
        ),
        (
            side(holding(9_000, trusted_to=500)),
            State.GAVE_OUT,
            r"Holds at least 400/s: the load generator reached its limit first, at \d+/s: "
            r"it was late \(use --processes 2\)",
            ExitCode.UNTRUSTED,
        ),
        (
            side(holding(9_000, trusted_to=5)),
            State.GAVE_OUT,
            "Has no known capacity: the load generator reached its limit first, at 200/s: it was late",
            ExitCode.UNTRUSTED,
        ),
        (
            side(lambda rate: Outcome.FEW),
            State.FEW,
            r"Has no known capacity: too few values, at 1,600/s: message.p99: 9 values \(use a longer -t\)",
            ExitCode.INCONCLUSIVE,
        ),
        (
            side(lambda rate: Outcome.FEW if rate > 300 else Outcome.HOLDS),
            State.FEW,
            "Holds at least 200/s: too few values, at 400/s: ",
            ExitCode.INCONCLUSIVE,
        ),
        (
            side(holding(700), most=3),
            State.SEARCHING,
            r"Holds between \d+/s and [\d,]+/s, by 3 steps of a search that was not finished",
            ExitCode.INCONCLUSIVE,
        ),
        (side(holding(700), most=0), State.SEARCHING, "Has not been searched yet", ExitCode.INCONCLUSIVE),
    ],
    ids=lambda value: str(value) if isinstance(value, State) else "",
)
def test_each_end_of_a_search_is_one_sentence_and_one_exit_code(
    found: SearchedSide, state: State, said: str, code: ExitCode
) -> None:
    made = report(found)
    assert found.look.state is state
    assert re.match(said, headline(made)), headline(made)
    assert made.exit_code is code
    assert headline(made) in " ".join(as_text(made).split())


def test_a_search_that_ran_out_of_steps_says_so() -> None:
    plan = SearchPlan(low=100, high=1_600, most_steps=4)
    made = report(side(holding(700), plan=plan), plan=plan)
    assert "which is all that 4 steps could tell" in headline(made)
    assert made.exit_code is ExitCode.INCONCLUSIVE


def test_users_are_whole_and_have_no_rate() -> None:
    plan = SearchPlan(low=10, high=160, whole=True)
    assert " users (between " in headline(report(side(holding(70), plan=plan), plan=plan))


@pytest.mark.parametrize(
    ("b", "said", "code"),
    [
        (500, r"B \(vB\) holds [\d.]+ % to [\d.]+ % less than A \(vA\)", ExitCode.FAILED),
        (1_100, r"B \(vB\) holds [\d.]+ % to [\d.]+ % more than A \(vA\)", ExitCode.OK),
        (700, r"B \(vB\) holds at least as much as A \(vA\), or at most [\d.]+ % less", ExitCode.OK),
        (665, r"Can't tell which holds more: B \(vB\) holds between", ExitCode.INCONCLUSIVE),
    ],
)
def test_two_builds_are_told_apart_with_an_interval(b: float, said: str, code: ExitCode) -> None:
    made = report(side(holding(700)), side(holding(b), letter="B"))
    assert re.match(said, headline(made)), headline(made)
    assert made.exit_code is code
    assert [each[:7] for each in findings(made)] == ["A (vA) ", "B (vB) "]
    assert json.loads(as_json(made))["contrast"]["verdict"]


@pytest.mark.parametrize(
    ("capacity", "said", "code"),
    [
        (9_000, "A (vA) and B (vB) both hold 1,600/s, the top of the range", ExitCode.OK),
        (5, "Neither A (vA) nor B (vB) holds 100/s, the bottom of the range", ExitCode.FAILED),
    ],
)
def test_two_builds_beyond_the_range(capacity: float, said: str, code: ExitCode) -> None:
    made = report(side(holding(capacity)), side(holding(capacity), letter="B"))
    assert (headline(made), made.exit_code) == (said, code)


def test_where_the_load_generator_gave_out_two_builds_are_not_told_apart() -> None:
    made = report(side(holding(9_000, trusted_to=500)), side(holding(9_000, trusted_to=500), letter="B"))
    assert made.exit_code is ExitCode.UNTRUSTED


def test_the_table_has_every_step_and_marks_what_is_not_trusted() -> None:
    made = report(side(holding(700, trusted_to=790)))
    table = steps_table(made)
    assert len(table.rows) == len(made.sides[0].steps)
    (late, *_) = [row for row in table.rows if row[-1] == "not trusted"]
    assert late[3:5] == ("(1.00)", "(2.00)")
    assert table.notes and markdown(made).count("\n|") == len(table.rows) + 2


def test_the_page_says_which_servers_were_loaded_and_what_has_to_hold() -> None:
    one = render(report(side(holding(700)))).decode()
    assert '<span class="target">server</span>; 50 users' in one
    assert "<code>lost &lt; 1</code> <span>required</span>" in one
    two = render(report(side(holding(700)), side(holding(500), letter="B"))).decode()
    assert 'A (vA): <span class="target">server</span>; B (vB): <span class="target">server</span>; 50' in two


@pytest.mark.parametrize(
    ("gone", "labels"), [(False, ["message.p99 < 50ms"]), (True, ["message.p99 < 50ms", "open.p50 < 1s"])]
)
def test_only_bounds_of_what_is_drawn_are_drawn(tmp_path: Path, gone: bool, labels: list[str]) -> None:
    """Where the runs are gone, what stood for them is not known."""
    found = side(holding(700))
    if not gone:
        names = {"message": Kind.REQUEST}
        run = make_run(tmp_path, [second(0, [1.0] * 50, names=names)]).name
        found = replace(found, steps=(replace(found.steps[0], run=run), *found.steps[1:]))
    checks = ("message.p99 < 50ms", "open.p50 < 1s", "lost < 1")
    data = chart_data(replace(report(found), path=tmp_path, checks=checks))
    assert [each["label"] for each in data["bounds"]] == labels
