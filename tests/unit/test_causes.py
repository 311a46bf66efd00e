"""Why a load generator was late, and what is advised."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from wsload.judge.run.causes import Cause, cause_of, own_wait
from wsload.judge.run.processes import ProcessFigures, standouts
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import LAGGED, LATE_IN, TOO_LATE, UNLAGGED, Kind, OwnWait

MS = 1_000_000
SECOND = 10**9


def watched(
    seconds: int = 4, *, name: str = "", cpu: float = 0.1, lag_ms: int = 400, **counters: int
) -> ProcessFigures:
    """A process of so many seconds, in each of which these were counted."""
    watch = ProcessFigures(name)
    for number in range(seconds):
        watch.add(
            Interval(
                start_s=1.7e9 + number,
                length_s=1.0,
                histograms={"loop_lag": Histogram.of([lag_ms * MS])},
                counters={"cpu_ns": round(cpu * SECOND), **counters},
            )
        )
    return watch


def cause(*watches: ProcessFigures, ui: bool = False) -> Cause:
    found = cause_of(watches, ui_in_process=ui)
    assert found is not None
    return found


def test_who_was_never_late_has_no_cause() -> None:
    assert cause_of([]) is None
    assert cause_of([watched()]) is None


def test_a_place_seen_again_and_again_blocked_the_loop() -> None:
    counters: Mapping[str, int] = {
        LATE_IN + "Guest.post (chat.py:12)": 9,
        LATE_IN + "Guest.on_post (chat.py:20)": 4,
    }
    found = cause(watched(late_ns=400 * MS, late_samples=15, **counters))
    assert found.text.startswith("Guest.post (chat.py:12) blocked the event loop, for up to 400 ms at a time")
    assert "asyncio.to_thread" in found.remedy


@pytest.mark.parametrize(("seen", "samples"), [(1, 40), (19, 40), (0, 0)])
def test_a_place_seen_now_and_then_is_not_blamed(seen: int, samples: int) -> None:
    watch = watched(1, late_ns=400 * MS, late_samples=samples, **{LATE_IN + "Guest.post": seen})
    assert "Guest" not in cause(watch).text


def test_a_place_seen_once_is_not_blamed_though_it_was_the_only_one() -> None:
    assert "Guest" not in cause(watched(1, late_ns=MS, late_samples=1, **{LATE_IN + "Guest.post": 1})).text


def test_waiting_for_a_core_is_another_process() -> None:
    found = cause(watched(late_ns=200 * MS, late_waiting_ns=120 * MS, late_working_ns=80 * MS))
    assert found.text == "another process had the core for 12 % of the time, up to 400 ms in a row"
    assert "--processes" not in found.remedy


def test_a_full_process_is_told_to_be_several() -> None:
    found = cause(watched(cpu=0.96, late_ns=200 * MS, late_working_ns=200 * MS))
    assert found.text == "its process was saturated: peak CPU 96 % of one core, above 85 % in 4 of 4 s"
    assert found.remedy == "use --processes 2"


def test_the_remedy_grows_with_the_processes_there_are() -> None:
    full = [watched(cpu=0.96, late_ns=number, name=f"worker {number}") for number in range(1, 4)]
    found = cause(*full)
    assert found.text.startswith("worker 3: its process was saturated")
    assert found.remedy == "use --processes 5"


@pytest.mark.parametrize(
    ("busy", "of", "full"), [(1, 4, False), (2, 4, True), (2, 20, False), (3, 20, True), (2, 19, True)]
)
def test_full_is_who_was_so_in_more_than_a_tenth_of_the_seconds(busy: int, of: int, full: bool) -> None:
    watch = watched(of - busy, late_ns=MS)
    for _ in range(busy):
        watch.add(Interval(length_s=1.0, counters={"cpu_ns": round(0.9 * SECOND)}))
    assert ("saturated" in cause(watch).text) == full


def test_more_processes_are_not_advised_at_little_cpu() -> None:
    for counters in ({"late_waiting_ns": MS}, {}):
        assert "--processes" not in cause(watched(cpu=0.03, late_ns=MS, **counters)).remedy


def test_work_of_its_own_without_being_full() -> None:
    found = cause(watched(late_ns=10 * MS, late_working_ns=9 * MS))
    assert found.text.startswith("it was busy with work of its own, for up to 400 ms")


def test_no_place_is_to_blame_for_waiting_for_a_core() -> None:
    counters = {"late_samples": 4, LATE_IN + "Guest.post": 3}
    assert cause(watched(late_ns=9 * MS, late_waiting_ns=6 * MS, **counters)).text.startswith(
        "another process"
    )
    assert cause(watched(late_ns=9 * MS, late_waiting_ns=4 * MS, **counters)).text.startswith("Guest.post")


def test_neither_working_nor_waiting_is_being_stopped() -> None:
    found = cause(watched(late_ns=10 * MS, late_working_ns=MS, late_waiting_ns=MS))
    assert found.text == "something held it up for up to 400 ms at a time, without using the CPU"


def test_the_web_ui_in_the_measuring_process_is_named_as_a_remedy_unless_a_task_blocked() -> None:
    assert "--processes 1 gives it one of its own" in cause(watched(cpu=0.96, late_ns=MS), ui=True).remedy
    assert "web UI" not in cause(watched(cpu=0.96, late_ns=MS)).remedy
    blocked = watched(late_ns=MS, late_samples=2, **{LATE_IN + "Guest.post": 2})
    assert "web UI" not in cause(blocked, ui=True).remedy


def test_the_process_that_was_late_for_longest_is_named() -> None:
    found = cause(watched(late_ns=MS, name="worker a"), watched(late_ns=2 * MS, name="worker b"))
    assert found.text.startswith("worker b: ")


def test_seconds_cut_short_say_nothing_about_the_cpu() -> None:
    watch = ProcessFigures("")
    for _ in range(10):
        watch.add(Interval(length_s=0.4, counters={"cpu_ns": SECOND}))
    assert (watch.seconds, watch.busy, watch.peak) == (0, 0, 0.0)


# wsload's own waits


def waited(lag_ms: int = 100, tasks: int = 50, read_late_ms: int = 0, **waits_ms: int) -> Totals:
    """So many due tasks, each late by so much in starting, and in reading its answer; the waits are sums."""
    histograms = {"send_lag": Histogram.of([lag_ms * MS] * tasks)}
    if read_late_ms:
        histograms["buy.service" + LAGGED] = Histogram.of([(5 + read_late_ms) * MS] * tasks)
        histograms["buy.service" + UNLAGGED] = Histogram.of([5 * MS] * tasks)
    counters = {OwnWait[why].value: each * MS for why, each in waits_ms.items()}
    names = {"buy": Kind.REQUEST}
    return Totals.of([Interval(length_s=1.0, histograms=histograms, counters=counters, names=names)])


def test_waits_for_surplus_answers_are_named_word_for_word() -> None:
    assert own_wait(waited(SURPLUS=4_500)) == Cause(
        text="due tasks had to wait while wsload itself waited for surplus answers, before it closed connections "
        "(90 % of the lateness)",
        remedy="give each request a key of its own (request()), or keep connections open from one task to the next",
    )


@pytest.mark.parametrize(
    ("why", "text", "remedy"),
    [
        ("PAUSE", "pauses after calls that had failed at once", "see the failures by kind"),
        ("HTTP", "made or closed the client of self.http", "make the first call of self.http in on_start"),
    ],
)
def test_its_other_waits_are_named_too(why: str, text: str, remedy: str) -> None:
    found = own_wait(waited(**{why: 5_000}))
    assert found is not None and text in found.text and "100 % of the lateness" in found.text
    assert remedy in found.remedy


def test_without_such_a_wait_there_is_no_such_cause() -> None:
    assert own_wait(Totals()) is None
    assert own_wait(waited()) is None, "as in results from before it was counted"
    assert own_wait(waited(tasks=0)) is None


@pytest.mark.parametrize(("surplus_ms", "named"), [(2_400, False), (2_600, True)])
def test_a_wait_is_named_if_it_explains_most_of_the_lateness(surplus_ms: int, named: bool) -> None:
    assert (own_wait(waited(SURPLUS=surplus_ms)) is not None) == named
    assert own_wait(waited(SURPLUS=surplus_ms, read_late_ms=20)) is None, "answers were read late as well"


def test_of_several_waits_the_longest_has_to_explain_it() -> None:
    found = own_wait(waited(SURPLUS=3_000, PAUSE=2_000))
    assert found is not None and "surplus" in found.text and "60 %" in found.text
    assert own_wait(waited(SURPLUS=2_000, PAUSE=2_000)) is None


def test_bucket_middles_never_make_more_than_all_of_the_lateness() -> None:
    for lag_ms in range(100, 200, 7):
        found = own_wait(waited(lag_ms, 1, SURPLUS=lag_ms))
        assert found is not None and "(100 % of" in found.text


# Processes beside each other


def measured(name: str, p99_ms: int, count: int = 1_000) -> ProcessFigures:
    watch = ProcessFigures(name)
    watch.add(Interval(length_s=1.0, histograms={"message": Histogram.of([p99_ms * MS] * count)}))
    return watch


def test_a_process_whose_p99_is_twice_the_others_is_named() -> None:
    watches = [measured("worker a", 10), measured("worker b", 11), measured("worker c", 30)]
    (warning,) = standouts(watches)
    assert warning.text == "worker c stands out: message p99 30.0 ms, the others' median 10.5 ms"
    assert not warning.invalidates


@pytest.mark.parametrize(
    "others",
    [
        [],
        [measured("worker b", 15)],
        [measured("worker b", 30, count=999)],
    ],
)
def test_one_process_or_small_differences_or_few_messages_stand_out_from_nobody(
    others: list[ProcessFigures],
) -> None:
    assert standouts([measured("worker a", 10), *others]) == []


def test_standing_out_is_more_than_twice_and_a_millisecond_above_the_others() -> None:
    value = Histogram.of([10 * MS]).percentile(99)
    twice = measured("worker b", 20)
    assert (twice.totals.histograms["message"].percentile(99) > 2 * value) == bool(
        standouts([measured("worker a", 10), twice])
    )
    (warning,) = standouts([measured("worker a", 10), measured("worker b", 21)])
    assert (warning.name, warning.remedy) == ("standout", "look at that machine first")
    slowest = ProcessFigures("worker c")
    messages = Histogram.of([10 * MS] * 999 + [500 * MS])  # the maximum is no p99
    slowest.add(Interval(length_s=1.0, histograms={"message": messages}))
    assert standouts([measured("worker a", 10), slowest]) == []


def test_differences_below_a_millisecond_stand_out_from_nobody() -> None:
    fast, slow = ProcessFigures("worker a"), ProcessFigures("worker b")
    for watch, value_ns in ((fast, 200_000), (slow, 900_000)):
        watch.add(Interval(length_s=1.0, histograms={"message": Histogram.of([value_ns] * 1_000)}))
    assert standouts([fast, slow]) == []


def test_a_processs_own_figures() -> None:
    figures = measured("worker a", 10).figures()
    assert figures["name"] == "worker a" and figures["trusted_up_to"] == 100
    assert figures["message"]["count"] == 1_000  # type: ignore[index]
    assert "loop_lag" not in figures


def test_a_process_is_shown_by_its_busiest_name() -> None:
    watch = ProcessFigures("")
    assert (watch.figures()["leading"], watch.figures()["trusted_up_to"]) == (None, None)
    histograms = {"buy": Histogram.of([10 * MS] * 90), "look": Histogram.of([MS] * 9)}
    names, failures = dict.fromkeys(histograms, Kind.REQUEST), {("buy", TOO_LATE): 10}
    watch.add(Interval(length_s=1.0, histograms=histograms, names=names, failures=failures))
    figures = watch.figures()
    assert (figures["leading"], figures["trusted_up_to"]) == ("buy", 90)  # how slow were those ten?
    assert figures["buy"]["count"] == 90  # type: ignore[index]


def test_causes_and_remedies_word_for_word() -> None:
    """As users read them."""
    waiting = watched(late_ns=200 * MS, late_waiting_ns=100 * MS)
    assert cause(waiting) == Cause(
        text="another process had the core for 10 % of the time, up to 400 ms in a row",
        remedy="stop other work on this machine, or give the load generator a higher priority (nice -n -5, chrt -r 1) "
        "or a machine of its own",
    )
    working = watched(late_ns=10 * MS, late_working_ns=5 * MS)
    assert cause(working).remedy == "let users arrive more slowly (-r), or use --processes"
    places = {LATE_IN + "A.one (a.py:1)": 2, LATE_IN + "B.two (b.py:2)": 2}
    blocked = cause(watched(1, late_ns=MS, late_samples=4, **places))
    assert blocked == Cause(
        text="B.two (b.py:2) blocked the event loop, for up to 400 ms at a time",
        remedy="await awaitable calls, and run blocking ones with asyncio.to_thread",
    )


def test_a_late_run_without_any_length_or_lag_says_so() -> None:
    watch = ProcessFigures("")
    watch.add(Interval(counters={"late_ns": MS, "late_waiting_ns": MS}))
    assert (
        cause(watch).text
        == "another process had the core for part of the time, up to an unknown time in a row"
    )


def test_the_figures_of_a_process() -> None:
    watch = ProcessFigures("worker 1")
    for busy in (0.1234, 0.9, 0.5):
        watch.add(
            Interval(
                length_s=1.0,
                histograms={
                    "message": Histogram.of([MS] * 98 + [9 * MS] * 2),
                    "message.lagged": Histogram.of([9 * MS] * 2),
                    "message.unlagged": Histogram.of([MS] * 2),
                    "loop_lag": Histogram.of([1_000] * 99 + [64_000]),
                },
                counters={"cpu_ns": round(busy * SECOND)},
            )
        )
    watch.add(Interval(length_s=0.4, counters={"cpu_ns": SECOND}))
    p50, p99 = Histogram.of([1_000]).percentile(50), Histogram.of([1_000]).percentile(99)
    figures = watch.figures()
    messages = Histogram.of([MS] * 98 + [9 * MS] * 2)
    assert figures == {
        "name": "worker 1",
        "cpu_peak": 0.9,
        "busy_seconds": 1,
        "seconds": 3,
        "leading": "message",
        "trusted_up_to": 95.0,
        "message": {"count": 300, "p50_ns": messages.percentile(50), "p99_ns": messages.percentile(99)},
        "loop_lag": {"count": 300, "p50_ns": p50, "p99_ns": p99},
    }
    assert watch.figures(100 * MS)["trusted_up_to"] == 100.0
    assert ProcessFigures("").figures()["cpu_peak"] == 0.0
