"""The measured window: which intervals lie in it, live and from the files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made_runs import STARTED_AT, UNTRUSTED, make_run, second

from wsload.commands.cli import main
from wsload.commands.cli.runs import read_lines
from wsload.commands.cli.window import stretch_of
from wsload.errors import UsageError
from wsload.judge.run.causes import cause_of
from wsload.judge.run.checks import evaluate
from wsload.judge.run.grammar import parse_check
from wsload.judge.run.rejudge import process_figures_of
from wsload.load.run.measured import Measured
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import Kind
from wsload.report.chart_data import chart_data
from wsload.report.comparison.runs import read_runs
from wsload.report.conditions import facts
from wsload.report.html import render
from wsload.report.junit import junit
from wsload.report.run_report import read_report
from wsload.results.reader import open_run
from wsload.results.run import CheckOutcome, CheckState, RunWarning
from wsload.results.trust import Standing
from wsload.results.window import WHOLE, Stretch, Window

windows = st.builds(
    Window, from_s=st.integers(0, 12).map(float), to_s=st.none() | st.integers(1, 12).map(float)
)


def run_of(seconds: int) -> list[Interval]:
    """Each second has one request more than the one before; the name is told in the first only."""
    return [
        second(
            at,
            [1.0] * (at + 1),
            counters={"requests": at + 1},
            names={"message": Kind.REQUEST} if not at else {},
        )
        for at in range(seconds)
    ]


@given(windows)
def test_a_window_holds_the_seconds_that_lie_in_it_whole(window: Window) -> None:
    found = Totals.of(window.of(run_of(10), STARTED_AT))
    end = 10 if window.to_s is None else min(int(window.to_s), 10)
    inside = range(int(window.from_s), end)
    assert found.intervals == len(inside)
    assert found.counters["requests"] == sum(at + 1 for at in inside)
    assert found.duration_s == len(inside)
    assert found.names == ({"message": Kind.REQUEST} if inside else {})


def test_the_whole_run_holds_what_a_wrong_clock_put_before_its_start() -> None:
    assert WHOLE.holds(Interval(start_s=STARTED_AT - 5, length_s=1), STARTED_AT)
    assert not Window(from_s=1).holds(Interval(start_s=STARTED_AT - 5, length_s=1), STARTED_AT)


@given(windows)
def test_a_window_is_read_back(window: Window) -> None:
    assert Window.from_json(window.to_json()) == window


@pytest.mark.parametrize("found", [None, 7, {}, {"from_s": "x", "to_s": None}, {"from_s": 1}])
def test_what_is_no_window_is_refused(found: object) -> None:
    with pytest.raises(ValueError, match="'window' is malformed"):
        Window.from_json(found)


# While the run goes on


class Followed(Measured):
    """As in a run, whose writer adds up everything first."""

    def __init__(self, warm_up_s: float = 0.0, *, ramp: bool = False) -> None:
        self.everything = Totals()
        super().__init__(STARTED_AT, warm_up_s, self.everything, ramp=ramp)

    def add(self, interval: Interval) -> bool:
        self.everything.add(interval)
        found = super().add(interval)
        assert self.everything.intervals >= self.totals.intervals
        return found


def totals(measured: Measured) -> tuple[int, int]:
    return measured.totals.intervals, measured.totals.counters["requests"]


def test_before_the_window_begins_all_is_shown_and_from_then_on_only_what_is_in_it() -> None:
    measured = Followed(2.0)
    first = [measured.add(interval) for interval in run_of(3)]
    assert first == [False, False, True]
    assert measured.everything.intervals == 3
    assert totals(measured) == (1, 3)
    assert measured.totals.names == {"message": Kind.REQUEST}
    assert measured.part and measured.finish() is None and measured.window == Window(from_s=2.0)


def test_a_window_that_begins_anew_forgets_what_was_before() -> None:
    measured = Followed()
    run = run_of(6)
    for interval in run[:3]:
        measured.add(interval)
    measured.reset(STARTED_AT + 4)
    for interval in run[3:]:
        measured.add(interval)
    assert totals(measured) == (2, 5 + 6)
    measured.reset(STARTED_AT + 1)  # never back
    assert measured.window.from_s == 4


COUNTED = {"gaps": 0, "books sold": 3, "requests": 5, "buy.late": 1, "buy: it is odd": 2, "late in shop": 4}
"""What is counted in the first second: by the user class, by the core, and for a request or the sampler."""


def counted_in(at: int, **counted: int) -> Interval:
    told = at == 0
    return second(at, counters=COUNTED if told else counted, names={"buy": Kind.REQUEST} if told else {})


def test_a_user_class_s_counters_of_the_warm_up_are_known_in_the_window_at_zero() -> None:
    run = [counted_in(0), counted_in(1), counted_in(2, requests=7), counted_in(3, gaps=1)]
    measured = Followed(2.0)
    for interval in run:
        measured.add(interval)
    wanted = {"gaps": 1, "books sold": 0, "requests": 7}
    assert measured.totals.counters == wanted
    assert Totals.of(Window(from_s=2.0).of(run, STARTED_AT)).counters == wanted
    assert evaluate(parse_check("gaps < 1"), measured.totals).state is CheckState.FAILED
    assert evaluate(parse_check('"books sold" < 1'), measured.totals).state is CheckState.PASSED
    measured.reset(STARTED_AT + 4)  # as Locust's --reset-stats
    measured.add(counted_in(4, requests=1))
    assert measured.totals.counters == {"gaps": 0, "books sold": 0, "requests": 1}


def test_what_a_second_named_that_came_too_late_is_known_too() -> None:
    """One before the window, of a worker whose message was held up."""
    run = [counted_in(2, requests=7), counted_in(0), counted_in(3, requests=1)]
    measured = Followed(2.0)
    for interval in run:
        measured.add(interval)
    for found in (measured.totals, Totals.of(Window(from_s=2.0).of(run, STARTED_AT))):
        assert found.counters == {"gaps": 0, "books sold": 0, "requests": 8}
        assert found.names == {"buy": Kind.REQUEST}


@pytest.mark.parametrize("begun", [(), (2,)])
def test_a_run_that_ends_before_its_window_is_measured_as_far_as_it_went(begun: tuple[int, ...]) -> None:
    measured = Followed()
    for at, interval in enumerate(run_of(5)):
        if at in begun:
            measured.reset(STARTED_AT + at)
        measured.add(interval)
    measured.reset(STARTED_AT + 60)
    warning = measured.finish()
    assert warning is not None and "as Locust reset its statistics, at 1:00: " in warning.text
    assert measured.window.from_s == (begun[0] if begun else 0)
    assert measured.totals.intervals == 5 - (begun[0] if begun else 0)


@pytest.mark.parametrize(
    ("warm_up_s", "ramped_at", "said"),
    [
        (60.0, None, "the run ended during its warm-up of 1 min: the figures cover the warm-up"),
        (0.0, 6, "the run ended during its warm-up of 6 s: the figures cover the warm-up"),
        (0.0, None, "the run ended before all users had started: the figures cover the ramp"),
    ],
)
def test_a_run_that_ends_during_its_warm_up_says_so(
    warm_up_s: float, ramped_at: int | None, said: str
) -> None:
    measured = Followed(warm_up_s, ramp=not warm_up_s)
    for interval in run_of(5):
        measured.add(interval)
    if ramped_at is not None:
        measured.ramped_up(STARTED_AT + ramped_at)
    warning = measured.finish()
    assert warning is not None and warning.text == said
    assert measured.totals.intervals == 5 and measured.window is WHOLE


def test_only_the_first_ramp_is_a_warm_up() -> None:
    """A load shape, a user of the web UI or a worker that joins later starts users again."""
    measured = Followed(ramp=True)
    for at, interval in enumerate(run_of(6)):
        if at in (2, 4):
            measured.ramped_up(STARTED_AT + at)
        measured.add(interval)
    measured.ramped_up(STARTED_AT + 6)
    assert measured.finish() is None
    assert measured.window == Window(from_s=2.0) and totals(measured) == (4, 3 + 4 + 5 + 6)


def test_a_run_without_a_ramp_to_wait_for_has_no_warm_up_by_it() -> None:
    measured = Followed()
    measured.ramped_up(STARTED_AT + 2)
    assert measured.window is WHOLE


def test_a_reset_that_is_earlier_than_the_window_restarts_nothing() -> None:
    measured = Followed()
    measured.reset(STARTED_AT + 2)
    for interval in run_of(5):
        measured.add(interval)
    measured.reset(STARTED_AT + 1)
    measured.add(second(5, [1.0]))
    assert measured.totals.intervals == 4


# From the files


@pytest.mark.parametrize(
    ("begin", "end", "window"),
    [
        ("2s", None, Window(from_s=2)),
        ("0s", None, WHOLE),
        (None, "2m", Window(from_s=30, to_s=120)),
        ("0s", "500ms", Window(to_s=0.5)),
        ("1m", "1.5m", Window(from_s=60, to_s=90)),
    ],
)
def test_a_window_is_asked_for_by_two_options(begin: str, end: str, window: Window) -> None:
    """Without a start, it is the start of the run's own window: the warm-up stays left out."""
    stretch = stretch_of(begin, end)
    assert stretch is not None and stretch.of(Window(from_s=30)) == window
    assert stretch_of(None, None) is None


