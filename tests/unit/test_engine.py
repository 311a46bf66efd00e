"""The engine's periodic work, on a loop in a thread of its own, as in a run."""

from __future__ import annotations

import asyncio
import collections
import functools
import gc
import itertools
import queue
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.load.engine.engine import Engine, _slice
from wsload.load.engine.event_loop import STOPPED
from wsload.load.engine.watched import Watch, current_watch
from wsload.measure.histogram import Histogram, merged
from wsload.measure.interval import Interval
from wsload.measure.lateness import BEAT_NS

MS = 1_000_000
PATIENCE_S = 20


class Stage:
    """An engine at work, and what it hands out."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.errors: list[dict[str, Any]] = []
        self._drafts: queue.Queue[Any] = queue.Queue()
        self._thread = threading.Thread(target=self.engine.event_loop.run, args=(self.errors.append,))
        self._thread.start()

    def close(self) -> None:
        self.ask(self.engine.end)
        self.engine.event_loop.stop()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def ask(self, function: Callable[..., Any], *args: Any) -> Any:
        """The function's result, called on the loop's thread."""
        done: Future[Any] = Future()

        def call() -> None:
            try:
                done.set_result(function(*args))
            except BaseException as error:
                done.set_exception(error)

        self.engine.call(call)
        return done.result(PATIENCE_S)

    def run(self, scene: Coroutine[Any, Any, Any]) -> None:
        """Plays the scene on the loop to its end."""
        asyncio.run_coroutine_threadsafe(scene, self.engine.loop).result(PATIENCE_S)

    def begin(self) -> None:
        self.ask(self.engine.begin, self._drafts.put)

    def next(self) -> Interval:
        """The next interval; at most about a second away."""
        return self._drafts.get(timeout=PATIENCE_S).interval()

    def end(self) -> list[Interval]:
        """All that is still handed out."""
        self.ask(int)  # beats that are late by now have their turn first
        self.ask(self.engine.end)
        rest = []
        while not self._drafts.empty():
            rest.append(self.next())
        return rest


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()
    assert stage.errors == []


def total(metric: str, intervals: list[Interval]) -> Histogram:
    return merged(interval.histograms.get(metric, Histogram()) for interval in intervals)


class Inhabitant:
    """A member that counts its visits."""

    def __init__(self) -> None:
        self.visits = 0
        self.seen = threading.Event()

    def visit(self, now_ns: int) -> None:
        assert now_ns <= time.monotonic_ns()
        self.visits += 1
        self.seen.set()


def test_intervals_follow_each_other_without_a_gap(stage: Stage) -> None:
    outer = time.monotonic()
    stage.begin()
    inner = time.monotonic()
    intervals = [stage.next(), stage.next()]
    inner = time.monotonic() - inner
    intervals += stage.end()
    outer = time.monotonic() - outer
    assert len(intervals) >= 3
    for one, other in itertools.pairwise(intervals):
        assert one.start_s + one.length_s == pytest.approx(other.start_s, abs=1e-6)
    assert inner <= sum(interval.length_s for interval in intervals) <= outer
    assert intervals[0].length_s >= 0.1
    assert sum(interval.counters["cpu_ns"] for interval in intervals) > 0


def test_seconds_stay_in_step_when_the_machine_s_clock_is_set(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.begin()
    stage.next()
    wall_ns = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: wall_ns() + 400 * MS)
    intervals = [stage.next() for _ in range(3)]
    assert all(interval.length_s > 0.75 for interval in intervals), "a part of a second passed for one"
    one, other, last = (interval.second for interval in intervals)
    assert (other - one, last - one) == (1, 2)


def test_the_last_interval_is_handed_out_at_the_end_and_nothing_after_it(stage: Stage) -> None:
    recorder = stage.engine.recorder
    stage.begin()
    stage.ask(recorder.values["ping"].append, 5_000)
    assert total("ping", stage.end()).total == 1
    assert stage.end() == []


def test_what_was_recorded_before_the_beginning_is_not_of_this_run(stage: Stage) -> None:
    stage.ask(stage.engine.recorder.failed, "open", "refused")
    stage.ask(lambda: stage.engine.recorder.values["ping"].append(5_000))
    stage.begin()
    intervals = stage.end()
    assert intervals and not any(interval.failures for interval in intervals)
    assert not total("ping", intervals).total


def test_levels_are_those_at_the_end_of_the_interval(stage: Stage) -> None:
    stage.begin()
    stage.engine.users, stage.engine.connections, stage.engine.in_flight = 1, 7, 9
    *_, last = stage.end()
    assert last.gauges == {"users": 1, "connections": 7, "in_flight": 9}


def test_a_blocked_loop_is_late_for_every_beat_it_missed(stage: Stage) -> None:
    stage.begin()
    stage.ask(time.sleep, 0.2)
    stage.ask(int)
    lags = total("loop_lag", [stage.next(), *stage.end()])
    # Lateness of 0 to 1, 1 to 2, … 199 to 200 ms, each once.
    for late_ms in range(10, 190, 10):
        assert lags.count_above(late_ms * MS) >= 198 - late_ms
    assert lags.max_ns >= 198 * MS


def test_beats_are_as_many_as_the_time_has(stage: Stage) -> None:
    stage.begin()
    intervals = [stage.next(), *stage.end()]
    assert_all_beats(intervals)


def assert_all_beats(intervals: list[Interval]) -> None:
    beats = total("loop_lag", intervals).total
    assert beats == pytest.approx(sum(each.length_s for each in intervals) * 1e9 / BEAT_NS, abs=5)


def test_collections_are_recorded_with_their_pauses(stage: Stage) -> None:
    stage.begin()
    for _ in range(3):
        gc.collect()
    assert total("gc_pause", stage.end()).total >= 3


def test_members_are_visited_until_they_leave(stage: Stage) -> None:
    one, other = Inhabitant(), Inhabitant()
    stage.begin()
    stage.ask(stage.engine.members.update, {one: None, other: None})
    assert one.seen.wait(PATIENCE_S) and other.seen.wait(PATIENCE_S)
    stage.ask(stage.engine.members.pop, one)
    visits = one.visits
    other.seen.clear()
    assert other.seen.wait(PATIENCE_S)
    assert one.visits == visits


def test_members_are_visited_only_once_what_came_before_was_read(stage: Stage) -> None:
    ours, theirs = socket.socketpair()
    first, firsts = socket.socketpair()
    loop, events = stage.engine.loop, list[str]()
    visited = threading.Event()

    class Waiting:
        """A member that waits for a byte."""

        def visit(self, now_ns: int) -> None:
            events.append("visited")
            if "came" in events:
                visited.set()

    def hold_up() -> None:
        """Until a visit is due: the next poll of the sockets finds that, and something to read before."""
        while time.monotonic_ns() <= stage.engine._periodic["flush"].due_ns:
            time.sleep(0.001)
        firsts.send(b"x")

    def read_first() -> None:
        first.recv(1)
        time.sleep(0.002)
        events.append("came")
        theirs.send(b"x")

    def read() -> None:
        ours.recv(1)
        events.append("read")

    stage.begin()
    stage.ask(loop.add_reader, first, read_first)
    stage.ask(loop.add_reader, ours, read)
    stage.ask(stage.engine.members.update, {Waiting(): None})
    stage.ask(hold_up)
    assert visited.wait(PATIENCE_S)
    for each in (first, ours):
        stage.ask(loop.remove_reader, each)
    for each in (first, firsts, ours, theirs):
        each.close()
    came = events.index("came")
    assert events[came : came + 2] == ["came", "read"]


def test_beginning_again_ends_the_run_before(stage: Stage) -> None:
    callbacks = len(gc.callbacks)
    stage.begin()
    stage.ask(lambda: stage.engine.recorder.values["ping"].append(5_000))
    stage.begin()
    assert len(gc.callbacks) == callbacks + 1
    intervals = [stage.next(), stage.next(), *stage.end()]
    assert len(gc.callbacks) == callbacks
    assert total("ping", intervals).total == 1
    assert_all_beats(intervals)


def test_what_nobody_caught_is_told() -> None:
    stage = Stage()

    def fail() -> None:
        raise ValueError("on purpose")

    stage.engine.call(fail)
    stage.ask(int)
    stage.close()
    assert [str(context["exception"]) for context in stage.errors] == ["on purpose"]


def test_what_a_user_did_not_handle_is_told_to_that_user(stage: Stage) -> None:
    found: list[str] = []

    def tick() -> None:
        raise ValueError("on purpose")

    async def fail() -> None:
        tick()

    async def scene() -> None:
        current_watch.set(Watch(lambda what, _: found.append(what)))
        asyncio.get_running_loop().call_soon(tick)
        asyncio.create_task(fail())  # noqa: RUF006  # on purpose
        while len(found) < 2:  # noqa: ASYNC110  # what is told is no event
            await asyncio.sleep(0.001)

    stage.run(scene())
    assert sorted(found) == ["callback tick", "task fail"]


@given(st.integers(1, 30), st.integers(1, 40))
def test_visits_go_round(number: int, most: int) -> None:
    members: Any = dict.fromkeys(range(number))
    turn: Any = collections.deque()
    rounds = 4
    visited: list[Any] = []
    while len(visited) < rounds * number:
        part = _slice(turn, members, most)
        assert 0 < len(part) <= most
        visited += part
    assert all(visited.count(member) == len(visited) // number for member in members)


def test_what_is_due_at_once_is_done_one_by_one_with_the_loop_in_between(stage: Stage) -> None:
    done: list[str] = []

    async def scene() -> None:
        for name in ("first", "second", "third"):
            stage.engine.in_turn(functools.partial(done.append, name))
        stage.engine.loop.call_soon(done.append, "somebody's data")
        await stage.engine.own_turn()

    stage.run(scene())
    assert done == ["first", "somebody's data", "second", "third"]


def test_a_turn_that_nobody_waits_for_any_more_is_passed_over(stage: Stage) -> None:
    async def scene() -> None:
        given_up = stage.engine.loop.create_task(stage.engine.own_turn())
        stage.engine.in_turn(given_up.cancel)
        await stage.engine.own_turn()
        assert given_up.cancelled()

    stage.run(scene())


def test_an_action_that_fails_holds_up_nobody(stage: Stage) -> None:
    async def scene() -> None:
        stage.engine.in_turn(lambda: 1 / 0)
        await stage.engine.own_turn()

    stage.run(scene())
    assert [type(stage.errors.pop()["exception"])] == [ZeroDivisionError]


def test_a_task_that_stops_the_loop_is_told_so_and_stops_nothing(stage: Stage) -> None:
    stage.begin()
    for _ in range(3):
        stage.ask(stage.engine.loop.stop)
    stage.next()
    stage.end()
    said = [stage.errors.pop()["message"] for _ in range(3)]
    assert said == [STOPPED] * 3
