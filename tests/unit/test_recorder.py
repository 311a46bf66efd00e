from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from wsload.measure.histogram import TRACKABLE_NS, Histogram
from wsload.measure.interval import COUNTERS, METRICS, Interval
from wsload.measure.recorder import LONG, Counts, Failure, Recorder

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


class Witness:
    """A tap that keeps all it was shown."""

    def __init__(self) -> None:
        self.values: dict[str, list[int]] = {}
        self.sizes: list[int] = []
        self.seen: list[Failure] = []

    def samples(self, metric: str, values: list[int], sizes: list[int]) -> None:
        assert values, "shown nothing"
        assert len(sizes) == (len(values) if metric == "message" else 0)
        self.values.setdefault(metric, []).extend(values)
        self.sizes += sizes

    def failures(self, failures: list[Failure]) -> None:
        self.seen += failures


def freeze(recorder: Recorder) -> Interval:
    return recorder.freeze(start_s=1.7e9, length_s=1.0, gauges={"users": 3}).interval()


def total(intervals: list[Interval], part: str) -> Counter[object]:
    summed: Counter[object] = Counter()
    for interval in intervals:
        summed.update(getattr(interval, part))
    return summed


@given(st.lists(steps, max_size=30))
def test_all_that_was_recorded_is_in_one_interval_and_shown_once(plan: list[tuple]) -> None:
    witness = Witness()
    recorder = Recorder(witness)
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
                    recorder.sizes.extend(range(len(new)))
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
    assert witness.values == recorded
    assert len(witness.sizes) == len(recorded.get("message", ()))
    assert witness.seen == failed
    assert total(intervals, "counters") == counted
    assert total(intervals, "failures") == Counter((tried, kind) for tried, kind, _ in failed)
    assert total(intervals, "closes") == closed


def test_an_interval_is_a_value_of_its_own() -> None:
    recorder = Recorder()
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
    recorder.values["message"] += [-1, TRACKABLE_NS + 1, 5_000]
    recorder.values["delivery"] += [-(2**63), 2**80]
    interval = freeze(recorder)
    assert interval.counters == {"out_of_range": 4}
    assert interval.histograms["message"].total == 1


def test_a_short_list_waits_for_the_freeze_and_a_long_one_does_not() -> None:
    witness = Witness()
    recorder = Recorder(witness)
    recorder.values["message"].append(1)
    recorder.sizes.append(1)
    recorder.values["delivery"] += [1] * LONG
    recorder.flush()
    assert recorder.values["message"] == [1] and recorder.values["delivery"] == []
    assert witness.values == {"delivery": [1] * LONG}


def test_there_is_a_slot_for_every_counter() -> None:
    assert Counts.__annotations__.keys() == set(COUNTERS) == set(Counts.__slots__)
