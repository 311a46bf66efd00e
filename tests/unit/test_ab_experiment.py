from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.commands.ab.experiment import (
    EXPERIMENT,
    Experiment,
    Outcome,
    StopReason,
    load,
    save,
)
from wsload.commands.ab.plan import ExperimentPlan
from wsload.commands.harness.builds import Build
from wsload.commands.harness.place import alone, new_directory
from wsload.errors import ResultsError, UsageError
from wsload.judge.compare.pairs import Side
from wsload.judge.compare.verdict import Gate

PLAN = ExperimentPlan(
    a=Build(name="v1", url="ws://127.0.0.1:{port}", command="one {port}"),
    b=Build(
        name="v2", url="ws://127.0.0.1:{port}", ref="HEAD", commit="0" * 40, setup="make", command="s {port}"
    ),
    locustfile="chat.py",
    users=20,
    spawn_rate=5.5,
    run_time_s=10.0,
    pairs=3,
    stop_early=True,
    options=("--ws-rate", "100"),
    gate=Gate(ratio=0.05, judged=("message.p50", "message.p99")),
)
FRESH = Experiment(plan=PLAN, created_at=1732278960.25)


def outcome(slot: int, **settings: object) -> Outcome:
    return Outcome(slot=slot, run=f"run-{slot}", **{"valid": True, **settings})


def after(runs: int) -> Experiment:
    experiment = FRESH
    for slot in range(1, runs + 1):
        experiment = experiment.with_outcome(outcome(slot))
    return experiment


# What is done and what is left


def test_runs_fill_the_slots_one_after_the_other() -> None:
    assert [slot.letter for slot in after(2).left] == ["B", "A", "A", "B"]
    assert [side for side, _ in after(3).runs()] == [Side.BASELINE, Side.CANDIDATE, Side.CANDIDATE]
    assert after(3).whole_pairs == 1


def test_the_last_run_ends_it() -> None:
    assert after(5).ended is None
    assert after(6).ended is StopReason.PLANNED
    assert after(6).left == ()


def test_one_that_was_stopped_early_has_nothing_left() -> None:
    stopped = replace(after(4), ended=StopReason.EARLY)
    assert stopped.left == ()
    assert stopped.missing() == ""


def test_what_is_missing_is_said() -> None:
    assert after(6).missing() == ""
    assert after(3).missing() == (
        "3 of 6 runs were made, 1 of 3 pairs are complete; missing: 4 (A), 5 (A), 6 (B)"
    )
    assert replace(FRESH, plan=replace(PLAN, pairs=10)).missing().endswith("6 (B), …")


def test_after_a_break_half_a_pair_is_made_again() -> None:
    whole, half = after(3).without_half_pair()
    assert whole == after(2)
    assert half == outcome(3)
    assert after(4).without_half_pair() == (after(4), None)


# Pairs that are added


def test_pairs_are_added_to_what_has_ended_and_go_on_in_turns() -> None:
    longer = after(6).extended(2)
    assert (longer.pairs, longer.ended, longer.whole_pairs) == (5, None, 3)
    assert [slot.letter for slot in longer.left] == ["B", "A", "A", "B"]
    assert [longer.stage(slot) for slot in (1, 6, 7, 10)] == [0, 0, 1, 1]
    assert longer.missing().startswith("6 of 10 runs were made, 3 of 5 pairs are complete")
    again = replace(longer, ended=StopReason.PLANNED).extended(3)
    assert (again.more, again.pairs) == ((2, 3), 8)
    assert [again.stage(slot) for slot in (10, 11, 16)] == [1, 2, 2]
    assert Experiment.from_json(again.to_json()) == again


