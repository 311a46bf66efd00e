from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intervals import COUNTERS, METRICS

from wsload.measure import names
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.measure.layout import TRACKABLE_NS
from wsload.measure.names import (
    LATE_IN,
    MAX_KINDS,
    MAX_NAMES,
    OTHER,
    OTHER_KINDS,
    OWN_FAULTS,
    TOO_LATE,
    Kind,
    counters,
    register,
)
from wsload.measure.recorder import LONG, LONGEST_DETAIL, Failure, Recorder, Samples

values = st.integers(0, 10**10)
what = st.sampled_from(("open", "login", "message"))
kinds = st.sampled_from(("refused", "timeout", "closed 1006"))
steps = st.one_of(
    st.tuples(st.just("value"), st.sampled_from(METRICS), st.lists(values, max_size=4)),
    st.tuples(st.just("many"), st.sampled_from(METRICS), st.just([5_000] * LONG)),
    st.tuples(st.just("failed"), what, kinds, st.integers(-1, 10**9)),
    st.tuples(st.just("closed"), st.sampled_from((1000, 1006, 1011))),
    st.tuples(st.just("count"), st.sampled_from(COUNTERS), st.integers(1, 5)),
    st.tuples(st.just("flush")),
    st.tuples(st.just("freeze")),
)


class Shown:
    """A listener that keeps all it was shown."""

    def __init__(self) -> None:
        self.values: dict[str, list[int]] = {}
        self.sizes: list[int] = []
        self.seen: list[Failure] = []
        self.calls = 0

    def samples(self, taken: list[Samples]) -> None:
        self.calls += 1
        assert taken, "shown nothing"
        for metric, values, sizes in taken:
            assert values, "shown nothing"
            assert len(sizes) == (len(values) if metric == "message" else 0)
            self.values.setdefault(metric, []).extend(values)
            self.sizes += sizes

    def failures(self, failures: list[Failure], details: Mapping[tuple[str, str], str]) -> None:
        self.seen += failures
        self.details = dict(details)


def freeze(recorder: Recorder) -> Interval:
    return recorder.freeze(start_s=1.7e9, length_s=1.0, gauges={"users": 3}).interval()


def total(intervals: list[Interval], part: str) -> Counter[object]:
    summed: Counter[object] = Counter()
    for interval in intervals:
        summed.update(getattr(interval, part))
    return summed


@given(st.lists(steps, max_size=30))
def test_all_that_was_recorded_is_in_one_interval_and_shown_once(plan: list[tuple]) -> None:
    shown = Shown()
    recorder = Recorder(shown)
    for name in ("message", "buy a book"):
        recorder.declare(name, Kind.REQUEST)
    recorded: dict[str, list[int]] = {}
    counted: Counter[object] = Counter()
    failed: list[Failure] = []
    closed: Counter[object] = Counter()
    intervals = []
    for step in plan:
        match step:
            case ("value" | "many", metric, new):
                recorder.values[metric].extend(new)
                recorded.setdefault(metric, []).extend(new)
                if metric == "message":
                    recorder.sizes["message"].extend(range(len(new)))
            case ("failed", tried, kind, age_ns):
                recorder.failed(tried, kind, age_ns)
                failed.append((tried, kind, age_ns))
            case ("closed", code):
                recorder.closed(code)
                closed[code] += 1
            case ("count", name, more):
                if name != "out_of_range":  # which the interval counts by itself
                    setattr(recorder.count, name, getattr(recorder.count, name) + more)
                    counted[name] += more
            case ("flush",):
                recorder.flush()
            case ("freeze",):
                intervals.append(freeze(recorder))
    intervals.append(freeze(recorder))

    recorded = {metric: found for metric, found in recorded.items() if found}
    for metric, expected in recorded.items():
        summed = Histogram()
        for interval in intervals:
            if metric in interval.histograms:
                assert interval.histograms[metric].total
                summed.add(interval.histograms[metric])
        assert summed == Histogram.of(expected)
    assert shown.values == recorded
    assert len(shown.sizes) == len(recorded.get("message", ()))
    assert shown.seen == failed
    assert total(intervals, "counters") == counted
    assert total(intervals, "failures") == Counter((tried, kind) for tried, kind, _ in failed)
    assert total(intervals, "closes") == closed