@pytest.mark.parametrize(
    ("begin", "end", "said"), [("2s", "2s", "--to '2s'"), ("soon", None, "--from 'soon'")]
)
def test_a_mistake_in_them_is_said(begin: str, end: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        stretch_of(begin, end)


def warmed_up(results: Path) -> Path:
    """A run whose first three seconds, its warm-up, are slow."""
    path = make_run(
        results,
        [second(at, [900.0 if at < 3 else 1.0] * 200, names={"message": Kind.REQUEST}) for at in range(10)],
    )
    run = json.loads((path / "run.json").read_bytes())
    (path / "run.json").write_text(json.dumps({**run, "window": {"from_s": 3.0, "to_s": None}}))
    return path


@pytest.mark.parametrize(
    ("options", "count", "slowest"),
    [
        ((), 1_400, 1),
        (("--to=8s",), 1_000, 1),
        (("--from=0s", "--to=8s"), 1_600, 900),
        (("--from=2s",), 1_600, 900),
    ],
)
def test_an_end_alone_leaves_the_warm_up_out_as_the_run_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], count: int, slowest: int
) -> None:
    path = warmed_up(tmp_path)
    stretch = stretch_of(
        *(dict(each[2:].split("=") for each in options).get(name) for name in ("from", "to"))
    )
    report = read_report(path, stretch)
    (line,), _ = read_lines(tmp_path, stretch)
    (compared,) = read_runs([path], [], stretch=stretch)
    assert report.summary.metrics["message"].count == compared.summary.metrics["message"].count == count
    assert line.p50_ns["message"] == report.summary.metrics["message"].p50_ns
    checks = (f"message.count >= {count}", f"message.count <= {count}", f"message.max < {slowest + 1}ms")
    for command in (["check", str(path), *checks], ["export", str(path)]):
        with pytest.raises(SystemExit) as ended:
            main([*command, *options])
        assert not ended.value.code
    assert re.search(rf"Total count += +{count}\]", capsys.readouterr().out)


