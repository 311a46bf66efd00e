"""What Locust's own table is fed with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from locust.env import Environment

from wsload.errors import WorkloadError
from wsload.load.locust.statistics import TYPE, StatisticsFeed
from wsload.load.locust.statistics_compat import _FEW, fail_many, log_many
from wsload.measure.names import Kind
from wsload.measure.recorder import Recorder


class Direct:
    """A bridge without threads."""

    def to_listeners(self, function: Any, *arguments: Any) -> None:
        function(*arguments)


def test_every_name_is_a_row_of_its_own_beside_open_login_and_close() -> None:
    environment = Environment()
    environment.create_local_runner()
    recorder = Recorder(StatisticsFeed(Direct(), environment))  # type: ignore[arg-type]
    for name, kind in (("buy a book", Kind.REQUEST), ("check out", Kind.STEP), ("tick", Kind.VALUE)):
        figures = recorder.declare(name, kind)
        for metric in (figures.name, figures.service, figures.lost, figures.failed, figures.lagged):
            recorder.values[metric].extend([2_000_000, 4_000_000])
    for metric in ("open", "open.tcp", "login", "close", "ping", "send_lag"):
        recorder.values[metric].append(1_000_000)
    recorder.failed("buy a book", "sold out", 3_000_000)
    recorder.freeze(start_s=0, length_s=1, gauges={})
    entries = environment.stats.entries
    counts = {name: entry.num_requests for (name, kind), entry in entries.items() if kind == TYPE}
    assert counts == {"buy a book": 3, "check out": 2, "tick": 2, "open": 1, "login": 1, "close": 1}
    assert entries["buy a book", TYPE].num_failures == 1
    assert entries["tick", TYPE].avg_response_time == 3.0


@given(st.lists(st.integers(0, 20_000_000_000), min_size=1, max_size=3 * _FEW), st.integers(0, 10**6))
def test_many_at_once_are_logged_as_one_by_one(values: list[int], size: int) -> None:
    stats = Environment().stats
    at_once, one_by_one = stats.get("at once", TYPE), stats.get("one by one", TYPE)
    log_many(at_once, values, size)
    for place, value in enumerate(values):
        one_by_one.log(value / 1e6, size if place == 0 else 0)
    assert at_once.response_times == one_by_one.response_times
    assert at_once.num_requests == one_by_one.num_requests == len(values)
    assert at_once.total_content_length == one_by_one.total_content_length == size
    assert at_once.total_response_time == pytest.approx(one_by_one.total_response_time)
    assert at_once.min_response_time == one_by_one.min_response_time
    assert at_once.max_response_time == one_by_one.max_response_time


@given(st.lists(st.integers(-1, 20_000_000_000), min_size=1, max_size=50), st.booleans())
def test_many_failures_at_once_are_logged_as_one_by_one(ages: list[int], before: bool) -> None:
    at_once, one_by_one = Environment().stats, Environment().stats
    if before:
        for stats in (at_once, one_by_one):
            stats.get("buy", TYPE).log(1, 2)
    fail_many(at_once, TYPE, "buy", WorkloadError("sold out"), ages)
    for age in ages:
        one_by_one.log_request(TYPE, "buy", age / 1e6 if age >= 0 else None, 0)  # type: ignore[arg-type]
        one_by_one.log_error(TYPE, "buy", WorkloadError("sold out"))
    assert [each.occurrences for each in at_once.errors.values()] == [len(ages)]
    assert at_once.errors.keys() == one_by_one.errors.keys()
    for ours, theirs in (
        (at_once.total, one_by_one.total),
        (at_once.get("buy", TYPE), one_by_one.get("buy", TYPE)),
    ):
        assert ours.response_times == theirs.response_times
        assert ours.total_response_time == pytest.approx(theirs.total_response_time)
        for name in (
            "num_requests",
            "num_none_requests",
            "num_failures",
            "min_response_time",
            "max_response_time",
        ):
            assert getattr(ours, name) == getattr(theirs, name), name
        for name in ("num_reqs_per_sec", "num_fail_per_sec"):
            assert sum(getattr(ours, name).values()) == sum(getattr(theirs, name).values())