def test_an_interval_is_a_value_of_its_own() -> None:
    recorder = Recorder()
    recorder.declare("message", Kind.REQUEST)
    recorder.values["message"].append(1_000)
    recorder.count.sent = 1
    recorder.failed("open", "refused")
    recorder.closed(1000)
    interval = freeze(recorder)
    recorder.values["message"].append(2_000)
    recorder.count.sent += 1
    recorder.failed("open", "refused")
    recorder.closed(1000)
    assert interval.histograms == {"message": Histogram.of([1_000])}
    assert (interval.counters, interval.failures, interval.closes) == (
        {"sent": 1},
        {("open", "refused"): 1},
        {1000: 1},
    )
    assert (interval.start_s, interval.length_s, interval.gauges) == (1.7e9, 1.0, {"users": 3})


def test_nothing_recorded_is_an_interval_without_figures() -> None:
    interval = freeze(Recorder())
    assert not interval.histograms and not interval.counters and not interval.failures and not interval.closes


def test_values_out_of_range_are_counted() -> None:
    recorder = Recorder()
    recorder.declare("message", Kind.REQUEST)
    recorder.values["message"] += [-1, TRACKABLE_NS + 1, 5_000]
    recorder.values["delivery"] += [-(2**63), 2**80]
    interval = freeze(recorder)
    assert interval.counters == {"out_of_range": 4}
    assert interval.histograms["message"].total == 1


def test_a_short_list_waits_for_the_freeze_and_a_long_one_does_not() -> None:
    shown = Shown()
    recorder = Recorder(shown)
    for name in ("message", "buy a book"):
        recorder.declare(name, Kind.REQUEST)
    recorder.values["message"].append(1)
    recorder.sizes["message"].append(1)
    recorder.values["delivery"] += [1] * LONG
    assert recorder.flush()
    assert not recorder.flush()
    assert recorder.values["message"] == [1] and recorder.values["delivery"] == []
    assert shown.values == {"delivery": [1] * LONG}


def test_there_is_an_attribute_for_every_registered_counter_and_no_other() -> None:
    count = Recorder().count
    assert {name: getattr(count, name) for name in counters()} == dict.fromkeys(counters(), 0)
    with pytest.raises(AttributeError):
        count.no_such_counter = 1


def test_other_counters_are_added_by_name() -> None:
    recorder = Recorder()
    recorder.add("gaps in the feed")
    recorder.add("gaps in the feed", 2)
    assert freeze(recorder).counters == {"gaps in the feed": 3}
    assert freeze(recorder).counters == {}


def test_a_counter_of_a_user_class_is_known_even_at_zero() -> None:
    recorder = Recorder()
    recorder.add(recorder.counter("gaps\n in  the feed"), 0)
    assert freeze(recorder).counters == {"gaps in the feed": 0}


@pytest.mark.parametrize("name", ["lost", "names_gathered", "failures", "", "\x00"])
def test_a_counter_that_wsload_keeps_itself_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Recorder().counter(name)


def test_counters_beyond_the_limit_are_gathered_and_counted() -> None:
    recorder = Recorder()
    for number in range(MAX_NAMES + 3):
        for _ in range(2):
            recorder.add(recorder.counter(f"counter {number}"))
    found = freeze(recorder).counters
    assert (found[OTHER], found["names_gathered"], len(found)) == (6, 3, MAX_NAMES + 2)


def test_a_name_is_declared_once_and_told_in_the_interval_in_which_it_came() -> None:
    recorder = Recorder()
    figures = recorder.declare("buy", Kind.REQUEST)
    assert recorder.declare("buy", Kind.REQUEST) is figures
    recorder.values[figures.name].append(5_000)
    recorder.values[figures.lost].append(6_000)
    first, second = freeze(recorder), freeze(recorder)
    assert (first.names, second.names) == ({"buy": Kind.REQUEST}, {})
    assert first.histograms.keys() == {"buy", "buy.lost"}
    recorder.begin()
    assert freeze(recorder).names == {"buy": Kind.REQUEST}


def test_names_beyond_the_limit_are_gathered_and_counted() -> None:
    recorder = Recorder()
    for number in range(MAX_NAMES):
        recorder.declare(f"name {number}", Kind.VALUE)
    for number in range(3):
        figures = recorder.declare(f"one too many {number}", Kind.VALUE)
        assert figures.name == OTHER
        recorder.values[figures.name].append(1_000)
    interval = freeze(recorder)
    assert interval.histograms[OTHER].total == 3
    assert interval.counters == {"names_gathered": 3}
    assert len(interval.names) == MAX_NAMES + 1