def test_an_end_before_the_runs_own_window_is_refused_by_the_runs_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = warmed_up(tmp_path)
    history = ["report", "--history", "--results", str(tmp_path)]
    for words in (["check", str(path), "lost < 1"], ["report", str(path)], ["export", str(path)], history):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--to=2s"])
        said = capsys.readouterr().err
        assert ended.value.code == 2 and said.count("\n") == 1, said
        assert f"{path.name} was measured from 0:03 on, and --to 0:02 lies before that: add --from" in said


def test_another_window_of_a_stored_run_is_judged_anew(tmp_path: Path) -> None:
    noticed = RunWarning(name="worker-clock", text="a clock was wrong")
    path = make_run(tmp_path, run_of(10), warnings=(noticed, RunWarning(name="lost", text="3 were lost")))
    assert open_run(path).totals().counters["requests"] == 55
    assert open_run(path).totals(Stretch(from_s=8)).counters["requests"] == 19
    found = read_report(path, Stretch(from_s=3, to_s=5))
    assert found.summary.metrics["message"].count == 4 + 5
    assert found.trust.standing == "too few to judge"
    assert [warning.name for warning in found.info.warnings] == ["worker-clock"]
    assert "measured from 0:03 to 0:05" in facts(found.info, found.summary)
    assert chart_data(found)["outside"] == [[0, 3], [5, 10]]
    assert len(found.series.at_s) == 10, "the charts show everything"
    assert b"outside the measured window" in render(found)
    whole = read_report(path)
    assert chart_data(whole)["outside"] == []
    assert b"outside the measured window" not in render(whole)


# What load it was


def checked_run(results: Path) -> Path:
    """The first two seconds are slow, and fail a check; so does the end of the run by --ws-abort-on."""
    slow = [second(at, [100.0] * 50, names={"message": Kind.REQUEST} if not at else {}) for at in range(2)]
    intervals = [*slow, *(second(at, [1.0] * 50, counters={"requests": 50}) for at in range(2, 6))]
    failed = {"state": CheckState.FAILED, "wanted": "< 50 ms", "got": "100 ms"}
    checks = (
        CheckOutcome(expression="message.max <= 1s", reason="at 5 s (--ws-abort-on 'x')", **failed),  # type: ignore[arg-type]
        CheckOutcome(expression="message.max < 50ms", **failed),  # type: ignore[arg-type]
        CheckOutcome(expression="message.count > 250", **failed | {"state": CheckState.PASSED}),  # type: ignore[arg-type]
        CheckOutcome(expression="of another version", **failed),  # type: ignore[arg-type]
    )
    return make_run(results, intervals, checks=checks)


