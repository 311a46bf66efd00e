"""One run after the other: what is kept, what is made again, and what a break leaves behind."""

from __future__ import annotations

import errno
import io
import itertools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made_runs import make_run, second
from support.serving import Serving
from support.stored_runs import store_run
from websockets.asyncio.server import ServerConnection

from wsload.commands.ab.conduct import MAX_INVALID, Conductor
from wsload.commands.ab.experiment import CALIBRATION, DISCARDED, Experiment, Outcome, StopReason, load
from wsload.commands.ab.judging import clear_in, report_of
from wsload.commands.ab.plan import ExperimentPlan, Slot
from wsload.commands.ab.progress import ProgressDisplay, unknown
from wsload.commands.cli.compare import Format
from wsload.commands.cli.conducting import COMPARISON
from wsload.commands.cli.conducting import conduct as conduct_and_tell
from wsload.commands.harness.builds import Build
from wsload.commands.harness.load import Load, Target
from wsload.commands.harness.place import LOCUST_LOG, STAGE
from wsload.errors import NothingMeasured, NotWritten, Untrusted, UsageError, WsloadError
from wsload.exit_codes import ExitCode
from wsload.judge.compare.sequential import PLANNED
from wsload.judge.compare.verdict import Gate, Verdict
from wsload.measure.names import NO_FILES
from wsload.report.comparison.html import render
from wsload.report.comparison.sentences import headline
from wsload.report.comparison.tables import judgements_table
from wsload.report.comparison.text import as_text
from wsload.results import files
from wsload.results.reader import open_run
from wsload.results.server_figures import SERVER, ServerFigures
from wsload.results.trust import Standing, Trust
from wsload.results.window import Stretch

LATE = "Not trusted: sends were late: p99 12 ms"


async def stay(connection: ServerConnection) -> None:
    await connection.wait_closed()


@pytest.fixture
def plan(serving: Serving) -> ExperimentPlan:
    url = f"ws://127.0.0.1:{serving.websocket(stay)}"
    return ExperimentPlan(
        a=Build(name="v1", url=url),
        b=Build(name="v2", url=url),
        locustfile="chat.py",
        users=20,
        spawn_rate=20,
        run_time_s=12,
        warm_up_s=0,
        pairs=3,
        gate=Gate(judged=("message.p50", "message.p99")),
    )


class Loader:
    """Stands for Locust: stores runs at once, as told run by run."""

    def __init__(self, *, slower: float = 1.0, told: Mapping[int, Any] | None = None) -> None:
        self.slower = slower
        self.told = dict(told or {})
        """By number of the load, from 1: a `Load` without a run, an exception, or False for a run
        that is not valid."""
        self.cores: list[frozenset[int]] = []
        self.made: list[tuple[str, str]] = []
        """Name and place of each load."""

    def __call__(
        self,
        plan: ExperimentPlan,
        targets: Sequence[Target],
        *,
        log: Path,
        check: Callable[[], None],
        cores: frozenset[int],
        **_: Any,
    ) -> list[Load]:
        check()
        log.write_text("what locust said\n")
        self.cores.append(cores)
        return [self._load(target) for target in targets]

    def _load(self, target: Target) -> Load:
        self.made.append((target.name, target.results.name))
        told = self.told.get(len(self.made), True)
        if isinstance(told, Load):
            return told
        if isinstance(told, BaseException):
            raise told
        factor = self.slower if target.name == "v2" else 1.0
        path = store_run(target.results, target.name, at=len(self.made), factor=factor, valid=told)
        return Load(run=open_run(path), problem="" if told else LATE)