def test_requests_whose_long_names_begin_alike_have_figures_of_their_own() -> None:
    recorder = Recorder()
    for number in range(MAX_NAMES + 3):
        figures = recorder.declare(f"{'x' * 200} {number}", Kind.REQUEST)
        recorder.values[figures.name].append(1_000)
        recorder.add(recorder.counter(f"{'x' * 200} {number}"))
    interval = freeze(recorder)
    assert len(interval.names) == MAX_NAMES + 1 and interval.histograms[OTHER].total == 3
    assert interval.counters[OTHER] == 3 and interval.counters["names_gathered"] == 6


@pytest.mark.parametrize("name", ["", " \n", "open", "buy.service", "send_lag"])
def test_a_name_that_would_be_taken_for_another_figure_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Recorder().declare(name, Kind.REQUEST)


def test_long_lists_are_flushed_one_by_one_and_two_hundred_names_shown_in_one_call() -> None:
    shown = Shown()
    recorder = Recorder(shown)
    for number in range(200):
        name = recorder.declare(f"request {number}", Kind.REQUEST).name
        recorder.values[name] += [1_000_000] * (LONG + number if number >= 197 else 1)
    for number in (199, 198, 197):
        assert recorder.flush()
        assert list(shown.values)[-1] == f"request {number}"
    assert not recorder.flush() and shown.calls == 3
    freeze(recorder)
    assert shown.calls == 4 and len(shown.values) == 200


# One run after the other


@pytest.mark.parametrize("runs", [("first", "second"), ("same", "same")])
def test_each_run_has_room_for_names_of_its_own_and_is_told_of_those_beyond(runs: tuple[str, str]) -> None:
    recorder = Recorder()
    for run in runs:
        recorder.forget_names()
        recorder.begin()
        for number in range(MAX_NAMES + 5):
            recorder.declare(f"{run} {number}", Kind.STEP)
            recorder.add(recorder.counter(f"{run} {number}"))
        interval = freeze(recorder)
        assert interval.names.keys() == {OTHER, *(f"{run} {number}" for number in range(MAX_NAMES))}
        assert interval.counters["names_gathered"] == 2 * 5
        assert len(interval.counters) == MAX_NAMES + 2


def test_a_name_may_be_of_another_kind_in_the_next_run_and_a_dropped_user_still_records() -> None:
    shown = Shown()
    recorder = Recorder(shown)
    old = recorder.declare("message", Kind.REQUEST)
    with pytest.raises(ValueError, match="already used for a request"):
        recorder.declare("message", Kind.STEP)
    recorder.forget_names()
    recorder.begin()
    for metric in (old.name, old.lost):
        recorder.values[metric].append(1_000)
    recorder.sizes[old.name].append(7)
    recorder.declare("message", Kind.STEP)
    interval = freeze(recorder)
    assert interval.names == {"message": Kind.STEP}
    assert interval.histograms.keys() == {"message", "message.lost"}
    assert shown.sizes == [7]


