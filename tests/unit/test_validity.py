"""When a run is not believed, rule by rule, on plain values."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from wsload.judge.run.validity import LATE_SENDS, TOO_LATE, Watch, judge, process_figures, standouts
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.results.run import RunWarning

MS = 1_000_000


def second(
    number: int = 0,
    *,
    cpu: float = 0.1,
    length_s: float = 1.0,
    counters: Mapping[str, int] | None = None,
    failures: Mapping[tuple[str, str], int] | None = None,
    gauges: Mapping[str, int] | None = None,
    **histograms: list[int],
) -> Interval:
    """An interval in which the process used this share of a core; metrics with ``_`` for the dot."""
    return Interval(
        start_s=1.7e9 + number,
        length_s=length_s,
        histograms={
            name.replace("__", "."): Histogram.of(values) for name, values in histograms.items() if values
        },
        counters={"cpu_ns": round(cpu * length_s * 1e9), **(counters or {})},
        failures=failures or {},
        gauges=gauges or {},
    )


def watched(*intervals: Interval, name: str = "") -> Watch:
    watch = Watch(name)
    for interval in intervals:
        watch.add(interval)
    return watch


def said(*intervals: Interval, ui_in_process: bool = False) -> list[RunWarning]:
    """What is said against a run of one process with these intervals."""
    return judge(Totals.of(intervals), [watched(*intervals)], ui_in_process=ui_in_process)


def only(*intervals: Interval, ui_in_process: bool = False) -> RunWarning:
    (warning,) = said(*intervals, ui_in_process=ui_in_process)
    return warning


def test_there_is_nothing_to_say_against_a_punctual_run() -> None:
    assert (
        said(*(second(number, message=[5 * MS] * 100, send_lag=[80_000] * 100) for number in range(5))) == []
    )
    assert said() == []


# CPU


@pytest.mark.parametrize(
    ("shares", "invalid"),
    [
        ([0.96] * 10, True),
        ([0.84] * 10, False),
        ([0.5] * 8 + [0.9] * 2, True),
        ([0.5] * 9 + [0.9], False),
        ([0.5] * 18 + [0.9] * 2, False),
        ([0.9], False),
    ],
)
def test_a_busy_process_in_more_than_a_tenth_of_its_seconds_and_twice_at_least(
    shares: list[float], invalid: bool
) -> None:
    found = said(*(second(number, cpu=share) for number, share in enumerate(shares)))
    assert [warning.invalidates for warning in found] == [True] * invalid


def test_the_cpu_warning_holds_the_figure_and_the_remedy() -> None:
    warning = only(*(second(number, cpu=0.96) for number in range(4)))
    assert warning.name == "cpu"
    assert warning.text.startswith("peak CPU 96 % of one core, above 85 % in 4 of 4 s")
    assert warning.remedy == "use --processes 2"


def test_the_remedy_grows_with_what_is_used_already() -> None:
    busy = [second(number, cpu=0.96) for number in range(4)]
    watches = [watched(*busy, name=f"worker {number}") for number in range(3)]
    found = judge(Totals(), watches)
    assert [warning.text[:9] for warning in found] == ["worker 0:", "worker 1:", "worker 2:"]
    assert {warning.remedy for warning in found} == {"use --processes 5"}


def test_seconds_cut_short_say_nothing_about_the_cpu() -> None:
    assert said(*(second(number, cpu=3.0, length_s=0.4) for number in range(10))) == []


# Lateness


@pytest.mark.parametrize(
    ("lag_ms", "message_ms", "invalid"),
    [
        (5, 20, True),  # a quarter of what is reported
        (5, 60, False),  # less than a tenth
        (0.9, 1, False),  # below a millisecond never
        (1.1, 5, True),
        (1.1, 12, False),
    ],
)
def test_late_sends_count_from_a_millisecond_and_a_tenth_of_what_is_reported(
    lag_ms: float, message_ms: float, invalid: bool
) -> None:
    lags, messages = [round(lag_ms * MS)] * 100, [round(message_ms * MS)] * 100
    found = said(second(send_lag=lags, message=messages))
    assert [warning.name for warning in found] == ["send-lag"] * invalid
    assert all(warning.invalidates for warning in found)


def test_a_percentile_of_few_late_sends_is_no_evidence() -> None:
    messages = [10 * MS] * 20
    punctual = [50_000] * 20
    assert said(second(message=messages, send_lag=punctual + [5 * MS] * (LATE_SENDS - 1))) == []
    assert only(second(message=messages, send_lag=punctual + [5 * MS] * LATE_SENDS)).invalidates


def test_lateness_is_the_p99_and_not_the_worst() -> None:
    lags = [50_000] * 2_000 + [500 * MS] * 15
    assert said(second(send_lag=lags, message=[10 * MS] * 2_000)) == []


def test_late_sends_without_any_answer_are_late_too() -> None:
    warning = only(second(send_lag=[30 * MS] * 50))
    assert warning.text == "sends were late: p99 30.0 ms"


def test_the_web_ui_in_the_measuring_process_is_named_as_a_remedy() -> None:
    interval = second(send_lag=[30 * MS] * 50, message=[40 * MS] * 50)
    assert "--processes 1 gives it one of its own" in only(interval, ui_in_process=True).remedy
    assert "web UI" not in only(interval).remedy


def test_one_late_worker_is_not_hidden_by_the_others() -> None:
    late = second(send_lag=[30 * MS] * 20, message=[50 * MS] * 20)
    punctual = second(send_lag=[50_000] * 5_000, message=[50 * MS] * 5_000)
    found = judge(
        Totals.of([late, punctual]), [watched(late, name="worker a"), watched(punctual, name="worker b")]
    )
    assert [warning.text[:9] for warning in found] == ["worker a:"]


def test_a_closed_workload_is_told_of_a_late_loop_and_not_condemned() -> None:
    warning = only(second(loop_lag=[20 * MS] * 50, message=[30 * MS] * 50))
    assert (warning.name, warning.invalidates) == ("loop-lag", False)
    assert said(second(loop_lag=[20 * MS] * 50, message=[300 * MS] * 50)) == []
    # With due times there are late sends, which say it better.
    assert said(second(loop_lag=[20 * MS] * 50, message=[30 * MS] * 50, send_lag=[60_000] * 50)) == []


# What was due and not sent


@pytest.mark.parametrize(("missed", "invalid"), [(0, False), (10, False), (11, True), (500, True)])
def test_more_than_a_hundredth_that_the_load_generator_did_not_get_round_to(
    missed: int, invalid: bool
) -> None:
    found = said(
        second(
            message=[MS] * (1_000 - missed),
            counters={"unsent": missed},
            failures={("message", TOO_LATE): missed} if missed else {},
        )
    )
    assert [warning.name for warning in found if warning.invalidates] == ["shortfall"] * invalid


def test_the_shortfall_says_how_much_was_sent() -> None:
    warning = only(
        second(message=[MS] * 900, counters={"unsent": 100}, failures={("message", TOO_LATE): 100})
    )
    assert warning.text.startswith("100 of 1,000 due messages (10 %) were not sent in time")


def test_what_the_server_kept_from_being_sent_is_told_and_not_held_against_the_client() -> None:
    warning = only(
        second(
            message=[MS] * 50,
            counters={"unsent": 50},
            failures={("message", "not connected"): 30, ("message", "too many in flight"): 20},
        )
    )
    assert (warning.name, warning.invalidates) == ("unsent", False)
    assert warning.text == (
        "50 of 100 messages due could not be sent (not connected, too many in flight): they have no latency"
    )


# What else is counted


def test_lost_messages_are_told_with_the_p99_that_they_would_make() -> None:
    warning = only(second(message=[MS] * 90, message__lost=[10_000 * MS] * 10, counters={"lost": 10}))
    assert (warning.name, warning.invalidates) == ("lost", False)
    assert "10 messages were lost (10 %)" in warning.text
    assert "p99 is at least 10,0" in warning.text, "ten seconds, to the histogram's digits"


@pytest.mark.parametrize(
    ("counter", "name", "text"),
    [
        ("out_of_range", "out-of-range", "7 values were outside the histograms' range"),
        ("reads_paused", "reads-paused", "reading was paused 7 times"),
        ("users_ended", "users-ended", "7 users ended before their time"),
    ],
)
def test_counters_that_ought_to_be_zero(counter: str, name: str, text: str) -> None:
    warning = only(second(counters={counter: 7}))
    assert (warning.name, warning.invalidates) == (name, False)
    assert warning.text.startswith(text)
    assert warning.remedy


@pytest.mark.parametrize(
    ("kind", "name", "remedy"),
    [
        ("too many open files", "too-many-open-files", "ulimit -n"),
        ("no free port", "no-free-port", "--ws-source-ip"),
    ],
)
def test_openings_that_failed_for_want_of_this_machines_means(kind: str, name: str, remedy: str) -> None:
    warning = only(second(failures={("open", kind): 3, ("open", "refused"): 9}, gauges={"connections": 1234}))
    assert (warning.name, warning.invalidates) == (name, True)
    assert warning.text == (
        f"3 openings failed on this machine's side: {kind}, with at most 1,234 connections open"
    )
    assert remedy in warning.remedy


def test_what_invalidates_comes_first() -> None:
    found = said(second(message=[MS] * 50, send_lag=[30 * MS] * 50, counters={"lost": 1, "reads_paused": 1}))
    assert [warning.invalidates for warning in found] == [True, False, False]


# Processes beside each other


def test_a_process_that_stands_out_is_named() -> None:
    usual = [watched(second(message=[5 * MS] * 1_000), name=f"worker {number}") for number in range(3)]
    slow = watched(second(message=[50 * MS] * 1_000), name="worker x")
    (warning,) = standouts([*usual, slow])
    assert warning.text.startswith("worker x stands out: message p99 50")
    assert not warning.invalidates
    assert standouts(usual) == []


def test_nobody_stands_out_alone_by_little_or_by_few() -> None:
    assert standouts([watched(second(message=[50 * MS] * 1_000), name="only")]) == []
    little = [watched(second(message=[value] * 1_000), name=str(value)) for value in (100_000, 900_000)]
    assert standouts(little) == []
    few = watched(second(message=[50 * MS] * 999), name="few")
    assert standouts([few, watched(second(message=[MS] * 1_000), name="many")]) == []


def test_the_figures_of_one_process() -> None:
    late = second(message=[50 * MS] * 100, send_lag=[30 * MS] * 100, cpu=0.9)
    figures = process_figures(watched(late, second(1, cpu=0.3, message=[50 * MS] * 100), name="worker a"))
    assert figures["name"] == "worker a"
    assert (figures["cpu_peak"], figures["busy_seconds"], figures["seconds"]) == (0.9, 1, 2)
    assert figures["valid"] is False
    message = figures["message"]
    assert isinstance(message, dict)
    assert message["count"] == 200
    assert message["p99_ns"] == pytest.approx(50 * MS, rel=0.001)
    assert "loop_lag" not in figures
    assert process_figures(watched(second(message=[MS])))["valid"] is True