class Notes:
    """A follower that writes down what it is told."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self.again: list[tuple[int, str]] = []
        self.outcomes: list[Outcome] = []
        self.counts: list[int] = []

    def step(self, experiment: Experiment, slots: Sequence[Slot], doing: str) -> None:
        self.steps.append((" ".join(f"{slot.letter}{slot.number}" for slot in slots), doing))

    def repeated(self, experiment: Experiment, slot: Slot, reason: str) -> None:
        self.again.append((slot.number, reason))

    def made(self, experiment: Experiment, slot: Slot, outcome: Outcome, summary: Mapping[str, Any]) -> None:
        self.outcomes.append(outcome)
        self.counts.append(summary["metrics"]["message"]["count"])


@pytest.fixture
def conduct(tmp_path: Path) -> Callable[..., Conductor]:
    def conduct(
        experiment: Experiment | ExperimentPlan, loader: Loader, notes: Notes | None = None
    ) -> Conductor:
        if isinstance(experiment, ExperimentPlan):
            experiment = Experiment(plan=experiment, created_at=1732278960.0)
        return Conductor(
            tmp_path,
            experiment,
            listener=notes or Notes(),
            is_clear=clear_in(tmp_path),
            environment={},
            load=loader,
        )

    return conduct


Conduct = Callable[..., Conductor]


def test_all_runs_are_made_in_order_and_kept_with_their_logs(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    loader, notes = Loader(), Notes()
    conductor = conduct(replace(plan, warm_up_s=2), loader, notes)
    conductor.go_on()
    assert [name for name, place in loader.made if place == "measured"] == [
        "v1",
        "v2",
        "v2",
        "v1",
        "v1",
        "v2",
    ]
    assert [place for _, place in loader.made][:4] == ["warm-up", "measured", "warm-up", "measured"]
    assert notes.steps[:3] == [("A1", "starting the server"), ("A1", "warming up"), ("A1", "measuring")]
    assert notes.counts == [2400] * 6
    done = load(tmp_path)
    assert done == conductor.experiment
    assert done.ended is StopReason.PLANNED
    for outcome in done.done:
        assert (tmp_path / outcome.run / "run.json").is_file()
        assert (tmp_path / outcome.run / LOCUST_LOG).read_text() == "what locust said\n"
    assert not (tmp_path / STAGE).exists()
    assert not (tmp_path / DISCARDED).exists()  # the warm-ups are gone


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps processes on cores")
def test_the_load_is_kept_on_its_cores(plan: ExperimentPlan, conduct: Conduct) -> None:
    core = max(os.sched_getaffinity(0))
    loader = Loader()
    conduct(replace(plan, pairs=2, pin=f"load={core}"), loader).go_on()
    assert loader.cores == [frozenset((core,))] * 4


def test_a_run_that_is_not_valid_is_made_again(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    notes = Notes()
    conductor = conduct(plan, Loader(told={2: False, 3: Load(run=None, problem="locust died")}), notes)
    conductor.go_on()
    assert notes.again == [(2, LATE), (2, "locust died")]
    second = conductor.experiment.done[1]
    assert second.valid and second.repeated == (LATE, "locust died")
    assert sorted(path.name for path in (tmp_path / DISCARDED).iterdir()) == ["run-02-B", "run-02-B.2"]
    assert len(list(tmp_path.glob("*/run.json"))) == 6
    warnings = report_of(tmp_path, conductor.experiment).warnings
    assert [f"was repeated: {LATE}" in each for each in warnings[-2:]] == [True, False]


def test_one_that_is_never_valid_keeps_its_place_and_is_excluded(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    conductor = conduct(replace(plan, repeats=1), Loader(told={1: False, 2: False}))
    conductor.go_on()
    assert [outcome.valid for outcome in conductor.experiment.done] == [False, *[True] * 5]
    report = report_of(tmp_path, conductor.experiment)
    assert len(report.comparison.pairs) == 2
    assert {each.name for each in report.comparison.excluded} == {
        outcome.run for outcome in conductor.experiment.done[:2]
    }


def test_one_that_never_leaves_results_ends_the_experiment(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    died = Load(run=None, problem="locust ended with exit code 9 and left no results")
    conductor = conduct(plan, Loader(told={3: died, 4: died, 5: died}))
    with pytest.raises(WsloadError, match=r"run 3 \(B\) failed every time: locust ended with exit code 9"):
        conductor.go_on()
    assert len(load(tmp_path).done) == 2


def test_what_was_measured_before_a_break_is_kept_and_gone_on_from(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        conduct(plan, Loader(told={4: KeyboardInterrupt()})).go_on()
    kept = load(tmp_path)
    assert [outcome.slot for outcome in kept.done] == [1, 2, 3]
    assert kept.missing().startswith("3 of 6 runs were made, 1 of 3 pairs are complete")
    assert [path.name for path in (tmp_path / DISCARDED).iterdir()] == ["run-04-A"]

    loader = Loader()
    loader.made = [("", "")] * 10  # the runs that it makes are later ones
    conductor = conduct(kept, loader)
    conductor.go_on()
    assert [name for name, _ in loader.made[10:]] == ["v2", "v1", "v1", "v2"]  # run 3 is made again
    assert conductor.experiment.done[:2] == kept.done[:2]
    assert (tmp_path / DISCARDED / kept.done[2].run).is_dir()
    assert len(list(tmp_path.glob("*/run.json"))) == 6


def test_what_a_killed_one_left_half_done_is_set_aside(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    (tmp_path / STAGE).mkdir()
    conduct(plan, Loader()).go_on()
    assert (tmp_path / DISCARDED / "cut-short").is_dir()


NO_ANSWER = Trust(standing=Standing.NOTHING, verdict="Nothing was measured: not one request was answered")


class Silent(Loader):
    """Some builds answer nothing in the first ``loads`` loads."""

    def __init__(self, *names: str, failure: tuple[str, str] | None = None, loads: int = 99) -> None:
        super().__init__()
        self.names = names
        self.failures = {} if failure is None else {failure: 9}
        self.loads = loads

    def _load(self, target: Target) -> Load:
        if target.name not in self.names or len(self.made) >= self.loads:
            return super()._load(target)
        self.made.append((target.name, target.results.name))
        made = make_run(
            target.results, [second(0, failures=self.failures)], build=target.name, trust=NO_ANSWER
        )
        return Load(run=open_run(made), problem=NO_ANSWER.verdict)


@pytest.mark.parametrize("side_by_side", [False, True])
def test_a_build_that_answers_nothing_ends_the_experiment_at_once(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path, side_by_side: bool
) -> None:
    """It was repeated as not valid, and after six attempts ended with 3, which a CI job may let pass."""
    loader = Silent("v2", failure=("message", "timeout"))
    with pytest.raises(NothingMeasured) as caught:
        conduct(replace(plan, side_by_side=side_by_side), loader).go_on()
    assert str(caught.value) == f"the load got no answer from B (v2): {NO_ANSWER.verdict}"
    assert caught.value.exit_code == ExitCode.NOTHING_MEASURED
    assert [name for name, _ in loader.made] == ["v1", "v2"]
    assert (tmp_path / DISCARDED / "run-02-B").is_dir()
    assert load(tmp_path).ended is None


@pytest.mark.parametrize(("side_by_side", "said"), [(False, r"A \(v1\)"), (True, r"A \(v1\) and B \(v2\)")])
def test_a_load_that_gets_no_answer_at_all_ends_the_experiment(
    plan: ExperimentPlan, conduct: Conduct, side_by_side: bool, said: str
) -> None:
    with pytest.raises(NothingMeasured, match=f"the load got no answer from {said}: Nothing was measured"):
        conduct(replace(plan, side_by_side=side_by_side), Silent("v1", "v2")).go_on()


@pytest.mark.parametrize(
    ("failure", "valid"), [(None, False), (("open", NO_FILES), False), (("open", NO_FILES), True)]
)
def test_one_of_two_sides_on_which_the_load_generator_may_have_opened_nothing_is_made_again(
    plan: ExperimentPlan, conduct: Conduct, failure: tuple[str, str] | None, valid: bool
) -> None:
    loader = Silent("v2", failure=failure, loads=2)
    loader.told = {1: valid}
    conductor = conduct(replace(plan, side_by_side=True), loader)
    conductor.go_on()
    assert conductor.experiment.ended is StopReason.PLANNED
    assert conductor.experiment.done[1].repeated == (NO_ANSWER.verdict,)


def test_a_side_that_opens_nothing_while_the_other_is_served_is_not(
    plan: ExperimentPlan, conduct: Conduct
) -> None:
    loader = Silent("v2")
    with pytest.raises(NothingMeasured, match=r"got no answer from B \(v2\)"):
        conduct(replace(plan, side_by_side=True), loader).go_on()
    assert len(loader.made) == 2


def test_a_load_generator_that_is_always_too_busy_for_both_sides_can_not_be_trusted(
    plan: ExperimentPlan, conduct: Conduct
) -> None:
    loader = Silent("v2")
    loader.told = dict.fromkeys(range(1, 99), False)
    with pytest.raises(Untrusted, match="6 attempts in a row were not valid"):
        conduct(replace(plan, side_by_side=True, repeats=10), loader).go_on()
    assert len(loader.made) == 2 * MAX_INVALID


# An experiment that is not finished


@pytest.mark.parametrize(
    ("slower", "verdict", "code", "said"),
    [
        (1.0, Verdict.INCONCLUSIVE, 4, "is slower than A (v1): the experiment is not finished"),
        (2.0, Verdict.SLOWER, 1, "B (v2) is slower than A (v1)"),
    ],
)
def test_an_experiment_that_is_not_finished_may_show_b_to_be_slower_but_not_to_be_no_slower(
    plan: ExperimentPlan,
    conduct: Conduct,
    tmp_path: Path,
    slower: float,
    verdict: Verdict,
    code: int,
    said: str,
) -> None:
    """`wsload ab` ended with 4 when it was interrupted, and `wsload compare` with 0 afterwards."""
    loader = Loader(slower=slower, told={17: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        conduct(replace(plan, pairs=10), loader).go_on()
    report = report_of(tmp_path, load(tmp_path))
    assert (report.comparison.verdict, report.comparison.exit_code) == (verdict, code)
    assert said in headline(report)
    each = {judgement.verdict for judgement in report.comparison.judgements}
    assert each == {Verdict.SLOWER if code == 1 else Verdict.NOT_SLOWER}


def test_a_clock_that_is_set_back_meanwhile_does_not_mix_up_the_pairs(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    conductor = conduct(plan, Loader())
    conductor.go_on()
    names = [outcome.run for outcome in conductor.experiment.done]
    for name in names[1:]:
        info = open_run(tmp_path / name).info
        (tmp_path / name / "run.json").write_bytes(replace(info, started_at=info.started_at - 3600).to_json())
        counts = tmp_path / name / "counters.jsonl"
        lines = [json.loads(line) for line in counts.read_text("utf-8").splitlines()]
        counts.write_text("".join(json.dumps(line | {"t": line["t"] - 3600}) + "\n" for line in lines))
    report = report_of(tmp_path, load(tmp_path))
    assert report.comparison.pairs == ((names[0], names[1]), (names[3], names[2]), (names[4], names[5]))
    assert [run.name for run in report.runs] == names


# A full disk


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def full(*_: object, **__: object) -> None:
    raise full_disk()


def fill_the_disk(monkeypatch: pytest.MonkeyPatch, is_full: Callable[[Path], bool]) -> None:
    """Fails the writes for which this is true."""
    replace_file = files.replace_file

    def write(path: Path, data: bytes) -> None:
        if is_full(path):
            full()
        replace_file(path, data)

    monkeypatch.setattr(files, "replace_file", write)


def test_a_full_disk_ends_the_experiment_and_it_can_be_continued(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = itertools.count()
    fill_the_disk(monkeypatch, lambda _: next(count) > 3)
    conductor = conduct(plan, Loader())
    with pytest.raises(NotWritten, match=r"the experiment can't be written \(No space left") as caught:
        conductor.go_on()
    assert caught.value.exit_code == ExitCode.BROKEN
    assert conductor.experiment == load(tmp_path)  # what is said to be kept is what is stored
    assert len(conductor.experiment.done) == 3
    monkeypatch.undo()
    conductor = conduct(load(tmp_path), Loader())
    conductor.go_on()
    assert len(conductor.experiment.done) == 6


@pytest.mark.parametrize(
    ("place", "kept"), [("shutil.copyfile", 2), ("pathlib.Path.rename", 2), ("pathlib.Path.mkdir", 4)]
)
def test_it_is_one_line_wherever_it_is_met(
    plan: ExperimentPlan,
    conduct: Conduct,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    kept: int,
) -> None:
    class Filling(Loader):
        def __call__(self, *args: Any, **settings: Any) -> list[Load]:
            made = super().__call__(*args, **settings)
            if len(self.made) > 2:
                monkeypatch.setattr(place, full)
            return made

    conductor = conduct(replace(plan, side_by_side=True), Filling())
    with pytest.raises(NotWritten, match=r"can't be written \(No space left on device\)"):
        conductor.go_on()
    monkeypatch.undo()
    assert len(load(tmp_path).done) == kept


def test_how_to_go_on_is_said(
    plan: ExperimentPlan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Conductor.__init__, "__kwdefaults__", {"load": Loader(told={4: full_disk()})})
    experiment = Experiment(plan=plan, created_at=1732278960.0)
    with pytest.raises(NotWritten):
        conduct_and_tell(tmp_path, experiment, format_=Format.TERMINAL)
    said = capsys.readouterr().err
    assert f"To continue: wsload ab --resume {tmp_path}" in said and "3 of 6 runs were made" in said


def test_a_page_that_can_not_be_written_costs_no_runs(
    plan: ExperimentPlan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Conductor.__init__, "__kwdefaults__", {"load": Loader()})
    fill_the_disk(monkeypatch, lambda path: path.name == COMPARISON)
    experiment = Experiment(plan=plan, created_at=1732278960.0)
    with pytest.raises(NotWritten, match=r"comparison\.html.*No space left"):
        conduct_and_tell(tmp_path, experiment, format_=Format.TERMINAL)
    assert f"All runs are kept. To compare them: wsload compare {tmp_path}" in capsys.readouterr().err
    assert len(load(tmp_path).done) == 6


# Stopping early


def test_a_clear_verdict_stops_an_experiment_that_may(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    loader = Loader(slower=2.0)
    conductor = conduct(replace(plan, pairs=10, stop_early=True), loader)
    conductor.go_on()
    experiment = load(tmp_path)
    assert experiment.ended is StopReason.EARLY
    assert 3 <= experiment.whole_pairs < 10
    assert len(experiment.done) == 2 * experiment.whole_pairs == len(loader.made)
    comparison = report_of(tmp_path, experiment).comparison
    assert comparison.verdict is Verdict.SLOWER
    # Judged at the level of a look on the way, so the looks that were taken are paid for.
    assert comparison.gate.alpha == experiment.plan.looks.early * plan.gate.alpha
    assert report_of(tmp_path, experiment, gate=Gate(ratio=5)).comparison.verdict is not Verdict.SLOWER


def test_and_no_other_does(plan: ExperimentPlan, conduct: Conduct, tmp_path: Path) -> None:
    conductor = conduct(replace(plan, pairs=4), Loader(slower=2.0))
    conductor.go_on()
    assert conductor.experiment.ended is StopReason.PLANNED
    report = report_of(tmp_path, conductor.experiment)
    assert report.comparison.gate == replace(plan.gate, alpha=PLANNED * plan.gate.alpha)


def test_through_to_its_end_it_is_judged_at_the_last_looks_level(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        conduct(replace(plan, stop_early=True), Loader(told={5: KeyboardInterrupt()})).go_on()
    report = report_of(tmp_path, load(tmp_path))
    looks = replace(plan, stop_early=True).looks
    assert report.comparison.gate.alpha == looks.last * plan.gate.alpha
    assert report.warnings[-1].startswith("the experiment is not finished: 4 of 6 runs")


def test_nothing_can_be_said_of_an_experiment_without_runs(plan: ExperimentPlan, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="side A has no runs"):
        report_of(tmp_path, Experiment(plan=plan, created_at=0.0))


# Pairs that are added


def test_pairs_are_added_to_an_experiment_and_judged_with_what_was_kept_for_them(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    conduct(plan, Loader(slower=1.05)).go_on()
    loader = Loader(slower=1.05)
    loader.made = [("", "")] * 10  # the runs that it makes are later ones
    conductor = conduct(load(tmp_path).extended(4), loader)
    conductor.go_on()
    assert [name for name, _ in loader.made[10:]] == ["v2", "v1", "v1", "v2", "v2", "v1", "v1", "v2"]
    assert conductor.experiment.ended is StopReason.PLANNED
    comparison = report_of(tmp_path, conductor.experiment).comparison
    assert comparison.gate.alpha == pytest.approx(PLANNED * (1 - PLANNED) * plan.gate.alpha)
    assert {each.pairs for each in comparison.judgements} == {7}
    assert load(tmp_path).extended(2).more == (4, 2)


def test_all_pairs_that_are_added_are_made_even_where_the_planned_ones_may_stop_early(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    conduct(replace(plan, stop_early=True), Loader(slower=1.05)).go_on()
    loader = Loader(slower=2.0)
    loader.made = [("", "")] * 10  # the runs that it makes are later ones
    conductor = conduct(load(tmp_path).extended(4), loader)
    conductor.go_on()
    assert len(conductor.experiment.done) == 14
    assert conductor.experiment.ended is StopReason.PLANNED
    assert load(tmp_path).extended(2).more == (4, 2)


def test_what_is_left_of_an_experiment_that_stopped_early_can_be_compared(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    conduct(replace(plan, pairs=10, stop_early=True), Loader(slower=2.0)).go_on()
    experiment = load(tmp_path)
    assert (experiment.ended, experiment.whole_pairs) == (StopReason.EARLY, 3)
    (tmp_path / experiment.done[0].run / "summary.json").unlink()
    assert len(report_of(tmp_path, experiment).comparison.pairs) == 2
    none = report_of(tmp_path, experiment, stretch=Stretch(from_s=3600.0))
    assert none.comparison.exit_code == ExitCode.UNTRUSTED
    assert "Nothing can be compared" in as_text(none)


def test_an_experiment_of_which_one_pair_is_valid_says_so(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    conductor = conduct(replace(plan, pairs=2, repeats=0), Loader(slower=3.0, told={2: False}))
    conductor.go_on()
    report = report_of(tmp_path, conductor.experiment)
    assert len(report.comparison.pairs) == 1
    assert report.comparison.exit_code == ExitCode.INCONCLUSIVE
    assert "One run per side can't tell" in as_text(report)


def test_an_experiment_whose_stages_have_one_valid_pair_each_is_shown(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    conduct(replace(plan, pairs=2, repeats=0), Loader(slower=3.0, told={4: False})).go_on()
    loader = Loader(slower=3.0, told={14: False})
    loader.made = [("", "")] * 10
    conductor = conduct(load(tmp_path).extended(2), loader)
    conductor.go_on()
    report = report_of(tmp_path, conductor.experiment)
    assert report.comparison.exit_code == ExitCode.INCONCLUSIVE
    assert "Can't tell yet" in as_text(report)
    assert "t tell yet whether" in render(report).decode()


# Both runs of a pair at the same time


def test_side_by_side_both_runs_of_a_pair_are_made_at_once(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    notes = Notes()
    conductor = conduct(replace(plan, side_by_side=True, warm_up_s=2), Loader(slower=2.0), notes)
    conductor.go_on()
    assert notes.steps[:3] == [
        ("A1 B2", "starting both servers"),
        ("A1 B2", "warming up"),
        ("A1 B2", "measuring"),
    ]
    assert ("B3 A4", "measuring") in notes.steps  # B is started first in every other pair
    assert [outcome.slot for outcome in notes.outcomes] == [1, 2, 3, 4, 5, 6]
    assert conductor.experiment.ended is StopReason.PLANNED
    report = report_of(tmp_path, load(tmp_path))
    assert len(report.comparison.pairs) == 3
    assert report.comparison.verdict is Verdict.SLOWER
    assert not (tmp_path / STAGE).exists()
    assert not (tmp_path / DISCARDED).exists()


@pytest.mark.parametrize(("share", "crowded"), [(0.1, False), (64.0, True)])
def test_side_by_side_a_machine_without_room_for_both_is_named(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path, share: float, crowded: bool
) -> None:
    conductor = conduct(replace(plan, side_by_side=True), Loader())
    conductor.go_on()
    for outcome in conductor.experiment.done:
        figures = ServerFigures(
            command="serve",
            url="ws://127.0.0.1:1",
            exit_code=None,
            cpu_s=1.0,
            cpu_share=share,
            memory_peak_bytes=1,
            processes=1,
            every_s=1.0,
        )
        (tmp_path / outcome.run / SERVER).write_bytes(figures.to_json())
    warnings = report_of(tmp_path, conductor.experiment).warnings
    assert any("reduce the load" in each for each in warnings) == crowded


def test_side_by_side_a_pair_is_made_again_when_one_run_is_not_valid(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    notes = Notes()
    conductor = conduct(replace(plan, side_by_side=True, pairs=2), Loader(told={2: False}), notes)
    conductor.go_on()
    assert len(notes.again) == 1
    assert [len(outcome.repeated) for outcome in conductor.experiment.done].count(1) == 1
    assert sorted(path.name for path in (tmp_path / DISCARDED).iterdir()) == ["run-01-A", "run-02-B"]
    assert len(list(tmp_path.glob("*/run.json"))) == 4


@pytest.mark.parametrize("error", [KeyboardInterrupt(), WsloadError("the server ended")])
def test_side_by_side_an_interruption_keeps_whole_pairs(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        conduct(replace(plan, side_by_side=True), Loader(told={4: error})).go_on()
    kept = load(tmp_path)
    assert [outcome.slot for outcome in kept.done] == [1, 2]
    assert not (tmp_path / STAGE).exists()
    conductor = conduct(kept, Loader())
    conductor.go_on()
    assert conductor.experiment.ended is StopReason.PLANNED


# Pairs of A and A


class NoServer:
    """Stands for a server that is started."""

    url = "ws://127.0.0.1:1"

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> NoServer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def check(self) -> None:
        pass

    def measure(self, expected_s: float) -> None:
        pass

    def figures(self) -> None:
        return None


@pytest.fixture
def started(plan: ExperimentPlan, monkeypatch: pytest.MonkeyPatch) -> ExperimentPlan:
    """The plan side by side, with servers that it starts."""
    monkeypatch.setattr("wsload.commands.ab.conduct.Server", NoServer)
    a, b = (replace(each, url="ws://127.0.0.1:{port}", command="serve {port}") for each in (plan.a, plan.b))
    return replace(plan, a=a, b=b, side_by_side=True)


def test_calibrations_are_spread_over_the_pairs_and_are_no_pairs(
    started: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    notes, loader = Notes(), Loader(slower=2.0)
    conductor = conduct(replace(started, pairs=6, calibrations=2), loader, notes)
    conductor.go_on()
    made = [name for name, _ in loader.made]
    pairs = [made[at : at + 2] for at in range(0, len(made), 2)]
    both, again = {"v1", "v2"}, {"v1", "v1 again"}
    assert list(map(set, pairs)) == [both, both, again, both, both, again, both, both]
    assert [pairs[2][0], pairs[5][0]] == ["v1", "v1 again"]  # they change places, too
    assert [outcome.slot for outcome in notes.outcomes] == list(range(1, 13))
    kept = load(tmp_path)
    assert len(kept.calibrated) == 2 and all(each.valid for each in kept.calibrated)
    for each in kept.calibrated:
        assert open_run(tmp_path / CALIBRATION / each.a).info.build == "v1"
        assert open_run(tmp_path / CALIBRATION / each.b).info.build == "v1 again"
    comparison = report_of(tmp_path, kept).comparison
    assert comparison.verdict is Verdict.SLOWER and len(comparison.pairs) == 6
    assert all(0.97 < each.calibration < 1.03 for each in comparison.judgements if not each.is_share)
    assert not any("with A on both sides" in each for each in comparison.warnings)
    (said,) = (each for each in judgements_table(report_of(tmp_path, kept)).notes if "on both sides" in each)
    assert said.startswith("With A on both sides, the change was: message.p50 ")


@pytest.mark.parametrize(("pairs", "calibrations"), [(2, 1), (5, 4), (10, 3), (16, 2)])
def test_as_many_calibrations_are_made_as_were_planned(
    started: ExperimentPlan, conduct: Conduct, tmp_path: Path, pairs: int, calibrations: int
) -> None:
    wanted = replace(started, pairs=pairs, calibrations=calibrations)
    conduct(wanted, Loader()).go_on()
    kept = load(tmp_path)
    assert (len(kept.calibrated), kept.whole_pairs) == (calibrations, pairs)
    assert kept.extended(pairs).calibrations == 2 * calibrations  # as many for those that are added


def test_nothing_stops_an_experiment_early_before_the_sides_were_compared(
    started: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    conduct(replace(started, pairs=10, calibrations=1, stop_early=True), Loader(slower=3.0)).go_on()
    kept = load(tmp_path)
    assert kept.ended is StopReason.EARLY and kept.whole_pairs < 6
    assert len(kept.calibrated) == 1


def test_a_calibration_that_lost_messages_tells_nothing_of_what_was_lost(
    started: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    class Lossy(Loader):
        def _load(self, target: Target) -> Load:
            if target.name != "v1 again":
                return super()._load(target)
            self.made.append((target.name, target.results.name))
            metrics = ("open", "message")  # and no login
            path = store_run(target.results, target.name, at=len(self.made), lost=20, metrics=metrics)
            return Load(run=open_run(path), problem="")

    conduct(replace(started, pairs=4, calibrations=1, gate=Gate()), Lossy()).go_on()
    comparison = report_of(tmp_path, load(tmp_path)).comparison
    found = {each.name: each.calibration for each in comparison.judgements}
    assert found["login.p50"] is None and found["message.p99"] is None
    assert found["message.p50"] == pytest.approx(1, abs=0.05)
    assert all(each.low is not None and each.low > 0.5 for each in comparison.judgements if not each.is_share)


def test_a_bias_between_the_sides_widens_the_bounds(
    started: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    class Uneven(Loader):
        """The second side is slower, whatever runs there."""

        def _load(self, target: Target) -> Load:
            again = target.name == "v1 again"
            found = super()._load(replace(target, name="v2" if again else target.name))
            if again and found.run is not None:
                info = replace(found.run.info, build=target.name)
                (found.run.path / "run.json").write_bytes(info.to_json())
            return found

    conduct(replace(started, pairs=8, calibrations=1), Uneven(slower=1.3)).go_on()
    comparison = report_of(tmp_path, load(tmp_path)).comparison
    assert comparison.verdict is Verdict.INCONCLUSIVE
    (warning,) = (each for each in comparison.warnings if each.startswith("with A on both sides"))
    assert "message.p50 by 3" in warning and "the sides differed by more than chance explains" in warning


def test_a_calibration_that_is_not_valid_is_made_again_and_at_last_left_out(
    started: ExperimentPlan, conduct: Conduct, tmp_path: Path
) -> None:
    bad = dict.fromkeys((3, 5, 7), False)
    conduct(replace(started, pairs=2, calibrations=1), Loader(told=bad)).go_on()
    kept = load(tmp_path)
    (calibration,) = kept.calibrated
    assert not calibration.valid and len(kept.done) == 4
    judgements = report_of(tmp_path, kept).comparison.judgements
    assert judgements and all(each.calibration is None for each in judgements)


# Runs that are of no use


@pytest.mark.parametrize(("repeats", "done"), [(0, 5), (2, 1)])
def test_attempts_that_are_all_not_valid_end_the_experiment(
    plan: ExperimentPlan, conduct: Conduct, tmp_path: Path, repeats: int, done: int
) -> None:
    loader = Loader(told=dict.fromkeys(range(1, 99), False))
    conductor = conduct(replace(plan, pairs=10, repeats=repeats), loader)
    with pytest.raises(Untrusted, match=f"6 attempts in a row were not valid.*{LATE}") as caught:
        conductor.go_on()
    assert caught.value.exit_code == ExitCode.UNTRUSTED
    assert len(loader.made) == MAX_INVALID
    assert len(load(tmp_path).done) == done
    assert load(tmp_path).ended is None  # it can be resumed, when the machine is quieter


@pytest.mark.parametrize(("slower", "code"), [(2.0, ExitCode.FAILED), (1.0, ExitCode.UNTRUSTED)])
def test_what_was_shown_before_attempts_were_all_not_valid_is_said(
    plan: ExperimentPlan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    slower: float,
    code: ExitCode,
) -> None:
    loader = Loader(slower=slower, told=dict.fromkeys(range(9, 99), False))
    monkeypatch.setattr(Conductor.__init__, "__kwdefaults__", {"load": loader})
    experiment = Experiment(plan=replace(plan, pairs=10), created_at=1732278960.0)
    assert conduct_and_tell(tmp_path, experiment, format_=Format.TERMINAL) == code
    said = capsys.readouterr()
    assert "6 attempts in a row were not valid" in said.err and "To continue: wsload ab --resume" in said.err
    assert "4 pairs of runs" in said.out
    assert load(tmp_path).valid_pairs == 4


@pytest.mark.parametrize(("judged", "advised"), [(("message",), True), (("message", "message.p99.9"), False)])
def test_more_pairs_are_advised_only_where_they_can_settle_it(
    plan: ExperimentPlan,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    judged: tuple[str, ...],
    advised: bool,
) -> None:
    """No number of pairs gives a run the 10,000 values that a p99.9 takes."""
    monkeypatch.setattr(Conductor.__init__, "__kwdefaults__", {"load": Loader()})
    gate = Gate(judged=judged, same_within=0.03, shift_ns=0)
    experiment = Experiment(plan=replace(plan, pairs=2, gate=gate), created_at=1732278960.0)
    assert conduct_and_tell(tmp_path, experiment, format_=Format.TERMINAL) == ExitCode.INCONCLUSIVE
    assert ("More pairs may settle it" in capsys.readouterr().err) == advised


def test_one_that_is_valid_in_between_keeps_it_going(plan: ExperimentPlan, conduct: Conduct) -> None:
    loader = Loader(told={1: False, 2: False, 4: False, 5: False, 7: False, 8: False})
    conduct(plan, loader).go_on()
    assert len(loader.made) == 12


# What is shown on the way


def test_without_a_terminal_each_run_is_a_line(
    plan: ExperimentPlan,
    conduct: Conduct,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with ProgressDisplay(6) as shown:
        conduct(replace(plan, repeats=1), Loader(told={1: False, 2: False}), shown).go_on()
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert lines[0] == f"run 1, A (v1), will be repeated: {LATE}"
    assert lines[1].startswith("run 1 of 6, A (v1): message p50 2.5")
    assert "not valid, so its pair does not count; about " in lines[1]
    assert lines[-1].startswith("run 6 of 6, B (v2): message p50") and "left" not in lines[-1]
    assert len(lines) == 7


def test_a_name_to_judge_that_the_first_run_lacks_is_said_at_once(
    plan: ExperimentPlan,
    conduct: Conduct,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shares = ("message.lost", "message.failed", "open.failed")
    gate = Gate(judged=("message", "message.p95", "mesage.p99", *shares))
    with ProgressDisplay(6) as shown:
        conduct(replace(plan, gate=gate), Loader(), shown).go_on()
    said = [line for line in capsys.readouterr().err.splitlines() if "--judge" in line]
    assert said == ["--judge mesage.p99: the first run has no such name; it has login, message and open"]


def test_what_only_ever_failed_may_be_judged_too() -> None:
    summary = {"metrics": {"open": {}}, "failures": {"buy: refused": 3, "shop:\\ sell: timeout": 1}}
    asked = ["buy.failed", "buy.p99", "shop: sell.lost", "sell.failed", "open.lost", "buy.min"]
    assert unknown(asked, summary) == ["sell.failed", "buy.min"]


def test_on_a_terminal_there_is_a_bar_with_the_time_left(plan: ExperimentPlan, conduct: Conduct) -> None:
    terminal = io.StringIO()
    with ProgressDisplay(6, file=terminal, terminal=True) as shown:
        conduct(plan, Loader(), shown).go_on()
    said = terminal.getvalue()
    assert "run 6, B (v2): measuring" in said
    assert "5 of 6 runs" in said
    assert "left" in said