@pytest.mark.parametrize(
    ("experiment", "pairs", "said"),
    [
        (after(4), 5, "not finished: resume it first .4 of 6 runs were made"),
        (replace(after(4), ended=StopReason.EARLY), 5, "stopped early with a clear verdict"),
        (after(6), 1, "--more 1: from 2 to 197 pairs can be added"),
        (after(6), 198, "--more 198: from 2 to 197"),
    ],
)
def test_where_none_can_be_added_it_is_said(experiment: Experiment, pairs: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        experiment.extended(pairs)


def test_experiments_of_the_schema_before_are_read() -> None:
    old = json.loads(after(2).to_json())
    del old["more"], old["plan"]["directory"]
    every = [f"{metric}.p{p}" for metric in ("open", "login", "message", "delivery") for p in (50, 95, 99)]
    old["plan"]["gate"] = {"ratio": 0.05, "shift_ns": 100_000, "same_within": 0.1, "alpha": 0.05,
                           "run_deviation": 0.049, "drift": 0.01, "judged": every}  # fmt: skip
    found = Experiment.from_json(json.dumps(old | {"schema": 1}).encode())
    assert found == replace(after(2), plan=replace(PLAN, gate=Gate(ratio=0.05, shift_ns=100_000)))
    old["plan"]["gate"]["judged"] = ["message.p99"]
    assert Experiment.from_json(json.dumps(old | {"schema": 1}).encode()).plan.gate.judged == ("message.p99",)


# experiment.json

outcomes = st.builds(
    Outcome,
    slot=st.just(1),
    run=st.text("abcXYZ09.-", min_size=3, max_size=20),
    valid=st.booleans(),
    repeated=st.lists(st.text(st.characters(codec="utf-8")), max_size=2).map(tuple),
    took_s=st.floats(0, 1e6),
).filter(lambda found: found.run not in ("..", "..."))


@given(outcomes, st.sampled_from([None, StopReason.PLANNED]))
def test_what_is_written_is_read_again(found: Outcome, ended: StopReason | None) -> None:
    experiment = replace(FRESH.with_outcome(found), ended=ended)
    assert Experiment.from_json(experiment.to_json()) == experiment


def test_the_file_says_which_run_was_which(tmp_path: Path) -> None:
    save(tmp_path, after(3))
    found = json.loads((tmp_path / EXPERIMENT).read_bytes())
    assert found["schema"] == 2
    assert [(run["pair"], run["side"], run["run"]) for run in found["runs"]] == [
        (1, "A", "run-1"),
        (1, "B", "run-2"),
        (2, "B", "run-3"),
    ]
    assert load(tmp_path) == after(3)


def changed(**changes: object) -> bytes:
    return json.dumps(json.loads(after(2).to_json()) | changes).encode()


def plan_with(**changes: object) -> dict[str, object]:
    return json.loads(FRESH.to_json())["plan"] | changes


RUN = json.loads(after(1).to_json())["runs"][0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (changed(schema=3), "written by a newer wsload .schema 3; this one reads up to 2.: upgrade"),
        (changed(more=[1]), "too many pairs"),
        (changed(more=[2000]), "too many pairs"),
        (changed(more="x"), "invalid literal"),
        (changed(schema="x"), "schema 'x' is unknown"),
        (b"{", "not JSON"),
        (b"[]", "not an experiment"),
        (changed(plan=None), "not an experiment"),
        (changed(runs=[RUN | {"run": "../../etc"}]), "a run outside its own directory"),
        (changed(runs=[RUN | {"run": ".."}]), "a run outside its own directory"),
        (changed(runs=[RUN | {"run": 5}]), "'run' has the wrong type int"),
        (changed(calibrations=[{"a": "../x", "b": "y", "valid": True}]), "a run outside its own directory"),
        (changed(calibrations=[{"a": "x", "b": "", "valid": True}]), "a run outside its own directory"),
        (changed(calibrations=[{"a": "x", "b": 5, "valid": True}]), "'b' has the wrong type int"),
        (changed(calibrations=[{"a": "x"}]), "not an experiment"),
        (changed(calibrations=5), "not an experiment"),
        (changed(calibrations=[{"a": "x", "b": "y", "valid": True}]), "more runs than planned"),
        (changed(runs=[RUN | {"slot": 2}]), "the numbers of its runs don't match its plan"),
        (changed(runs=[RUN | {"slot": at + 1} for at in range(7)]), "more runs than planned"),
        (changed(runs=[RUN | {"valid": 1}]), "'valid' has the wrong type int"),
        (changed(plan=plan_with(users="many")), "'users' has the wrong type str"),
        (changed(plan=plan_with(users=0)), "--users 0"),
        (changed(ended="somehow"), "somehow"),
        (changed(more=[float("inf")]), "not JSON"),
        (changed(created_at=10**400), "not JSON"),
        (changed(created_at=1e300), "'created_at' is not a time"),
        (changed(ended="early"), "marked as stopped early, but its plan has no stopping rule"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / EXPERIMENT).write_bytes(data)
    with pytest.raises(ResultsError, match=said) as caught:
        load(tmp_path)
    assert str(tmp_path / EXPERIMENT) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_keys_of_a_later_wsload_are_ignored() -> None:
    assert Experiment.from_json(changed(mood="good", plan=plan_with(colour="red"))) == after(2)


# Its directory


def test_experiments_of_one_second_get_directories_of_their_own(tmp_path: Path) -> None:
    first, second = (new_directory(tmp_path / "results", 1732278960.9) for _ in range(2))
    assert first.name == "ab-20241122T123600Z"
    assert second.name == "ab-20241122T123600Z.2"


def test_a_results_directory_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"--results .*file.*: can't be written to"):
        new_directory(tmp_path / "file", 0)


def test_two_at_once_on_one_experiment_are_refused(tmp_path: Path) -> None:
    with (
        alone(tmp_path),
        pytest.raises(UsageError, match="in use by another wsload"),
        alone(tmp_path),
    ):
        pass
    with alone(tmp_path):
        pass


def test_one_that_can_not_be_written_to_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(UsageError, match="can't be written to"), alone(tmp_path):
        pass


def test_an_experiment_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere: can't be opened"), alone(tmp_path / "nowhere"):
        pass
    with pytest.raises(ResultsError, match="no such file"):
        load(tmp_path)