def test_the_checks_of_another_window_are_those_of_its_figures(tmp_path: Path) -> None:
    path = checked_run(tmp_path)
    states = [check.state for check in read_report(path).info.checks]
    assert states == [CheckState.FAILED, CheckState.FAILED, CheckState.PASSED, CheckState.FAILED]
    anew = read_report(path, Stretch(from_s=2.0))
    abort, *others = anew.info.checks
    assert abort == read_report(path).info.checks[0]  # it is about its own seconds
    assert [check.state for check in others] == [CheckState.PASSED, CheckState.FAILED, CheckState.UNJUDGED]
    assert (others[0].got, others[1].got) == ("1.00 ms", "200")
    assert "can't be read" in others[2].reason
    assert 'name="message.max &lt; 50ms"' in junit(anew)


@pytest.mark.parametrize(("window", "code"), [((), 1), (("--from", "2s"), 0), (("--from", "1h"), 5)])
def test_a_stored_run_is_checked_by_the_standing_of_the_window(
    tmp_path: Path, window: tuple[str, ...], code: int
) -> None:
    path = checked_run(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["check", str(path), "message.max < 50ms", *window])
    assert ended.value.code == code


@pytest.mark.parametrize("window", [(), ("--from", "2s")])
def test_a_run_that_ended_itself_fails_its_own_checks_whatever_is_looked_at(
    tmp_path: Path, window: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole run does not show what the seconds before its end did."""
    failed = {"state": CheckState.FAILED, "wanted": "<= 1 s", "got": "1.50 s"}
    ended = CheckOutcome(expression="message.max <= 1s", reason="at 5 s (--ws-abort-on 'x')", **failed)  # type: ignore[arg-type]
    unreadable = CheckOutcome(expression="of another version", **failed)  # type: ignore[arg-type]
    intervals = [second(at, [1.0] * 50, names={"message": Kind.REQUEST}) for at in range(6)]
    with pytest.raises(SystemExit) as exit_:
        main(["check", str(make_run(tmp_path, intervals, checks=(ended, unreadable))), *window])
    assert exit_.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[0] == "FAILED" and lines[0].endswith("got 1.50 s: at 5 s (--ws-abort-on 'x')")
    assert lines[1].startswith("NOT JUDGED") and "can't be read" in lines[1]


def test_a_window_in_which_the_run_was_not_trusted_is_not_checked(tmp_path: Path) -> None:
    """And one in which it was is, whatever came before."""
    late = {"message.unpaired": 1}
    names = {"message": Kind.REQUEST}
    intervals = [second(at, [1.0] * 50, counters=late if at < 3 else {}, names=names) for at in range(6)]
    trusted, not_trusted = (
        make_run(tmp_path / "a", intervals),
        make_run(tmp_path / "b", intervals, trust=UNTRUSTED),
    )
    for path, window, code in ((trusted, "--to=3s", 3), (not_trusted, "--from=3s", 0)):
        with pytest.raises(SystemExit) as ended:
            main(["check", str(path), "message.max < 50ms", window])
        assert ended.value.code == code


ODD = "message: a message came that no request was waiting for"


def closed_at_the_end(results: Path, counters: dict[str, int]) -> Path:
    """A run whose answers are all alike, until the close at its end finds these."""
    intervals = [
        second(
            at,
            [1.0] * 50,
            counters=counters if at == 5 else {"requests": 50},
            names={"message": Kind.REQUEST} if not at else {},
        )
        for at in range(6)
    ]
    return make_run(results, intervals, trust=UNTRUSTED)


@pytest.mark.parametrize(
    ("counters", "code"),
    [
        ({"message.unpaired": 1, "unpaired": 1, ODD: 1}, 3),
        ({"message.overlapped": 3}, 3),
        ({"sell.unpaired": 1, "sell: it is odd": 1, ODD: 1}, 0),
        ({"message.late": 1, "unpaired": 1}, 0),
    ],
)
def test_a_doubt_about_answers_counts_though_it_is_found_after_the_window(
    tmp_path: Path, counters: dict[str, int], code: int
) -> None:
    """A surplus answer shows only at the close: those of the window may be those of the requests before."""
    path = closed_at_the_end(tmp_path, counters)
    for stretch in (["--to=5s"], ["--from=1s", "--to=3s"]):
        with pytest.raises(SystemExit) as ended:
            main(["check", str(path), "message.max < 50ms", *stretch])
        assert ended.value.code == code
    report = read_report(path, Stretch(to_s=5.0))
    assert (report.standing is Standing.UNTRUSTED) == bool(code)
    assert report.summary.metrics["message"].count == 250, "the figures are those of the window"
    assert (report.summary.duration_s, report.summary.counters["requests"]) == (5.0, 250)
    (compared,) = read_runs([path], [], stretch=Stretch(to_s=5.0))
    assert bool(compared.doubt) == bool(code)
    if ODD in counters and code:
        reason = ODD.partition(": ")[2]
        assert reason in report.trust.verdict and report.trust.reasons["message"].endswith(reason)


@pytest.mark.parametrize("stretch", [("--from", "3s"), ("--from", "3s", "--to", "5s")])
@pytest.mark.parametrize(
    ("failures", "ended", "code"),
    [
        ({("forgotten await", "Guest.log_in"): 50}, 0, 3),
        ({("open", "too many open files"): 9}, 9, 3),
        ({("open", "too many open files"): 9}, 0, 0),
        ({("open", "refused"): 9}, 9, 0),
        ({("message", "load generator too late"): 500}, 0, 0),
    ],
)
def test_what_the_warm_up_shows_of_the_load_counts_in_another_window_too(
    tmp_path: Path, failures: dict[tuple[str, str], int], ended: int, code: int, stretch: tuple[str, ...]
) -> None:
    names = {"message": Kind.REQUEST}
    first = {"failures": failures, "counters": {"users_ended": ended}}
    intervals = [second(at, [1.0] * 50, names=names, **(first if at < 1 else {})) for at in range(6)]
    path = make_run(tmp_path, intervals, trust=UNTRUSTED)
    with pytest.raises(SystemExit) as end:
        main(["check", str(path), "message.max < 50ms", *stretch])
    assert end.value.code == code
    report = read_report(path, Stretch(from_s=3.0))
    assert report.summary.failures == {}, "the figures are those of the window"
    (compared,) = read_runs([path], [], stretch=Stretch(from_s=3.0))
    assert bool(compared.doubt) == bool(code)


def test_what_happened_to_the_load_after_a_window_does_not_concern_it(tmp_path: Path) -> None:
    names = {"message": Kind.REQUEST}
    failures = {("open", "no free port"): 9}
    intervals = [second(at, [1.0] * 50, failures=failures if at > 4 else {}, names=names) for at in range(6)]
    path = make_run(tmp_path, intervals, trust=UNTRUSTED)
    assert read_report(path, Stretch(to_s=5.0)).standing is Standing.TRUSTED
    assert read_report(path, Stretch(from_s=2.0)).standing is Standing.UNTRUSTED


def test_names_that_were_grouped_in_the_warm_up_are_said_once(tmp_path: Path) -> None:
    """They stay so in the window, of which nothing else says it."""
    gathered = {"names_gathered": 50}
    names = {"message": Kind.REQUEST}
    intervals = [second(at, [1.0] * 50, counters=gathered if not at else {}, names=names) for at in range(6)]
    (warning,) = read_report(make_run(tmp_path, intervals), Stretch(from_s=3.0)).info.warnings
    assert warning.name == "names" and warning.text.startswith("50 names beyond")


@pytest.mark.parametrize(("processes", "full"), [(1, True), (4, False)])
def test_of_several_processes_together_none_is_called_saturated(
    tmp_path: Path, processes: int, full: bool
) -> None:
    """Four workers at 30 % are no process at 120 %."""
    counters = {"cpu_ns": 1_200_000_000, "late_ns": 500_000_000, "requests": 50}
    lags = {"loop_lag": Histogram.of([50_000_000] * 20), "message": Histogram.of([1_000_000] * 50)}
    lags |= {"message.lagged": Histogram.of([60_000_000] * 50)}
    names = {"message": Kind.REQUEST}
    path = make_run(
        tmp_path, [second(at, counters=counters, histograms=lags, names=names) for at in range(10)]
    )
    summary = json.loads((path / "summary.json").read_bytes())
    summary["processes"] = [{"name": f"worker {number}"} for number in range(processes)]
    (path / "summary.json").write_text(json.dumps(summary))
    run = open_run(path)
    watch = process_figures_of(run)
    for interval in run.measured(Stretch(from_s=1.0)):
        watch.add(interval)
    cause = cause_of([watch])
    assert cause is not None
    assert ("saturated" in cause.text) is full
    trust = read_report(path, Stretch(from_s=1.0)).trust
    assert ("saturated" in trust.verdict, "--processes 2" in trust.remedy) == (full, full)
