"""Times that bring more for listeners of Locust's ``request`` event are times like any other."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from wsload.measure.detailed import DetailedTime
from wsload.measure.names import Kind
from wsload.measure.recorder import Recorder

DAY_NS = 86_400_000_000_000


@given(st.integers(-1, DAY_NS))
def test_it_began_as_long_ago_as_it_took(time_ns: int) -> None:
    before_s = time.time()
    detailed = DetailedTime.ended(time_ns, "answer", {"user": 1})
    after_s = time.time()
    assert detailed == time_ns
    assert before_s - 0.01 <= detailed.start_s + max(time_ns, 0) / 1e9 <= after_s + 0.01
    assert (detailed.response, detailed.context) == ("answer", {"user": 1})


@given(st.lists(st.integers(0, 10**9), min_size=1))
def test_it_is_recorded_like_a_plain_number(times: list[int]) -> None:
    found = []
    for tells in (False, True):
        recorder = Recorder()
        recorder.detailed = tells
        figures = recorder.declare("step", Kind.STEP)
        for time_ns in times:
            recorder.timed(figures.name, 0, time_ns)
            recorder.failed("step", "sold out", time_ns)
        assert all(isinstance(value, DetailedTime) is tells for value in recorder.values["step"])
        found.append(recorder.freeze(start_s=0, length_s=1, gauges={}).interval())
    plain, detailed = found
    assert plain.histograms == detailed.histograms
    assert plain.failures == detailed.failures