def test_after_very_many_names_a_process_keeps_them_and_tells_each_run_of_those_beyond(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("wsload.measure.recorder.MAX_LISTS", MAX_NAMES)
    recorder, lists = Recorder(), set()
    for run in ("first", "second", "third"):
        recorder.forget_names()
        recorder.begin()
        for number in range(MAX_NAMES + 3):
            recorder.declare("first 0" if number == 0 else f"{run} {number}", Kind.VALUE)
        interval = freeze(recorder)
        assert interval.names.keys() == {OTHER, *(f"first {number}" for number in range(MAX_NAMES))}
        assert interval.counters == {"names_gathered": 3 if run == "first" else MAX_NAMES + 2}
        lists.add(len(recorder.values))
    assert len(lists) == 1


def test_a_dropped_user_may_declare_a_name_while_those_of_its_run_are_forgotten() -> None:
    """What is declared is known by its kind, whichever of the two threads was first."""
    problems: list[BaseException] = []

    def declare(recorder: Recorder) -> None:
        try:
            for number in range(2_000):
                recorder.declare(f"name {number % 10}", Kind.REQUEST)
        except BaseException as error:
            problems.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(5):
            recorder = Recorder()
            thread = threading.Thread(target=declare, args=(recorder,))
            thread.start()
            while thread.is_alive():
                recorder.forget_names()
            thread.join()
            assert {figures.name for figures in recorder.declared.values()} <= recorder.kinds.keys()
    finally:
        sys.setswitchinterval(interval)
    assert problems == []


# Kinds of failures


def test_so_many_kinds_of_failures_are_told_apart_and_the_rest_counted_in_one_of_each_name() -> None:
    recorder, shown = Recorder(), Shown()
    recorder.listener = shown
    for number in range(60_000):
        recorder.failed(("buy", "sell")[number % 2], f"order {number} failed")
    failures = freeze(recorder).failures
    assert len(failures) == MAX_KINDS + 2
    assert failures["buy", OTHER_KINDS] == failures["sell", OTHER_KINDS] == (60_000 - MAX_KINDS) / 2
    assert sum(failures.values()) == len(shown.seen) == 60_000
    assert len({(what, kind) for what, kind, _ in shown.seen}) == MAX_KINDS + 2


def test_kinds_that_were_told_apart_stay_so_and_those_that_the_verdict_looks_at_always_are() -> None:
    recorder = Recorder()
    for number in range(MAX_KINDS + 1):
        recorder.failed("buy", f"order {number} failed")
    freeze(recorder)
    for kind in ("order 0 failed", *OWN_FAULTS):
        recorder.failed("buy", kind)
    assert freeze(recorder).failures == {("buy", kind): 1 for kind in ("order 0 failed", *OWN_FAULTS)}
    assert TOO_LATE in OWN_FAULTS


def test_a_new_run_tells_its_own_kinds_apart() -> None:
    recorder = Recorder()
    for number in range(MAX_KINDS + 1):
        recorder.failed("buy", f"order {number} failed")
    recorder.begin()
    recorder.failed("buy", "sold out")
    assert freeze(recorder).failures == {("buy", "sold out"): 1}


def test_what_wsload_counts_for_its_own_use_takes_none_of_the_names_of_a_user_class() -> None:
    recorder = Recorder()
    for number in range(2 * MAX_NAMES):
        recorder.add(f"{LATE_IN}User.task, line {number}")
    assert [recorder.counter(f"own {number}") for number in range(MAX_NAMES)] == [
        f"own {number}" for number in range(MAX_NAMES)
    ]
    with pytest.raises(ValueError, match="is reserved by wsload"):
        recorder.counter(f"{LATE_IN}time")


def test_of_each_kind_the_first_detail_is_kept_in_the_interval_in_which_it_came() -> None:
    listener = Shown()
    recorder = Recorder(listener)
    recorder.begin()
    for detail in ("", "first\r\nline" + "." * 400, "second"):
        recorder.failed("open", "refused", detail=detail)
    first = recorder.freeze(start_s=1, length_s=1, gauges={}).interval()
    assert first.details == {("open", "refused"): ("first  line" + "." * 400)[:LONGEST_DETAIL]}
    assert listener.details == first.details
    recorder.failed("open", "refused", detail="third")
    assert recorder.freeze(start_s=2, length_s=1, gauges={}).interval().details == {}
    assert listener.details == first.details
    recorder.begin()
    recorder.failed("open", "refused", detail="in another run")
    again = recorder.freeze(start_s=3, length_s=1, gauges={}).interval()
    assert again.details == {("open", "refused"): "in another run"}


def test_a_metric_of_a_protocol_is_recorded_once_its_kind_is_declared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Undeclared it would pass for a request, and count in every share of requests."""
    monkeypatch.setattr(names, "_METRICS", dict(names._METRICS))
    register(metrics={"joining": "until the login is complete"})
    recorder = Recorder()
    with pytest.raises(KeyError):
        recorder.values["joining"].append(1)
    recorder.values[recorder.declare("joining", Kind.VALUE).name].append(1)
    found = freeze(recorder)
    assert found.names["joining"] is Kind.VALUE and found.histograms["joining"].total == 1


def test_names_may_be_declared_on_another_thread_meanwhile() -> None:
    """Users are created on the hub's thread while the loop's thread begins a run, flushes and freezes."""
    problems: list[BaseException] = []

    def declare(recorder: Recorder, go: threading.Barrier) -> None:
        go.wait()
        for number in range(150):
            recorder.declare(f"name {number}", Kind.REQUEST)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            recorder, go = Recorder(), threading.Barrier(2)
            thread = threading.Thread(target=declare, args=(recorder, go))
            thread.start()
            go.wait()
            try:
                while thread.is_alive():
                    recorder.begin()
                    recorder.flush()
            except RuntimeError as error:
                problems.append(error)
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert problems == []
