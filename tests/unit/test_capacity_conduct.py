"""One step after the other: what is kept, what is made again, and what a break leaves behind."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made_runs import STARTED_AT, TRUSTED, UNTRUSTED, make_run, second
from support.serving import Serving
from websockets.asyncio.server import ServerConnection

from wsload.commands.capacity.conduct import UNFINISHED, Searcher
from wsload.commands.capacity.judging import report_of
from wsload.commands.capacity.plan import CapacityPlan, Search, Turn
from wsload.commands.capacity.progress import ProgressDisplay, forecast
from wsload.commands.capacity.record import CAPACITY, from_json, load, save, to_json
from wsload.commands.harness.builds import Build
from wsload.commands.harness.load import Load, LoadPlan, Target
from wsload.commands.harness.place import LOCUST_LOG, STAGE
from wsload.errors import NothingMeasured, NotWritten, ResultsError, ServerFailed, UsageError
from wsload.exit_codes import ExitCode
from wsload.judge.capacity.search import Outcome, SearchPlan, State
from wsload.judge.capacity.step import StepFigures
from wsload.judge.compare.pairs import Side
from wsload.measure.names import Kind
from wsload.report.capacity.sentences import headline
from wsload.report.capacity.text import as_json, markdown
from wsload.results.reader import open_run
from wsload.results.run import CheckOutcome, CheckState, RunWarning
from wsload.results.trust import Standing, Trust

STEP = {"side": "A", "rate": 1, "number": 1, "outcome": "holds"}
CHECK = "message.p99 < 50ms"
LATE = RunWarning(
    name="shortfall", text="a tenth was never begun", remedy="use --processes", invalidates=True
)


async def stay(connection: ServerConnection) -> None:
    await connection.wait_closed()


@pytest.fixture
def plan(serving: Serving) -> CapacityPlan:
    return CapacityPlan(
        a=Build(name="v1", url=f"ws://127.0.0.1:{serving.websocket(stay)}"),
        locustfile="load.py",
        checks=(CHECK,),
        search=SearchPlan(low=100, high=1_600),
    )


class Loader:
    """Stands for Locust: stores runs at once, of servers that hold so much."""

    def __init__(self, told: dict[int, Any] | None = None, **holds: float) -> None:
        self.holds = {"v1": 800.0} | holds
        self.told = told or {}
        """By number of the load, from 1: an exception, a `Load`, or a warning that invalidates its run."""
        self.rates: list[tuple[str, float]] = []

    def __call__(
        self, load: LoadPlan, targets: Sequence[Target], *, log: Path, check: Callable[[], None], **_: Any
    ) -> list[Load]:
        (target,) = targets
        name, results = target.name, target.results
        rate = float(
            next(word for word in load.options if word.startswith("--ws-rate=")).removeprefix("--ws-rate=")
        )
        self.rates.append((name, rate))
        log.write_text("what locust said\n")
        told = self.told.get(len(self.rates))
        if isinstance(told, BaseException):
            raise told
        if isinstance(told, Load):
            return [told]
        holds = rate <= self.holds[name]
        took_ms = 5 if holds else 80
        outcome = CheckOutcome(
            expression=CHECK,
            state=CheckState.PASSED if holds else CheckState.FAILED,
            wanted="< 50 ms",
            got=f"{took_ms} ms",
        )
        answers = [took_ms] * round(min(rate, self.holds[name]))
        path = make_run(
            results,
            [second(60 * len(self.rates) + at, answers, names={"message": Kind.REQUEST}) for at in range(2)],
            build=name,
            started_at=STARTED_AT + 60 * len(self.rates),
            trust=UNTRUSTED if told else TRUSTED,
            warnings=(told,) if told else (),
            checks=(outcome,),
        )
        return [Load(run=open_run(path), problem="")]


class Notes:
    def __init__(self) -> None:
        self.doing: list[str] = []
        self.outcomes: list[Outcome] = []

    def step(self, search: Search, turn: Turn, doing: str) -> None:
        self.doing.append(doing)

    def made(self, search: Search, turn: Turn, figures: StepFigures) -> None:
        self.outcomes.append(figures.outcome)


def searcher(
    path: Path, plan: CapacityPlan | Search, loader: Callable[..., list[Load]], notes: Notes | None = None
) -> Searcher:
    search = Search(plan=plan, created_at=1732278960.0) if isinstance(plan, CapacityPlan) else plan
    return Searcher(path, search, listener=notes or Notes(), environment={}, load=loader)


def test_the_steps_are_kept_with_their_runs_and_logs(plan: CapacityPlan, tmp_path: Path) -> None:
    notes = Notes()
    found = searcher(tmp_path, plan, Loader(), notes)
    found.go_on()
    assert load(tmp_path) == found.search
    steps = found.search.of(Side.BASELINE)
    assert [step.rate for step in steps][:4] == [100, 200, 400, 800]
    assert notes.outcomes == [step.outcome for step in steps]
    for step in steps:
        assert (tmp_path / step.run / "run.json").is_file()
        assert (tmp_path / step.run / LOCUST_LOG).read_text() == "what locust said\n"
        assert step.achieved == pytest.approx(min(step.rate, 800), abs=1)
    assert not (tmp_path / STAGE).exists()
    report = report_of(tmp_path, found.search)
    assert report.exit_code is ExitCode.OK
    low, high = report.sides[0].look.low, report.sides[0].look.high
    assert low <= 800 <= high
    assert headline(report).startswith("Holds ") and ": message.p99 80 ms" in headline(report)
    assert json.loads(as_json(report))["sides"][0]["state"] == "found"
    assert markdown(report).count("\n|") == len(steps) + 2


def test_a_step_whose_load_was_not_what_was_asked_is_made_again(plan: CapacityPlan, tmp_path: Path) -> None:
    loader = Loader({2: LATE})
    found = searcher(tmp_path, plan, loader)
    found.go_on()
    assert [rate for _, rate in loader.rates][:3] == [100, 200, 200]
    first, second_, third, *_ = found.search.of(Side.BASELINE)
    assert (first.outcome, second_.outcome, third.outcome) == (
        Outcome.HOLDS,
        Outcome.UNTRUSTED,
        Outcome.HOLDS,
    )
    assert second_.remedy == "use --processes 4"


def test_a_load_generator_that_gives_out_ends_the_search_with_what_to_do(
    plan: CapacityPlan, tmp_path: Path
) -> None:
    loader = Loader(dict.fromkeys(range(3, 20), LATE))
    found = searcher(tmp_path, plan, loader)
    found.go_on()
    report = report_of(tmp_path, found.search)
    assert report.exit_code is ExitCode.UNTRUSTED
    assert headline(report).startswith(
        "Holds at least 200/s: the load generator reached its limit first, at "
    )
    assert headline(report).endswith("(use --processes 4)")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ServerFailed("gone", "")])
def test_what_was_measured_before_a_break_is_kept_and_gone_on_from(
    plan: CapacityPlan, tmp_path: Path, error: BaseException
) -> None:
    interrupted = searcher(
        tmp_path, plan, Loader({1: error} if isinstance(error, ServerFailed) else {3: error})
    )
    with pytest.raises(type(error)):
        interrupted.go_on()
    assert (tmp_path / UNFINISHED / LOCUST_LOG).is_file()
    before = load(tmp_path)
    assert before == interrupted.search
    report = report_of(tmp_path, before)
    assert report.exit_code is ExitCode.INCONCLUSIVE
    resumed = searcher(tmp_path, before, Loader())
    resumed.go_on()
    assert resumed.search.of(Side.BASELINE)[: before.made] == before.of(Side.BASELINE)
    assert report_of(tmp_path, resumed.search).sides[0].look.state is State.FOUND


def test_a_server_that_ends_under_a_load_does_not_hold_it(plan: CapacityPlan, tmp_path: Path) -> None:
    found = searcher(tmp_path, plan, Loader({2: ServerFailed("server A ended with exit code 1", "")}))
    found.go_on()
    step = found.search.of(Side.BASELINE)[1]
    assert (step.outcome, step.reason, step.run) == (Outcome.FAILS, "server A ended with exit code 1", "")


def test_a_first_step_without_an_answer_ends_the_search(plan: CapacityPlan, tmp_path: Path) -> None:
    nobody = Trust(standing=Standing.FAILED, verdict="Failed at start: nobody could connect")
    run = open_run(make_run(tmp_path / "other", [second(0)], trust=nobody))
    with pytest.raises(NothingMeasured, match="nobody could connect"):
        searcher(tmp_path, plan, Loader({1: Load(run=run, problem="")})).go_on()


def test_a_locust_that_left_nothing_is_not_the_servers_fault(plan: CapacityPlan, tmp_path: Path) -> None:
    found = searcher(tmp_path, plan, Loader({1: Load(run=None, problem="locust did not end within 60 s")}))
    found.go_on()
    first = found.search.of(Side.BASELINE)[0]
    assert (first.outcome, first.reason) == (Outcome.UNTRUSTED, "locust did not end within 60 s")


def test_two_builds_are_searched_in_turn(plan: CapacityPlan, tmp_path: Path) -> None:
    both = replace(plan, b=replace(plan.a, name="v2"))
    loader = Loader(v2=600.0)
    found = searcher(tmp_path, both, loader)
    found.go_on()
    assert [name for name, _ in loader.rates][:6] == ["v1", "v2", "v2", "v1", "v1", "v2"]
    report = report_of(tmp_path, load(tmp_path))
    assert report.exit_code is ExitCode.FAILED
    assert "B (v2) holds" in headline(report) and "less than A (v1)" in headline(report)


def test_a_server_that_admits_only_some_users_does_not_hold_more(plan: CapacityPlan, tmp_path: Path) -> None:
    """Its answers to these are as quick as ever, at a part of the rate."""
    users = replace(plan, search=SearchPlan(low=100, high=1_600, whole=True))
    asked: list[int] = []

    def loader(load: LoadPlan, targets: Sequence[Target], *, log: Path, **_: Any) -> list[Load]:
        asked.append(load.users)
        inside = min(load.users, 1_000)
        log.write_text("")
        opened: Any = {"counters": {"opens": inside, "open_failures": 5 * (load.users - inside)}}
        level: Any = {"gauges": {"users": load.users, "connections": inside}}
        path = make_run(
            targets[0].results,
            [
                second(60 * len(asked) + at, [5] * inside, names={"message": Kind.REQUEST}, **opened, **level)
                for at in range(2)
            ],
            started_at=STARTED_AT + 60 * len(asked),
            checks=(CheckOutcome(expression=CHECK, state=CheckState.PASSED, wanted="< 50 ms", got="5 ms"),),
        )
        return [Load(run=open_run(path), problem="")]

    found = searcher(tmp_path, users, loader)
    found.go_on()
    look = report_of(tmp_path, found.search).sides[0].look
    assert look.state is State.FOUND and look.low <= 1_000 <= look.high
    failed = [step for step in found.search.of(Side.BASELINE) if step.outcome is Outcome.FAILS]
    assert failed and all(" users connected: " in step.reason for step in failed)


def test_answers_are_counted_while_the_load_is_due(plan: CapacityPlan, tmp_path: Path) -> None:
    """The second after the run time waits for outstanding answers: it is no part of the rate."""
    answers = [[5] * 100, [5] * 100, [5] * 40]
    seconds = [second(11 + at, each, names={"message": Kind.REQUEST}) for at, each in enumerate(answers)]
    (tmp_path / "search").mkdir()
    run = open_run(make_run(tmp_path / "runs", seconds))
    found = searcher(
        tmp_path / "search", plan, Loader({1: Load(run=run, problem=""), 2: KeyboardInterrupt()})
    )
    with pytest.raises(KeyboardInterrupt):
        found.go_on()
    assert found.search.of(Side.BASELINE)[0].achieved == 100


# What a step is


def test_the_load_of_a_step(plan: CapacityPlan) -> None:
    step = plan.load(250)
    assert step.users == 50 and step.spawn_rate == 50
    assert step.options == ("--ws-warm-up=3s", "--ws-rate=250", f"--ws-check={CHECK}")
    assert "--ws-rate=poisson:250" in replace(plan, poisson=True).load(250).options


def test_a_step_is_longer_where_its_checks_need_more_values(plan: CapacityPlan) -> None:
    short = replace(plan, run_time_s=2)
    assert short.measured_s(100) == pytest.approx(1.2 * 500 / 100)
    assert short.measured_s(1_500) == 2
    assert replace(short, checks=("message.p99.99 < 1s",)).measured_s(100) == 20
    assert short.run_time_of(1_500) == 5


def test_users_are_searched_at_a_rate_of_each_or_at_their_own_pace(plan: CapacityPlan) -> None:
    users = replace(plan, search=SearchPlan(low=10, high=500, whole=True), rate_per_user=0.5)
    assert (users.load(40).users, users.load(40).options[1]) == (40, "--ws-rate=20")
    assert not any("--ws-rate" in word for word in replace(users, rate_per_user=0).load(40).options)
    assert replace(users, rate_per_user=0).measured_s(10) == users.run_time_s


def test_after_too_few_values_a_step_is_as_long_as_they_took(plan: CapacityPlan) -> None:
    """Of users at their own pace how many values they have is not known before."""
    users = replace(plan, search=SearchPlan(low=1, high=1_000, whole=True))
    few = StepFigures(rate=1, number=1, outcome=Outcome.FEW, enough_s=600)
    search = Search(plan=users, created_at=1.0).with_step(Side.BASELINE, few)
    lengths = [search.run_time_of(Turn(side=Side.BASELINE, number=2, rate=rate)) for rate in (1, 6, 20, 300)]
    assert lengths == [103, 103, 33, 13]  # ten times as long as planned at most, with ramp and warm-up
    assert Search(plan=users, created_at=1.0).run_time_of(Turn(side=Side.BASELINE, number=1, rate=1)) == 13


def test_the_time_left_allows_for_steps_that_say_nothing(plan: CapacityPlan) -> None:
    search = Search(plan=plan, created_at=1.0)
    assert search.left_s() == 14 * (13 + 6)
    for number, outcome in enumerate((Outcome.HOLDS, Outcome.UNTRUSTED, Outcome.HOLDS), 1):
        step = StepFigures(rate=100 * number, number=number, outcome=outcome, took_s=10)
        search = search.with_step(Side.BASELINE, step)
    assert search.left_s() == pytest.approx(12 * 1.5 * 10)
    late = StepFigures(rate=800, number=4, outcome=Outcome.UNTRUSTED, took_s=10)
    for _ in range(6):
        search = search.with_step(Side.BASELINE, late)
    assert search.left_s() == pytest.approx((28 - 9) * 10)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"checks": ()}, "--check is missing"),
        ({"checks": ("mesage.p99 < 1s",)}, "did you mean"),
        ({"run_time_s": 0.0}, "--run-time 0: from 1"),
        ({"options": ("--ws-rate", "5")}, "wsload capacity sets it itself"),
        ({"options": ("--ws-bearer", "x")}, "stored in capacity.json"),
    ],
)
def test_a_plan_that_can_not_be_made_is_refused(
    plan: CapacityPlan, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        replace(plan, **changes)


def test_builds_of_one_name_are_refused(plan: CapacityPlan) -> None:
    with pytest.raises(UsageError, match="both builds are called 'v1'"):
        replace(plan, b=plan.a)


# capacity.json


def test_a_stored_search_reads_back_as_it_was(plan: CapacityPlan, tmp_path: Path) -> None:
    found = searcher(
        tmp_path, replace(plan, b=replace(plan.a, name="v2"), options=("--processes", "2")), Loader(v2=700)
    )
    found.go_on()
    assert from_json(to_json(found.search)) == found.search


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found | {"schema": 99}, "takes a newer wsload"),
        (lambda found: found | {"steps": [{"side": "A", "rate": 1, "outcome": "maybe"}]}, "maybe"),
        (
            lambda found: (
                found | {"steps": [{"side": "A", "rate": 1, "number": 1, "outcome": "holds", "run": "../x"}]}
            ),
            "outside",
        ),
        (lambda found: {"schema": 1}, "not a search for a capacity"),
    ],
)
def test_a_file_that_is_none_is_refused(
    plan: CapacityPlan, tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], said: str
) -> None:
    save(tmp_path, Search(plan=plan, created_at=1.0))
    (tmp_path / CAPACITY).write_text(json.dumps(change(json.loads((tmp_path / CAPACITY).read_bytes()))))
    with pytest.raises(ResultsError, match=said):
        load(tmp_path)


# A full disk


def test_a_full_disk_ends_the_search_and_it_can_be_continued(plan: CapacityPlan, tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(NotWritten, match=r"can't be written \(No space left on device\)") as caught:
        searcher(tmp_path, plan, Loader({3: full})).go_on()
    assert caught.value.exit_code == ExitCode.BROKEN
    assert load(tmp_path).made == 2
    found = searcher(tmp_path, load(tmp_path), Loader())
    found.go_on()
    assert found.search.made > 3


def test_a_step_that_could_not_be_saved_is_not_said_to_be_made(
    plan: CapacityPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Filling(Loader):
        def __call__(self, *args: Any, **settings: Any) -> list[Load]:
            made = super().__call__(*args, **settings)
            if len(self.rates) == 3:
                monkeypatch.setattr("wsload.results.files.replace_file", full)
            return made

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    found = searcher(tmp_path, plan, Filling())
    with pytest.raises(NotWritten, match=r"the search can't be written \(No space left"):
        found.go_on()
    assert found.search.made == load(tmp_path).made == 2


# What the user is told


def test_progress_is_a_line_for_each_step_with_what_is_known_and_the_time_left(
    plan: CapacityPlan, tmp_path: Path
) -> None:
    text = io.StringIO()
    with ProgressDisplay(plan, file=text, terminal=False) as display:
        Searcher(
            tmp_path, Search(plan=plan, created_at=1.0), listener=display, environment={}, load=Loader()
        ).go_on()
    lines = text.getvalue().splitlines()
    assert lines[0].startswith("step 1, 100/s: holds: p99 5.0")
    assert "; the capacity is above 100/s; at most " in lines[0] and lines[0].endswith(" left")
    assert any("fails: message.p99 80 ms; the capacity is between " in line for line in lines)
    assert "left" not in lines[-1]


def test_the_forecast_says_what_is_searched_and_how_long_it_takes(plan: CapacityPlan) -> None:
    lines = list(forecast(plan))
    assert lines[1] == (
        "The highest load between 100/s and 1,600/s at which message.p99 < 50ms holds, to ±5 %"
    )
    assert lines[2].startswith(
        "50 users, each step measured for 10 s after 2 s of warm-up; at most 14 steps, about "
    )
