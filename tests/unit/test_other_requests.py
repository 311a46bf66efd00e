from __future__ import annotations

import collections
import math
import threading
from typing import Any

import pytest

from wsload.load.locust.other_requests import LONGEST_KIND, OtherRequests
from wsload.load.locust.statistics import TYPE
from wsload.measure.interval import Interval
from wsload.measure.names import MAX_KINDS, OTHER, Kind
from wsload.measure.recorder import Recorder


class Engine:
    """Calls at once what it is to call soon."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.calls = 0

    def call(self, function: Any, *args: Any) -> None:
        self.calls += 1
        function(*args)

    def interval(self) -> Interval:
        return self.recorder.freeze(start_s=0, length_s=1, gauges={}).interval()


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def requests(engine: Engine) -> OtherRequests:
    return OtherRequests(engine)  # type: ignore[arg-type]


def count(interval: Interval, name: str) -> int:
    return interval.histograms[name].total if name in interval.histograms else 0


def test_a_time_is_recorded_under_its_requests_name(engine: Engine, requests: OtherRequests) -> None:
    for milliseconds in (1, 2.5, 3):
        requests.on_request("GET", "/page", response_time=milliseconds, response_length=3)
    interval = engine.interval()
    assert count(interval, "/page") == 3
    assert interval.histograms["/page"].percentile(100) == pytest.approx(3e6, rel=0.001)
    assert interval.names["/page"] is Kind.VALUE
    assert requests.names == {"/page"}


def test_a_failure_is_one_of_that_name_and_no_time(engine: Engine, requests: OtherRequests) -> None:
    requests.on_request("GET", "/page", response_time=1, exception=ValueError("sold\nout"))
    requests.on_request("GET", "/page", response_time=1, exception="just text")
    interval = engine.interval()
    assert interval.failures == {("/page", "ValueError: sold out"): 1, ("/page", "just text"): 1}
    assert count(interval, "/page") == 0


@pytest.mark.parametrize("time", [None, math.nan, math.inf, -1, "12", object()])
def test_what_is_no_time_is_not_recorded(engine: Engine, requests: OtherRequests, time: Any) -> None:
    requests.on_request("GET", "/page", response_time=time)
    requests.on_request("GET", "/page", response_time=time, exception=ValueError())
    interval = engine.interval()
    assert count(interval, "/page") == 0
    assert interval.failures == {("/page", "ValueError"): 1}


@pytest.mark.parametrize("time", [1e13, 1e305, 10**400])
def test_a_time_beyond_all_bounds_is_counted_as_out_of_range(
    engine: Engine, requests: OtherRequests, time: float
) -> None:
    requests.on_request("GET", "/page", response_time=time)
    interval = engine.interval()
    assert (count(interval, "/page"), interval.counters["out_of_range"]) == (0, 1)


def test_wsloads_own_events_are_not_recorded_again(engine: Engine, requests: OtherRequests) -> None:
    requests.on_request(TYPE, "message", response_time=1)
    requests.on_request("WS", "of a user", response_time=1)
    interval = engine.interval()
    assert count(interval, "message") == 0 and count(interval, "of a user") == 1


def test_what_is_recorded_before_it_is_fired_is_not_recorded_again(
    engine: Engine, requests: OtherRequests
) -> None:
    fired = requests.recorded({"request_type": "GET", "name": "/page", "response_time": 1, "context": {}})
    assert fired["request_type"] == "GET"
    requests.on_request(**fired)
    assert count(engine.interval(), "/page") == 1
    assert requests.recorded({"request_type": "GET"}) == {"request_type": "GET"}


@pytest.mark.parametrize("name", ["open", "buy", "buy.lost", "", "\n"])
def test_a_name_that_is_taken_or_none_is_told_apart_by_its_type(
    engine: Engine, requests: OtherRequests, name: str
) -> None:
    engine.recorder.declare("buy", Kind.REQUEST)
    requests.on_request("GET", name, response_time=1)
    interval = engine.interval()
    assert count(interval, f"{name} (GET)".strip()) == 1
    assert count(interval, name) == 0


def test_the_same_name_of_two_types_are_two(engine: Engine, requests: OtherRequests) -> None:
    for request_type in ("GET", "POST", "GET"):
        requests.on_request(request_type, "/page", response_time=1)
    interval = engine.interval()
    assert (count(interval, "/page"), count(interval, "/page (POST)")) == (2, 1)


def test_each_run_has_names_of_its_own(engine: Engine, requests: OtherRequests) -> None:
    requests.on_request("GET", "/page", response_time=1)
    before = requests.names
    engine.recorder.forget_names()
    requests.begin()
    engine.recorder.declare("/page", Kind.REQUEST)
    requests.on_request("GET", "/page", response_time=1)
    assert (before, requests.names) == ({"/page"}, {"/page (GET)"})


def test_a_name_that_the_recorder_has_forgotten_is_declared_anew(
    engine: Engine, requests: OtherRequests
) -> None:
    requests.on_request("GET", "/page", response_time=1)
    engine.interval()
    engine.recorder.forget_names()
    requests.on_request("GET", "/page", response_time=1)
    assert engine.interval().names == {"/page": Kind.VALUE}


def test_names_and_kinds_are_bounded(engine: Engine, requests: OtherRequests) -> None:
    for number in range(1000):
        requests.on_request("GET", f"/{number}", response_time=1)
        requests.on_request("GET", "/", exception=ValueError(f"{number} " + "x" * 1000))
    interval = engine.interval()
    assert len(interval.histograms) < 250 and count(interval, OTHER) > 750
    kinds = [kind for what, kind in interval.failures]
    assert len(kinds) == MAX_KINDS + 1
    assert max(map(len, kinds)) <= LONGEST_KIND
    assert sum(interval.failures.values()) == 1000


def test_many_events_wake_the_loop_once(engine: Engine) -> None:
    engine.call = lambda *_: None  # type: ignore[method-assign]
    requests = OtherRequests(engine)  # type: ignore[arg-type]
    woken: list[Any] = []
    engine.call = lambda function, *_: woken.append(function)  # type: ignore[method-assign]
    for number in range(50):
        requests.on_request("GET", "/page", response_time=number)
    assert len(woken) == 1
    woken[0]()
    assert count(engine.interval(), "/page") == 50


def test_events_of_threads_at_the_same_moment_are_recorded_and_so_are_those_after_them(
    engine: Engine,
) -> None:
    woken: list[Any] = []
    engine.call = lambda function, *_: woken.append(function)  # type: ignore[method-assign]
    requests = OtherRequests(engine)  # type: ignore[arg-type]
    both = threading.Barrier(2)

    class Meeting(collections.deque[Any]):
        """Both threads have appended before either goes on."""

        def append(self, item: Any) -> None:
            super().append(item)
            both.wait(10)

    requests._fired = Meeting()
    for _ in range(3):
        threads = [threading.Thread(target=requests.on_request, args=("GET", "/page", 1)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert woken
        while woken:
            woken.pop()()
    assert count(engine.interval(), "/page") == 6


def test_an_event_fired_while_others_are_recorded_is_recorded(engine: Engine) -> None:
    woken: list[Any] = []
    engine.call = lambda function, *_: woken.append(function)  # type: ignore[method-assign]
    requests = OtherRequests(engine)  # type: ignore[arg-type]

    class Emptied(collections.deque[Any]):
        """Another event comes right after this was found empty."""

        def __bool__(self) -> bool:
            found = len(self) > 0
            if not found and late:
                late.pop()()
            return found

    late = [lambda: requests.on_request("GET", "/page", 1)]
    requests._fired = Emptied()
    requests.on_request("GET", "/page", 1)
    while woken:
        woken.pop()()
    assert count(engine.interval(), "/page") == 2
