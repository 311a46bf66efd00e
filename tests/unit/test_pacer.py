"""The pacer: even or random arrivals for the workers that are ready, none lost and none invented."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from wsload.load.engine.pacer import PER_TURN, Pacer
from wsload.load.engine.timers import TimerQueue
from wsload.measure.profile import Course, parse_profile

MS = 1_000_000
SECOND = 1_000 * MS


class Taker:
    """A worker that notes what it takes, and when."""

    def __init__(self, log: list[tuple[Taker, int]]) -> None:
        self._log = log
        self.missed = 0

    def take(self, due_ns: int) -> None:
        assert time.monotonic_ns() >= due_ns, "handed out early"
        self._log.append((self, due_ns))

    def take_missed(self, count: int) -> None:
        assert count > 0
        self.missed += count


class Stage:
    """A pacer at a rate per ready worker, on a real loop."""

    def __init__(self, timers: TimerQueue, rate_for: Callable[[int], float], **settings: Any) -> None:
        self.timers = timers
        self.log: list[tuple[Taker, int]] = []
        self.pacer = Pacer(timers, rate_for, **{"poisson": False, **settings})

    def new_taker(self) -> Taker:
        taker = Taker(self.log)
        self.pacer.join(taker)
        return taker

    @property
    def dues(self) -> list[int]:
        return [due for _, due in self.log]

    async def until(self, number: int) -> None:
        """Returns once so many were handed out in all."""
        while len(self.log) < number:
            await self.timers.sleep_until(time.monotonic_ns() + MS)


def run(body: Callable[[TimerQueue], Awaitable[None]]) -> None:
    async def main() -> None:
        timers = TimerQueue(asyncio.get_running_loop())
        try:
            async with asyncio.timeout(20):
                await body(timers)
        finally:
            timers.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def block_until(due_ns: int) -> None:
    """Holds the loop, as a slow callback would."""
    while time.monotonic_ns() < due_ns:
        pass


def gaps(dues: list[int]) -> list[int]:
    return [later - earlier for earlier, later in itertools.pairwise(dues)]


def test_due_times_are_evenly_spaced_and_go_round() -> None:
    async def body(timers: TimerQueue) -> None:
        stage = Stage(timers, lambda ready: 1000.0 if ready == 3 else 0.0)
        takers = [stage.new_taker() for _ in range(3)]
        await stage.until(60)
        assert all(abs(gap - MS) <= 2 for gap in gaps(stage.dues))
        who = [takers.index(taker) for taker, _ in stage.log]
        assert who == [(who[0] + number) % 3 for number in range(len(who))]

    run(body)


def test_after_a_block_every_post_that_was_due_is_handed_out_with_its_own_due_time() -> None:
    async def body(timers: TimerQueue) -> None:
        stage = Stage(timers, lambda _: 1000.0)
        stage.new_taker()
        await stage.until(3)
        block_until(time.monotonic_ns() + 50 * MS)
        await stage.until(60)
        assert all(abs(gap - MS) <= 2 for gap in gaps(stage.dues))

    run(body)


@pytest.mark.parametrize("change", ["join", "leave", "update"])
def test_what_was_overdue_when_the_rate_changed_keeps_its_due_time(change: str) -> None:
    async def body(timers: TimerQueue) -> None:
        rate = 1000.0
        stage = Stage(timers, lambda _: rate)
        first, second = stage.new_taker(), stage.new_taker()
        assert first is not second
        await stage.until(3)
        block_until(time.monotonic_ns() + 20 * MS)
        rate = 50.0
        number = len(stage.log)
        if change == "join":
            stage.new_taker()
        elif change == "leave":
            stage.pacer.leave(second)
        else:
            stage.pacer.update()
        assert len(stage.log) >= number + 20
        await stage.until(len(stage.log) + 3)
        found = gaps(stage.dues)
        last_old = max(place for place, gap in enumerate(found) if abs(gap - MS) <= 2)
        assert last_old >= number + 18
        assert all(abs(gap - MS) <= 2 for gap in found[:last_old])
        # What was left of the gap is stretched, and from then on one is due every 20 ms.
        assert found[last_old + 1] <= 20 * MS + 2
        assert found[last_old + 2 :] and all(abs(gap - 20 * MS) <= 2 for gap in found[last_old + 2 :])

    run(body)


def test_the_rate_follows_those_who_are_ready() -> None:
    async def body(timers: TimerQueue) -> None:
        asked: list[int] = []

        def rate_for(ready: int) -> float:
            asked.append(ready)
            return 100.0 * ready

        stage = Stage(timers, rate_for)
        one, two = stage.new_taker(), stage.new_taker()
        stage.pacer.leave(one)
        stage.pacer.leave(one)
        stage.pacer.leave(two)
        assert asked == [1, 2, 1]

    run(body)


def test_with_nobody_ready_nothing_is_due_and_nothing_is_made_up_for() -> None:
    async def body(timers: TimerQueue) -> None:
        stage = Stage(timers, lambda _: 1000.0)
        taker = stage.new_taker()
        await stage.until(5)
        stage.pacer.leave(taker)
        issued = len(stage.log)
        await timers.sleep_until(time.monotonic_ns() + 10 * MS)
        assert len(stage.log) == issued
        back = time.monotonic_ns()
        stage.pacer.join(taker)
        await stage.until(issued + 5)
        assert all(due > back for due in stage.dues[issued:])

    run(body)


def test_one_who_left_takes_nothing_more() -> None:
    async def body(timers: TimerQueue) -> None:
        stage = Stage(timers, lambda _: 2000.0)
        gone, stays = stage.new_taker(), stage.new_taker()
        await stage.until(6)
        stage.pacer.leave(gone)
        number = len(stage.log)
        await stage.until(number + 10)
        assert {taker for taker, _ in stage.log[number:]} == {stays}

    run(body)


def test_poisson_arrivals_repeat_by_their_seed() -> None:
    async def body(timers: TimerQueue) -> None:
        stages = [Stage(timers, lambda _: 2000.0, poisson=True, seed=4) for _ in range(2)]
        for stage in stages:
            stage.new_taker()
        for stage in stages:
            await stage.until(50)
        one, other = (gaps(stage.dues[:50]) for stage in stages)
        assert all(abs(a - b) <= 2 for a, b in zip(one, other, strict=True))
        assert len(set(one)) > 40

    run(body)


@pytest.mark.parametrize("poisson", [False, True])
def test_a_rate_beyond_reach_is_shed_and_counted(poisson: bool) -> None:
    rate, blocked_s = 1_000_000.0, 0.05

    async def body(timers: TimerQueue) -> None:
        stage = Stage(timers, lambda _: rate, poisson=poisson, seed=1)
        began = time.monotonic_ns()
        taker = stage.new_taker()
        block_until(time.monotonic_ns() + int(blocked_s * SECOND))
        turns = 0
        while time.monotonic_ns() < began + 150 * MS:
            number = len(stage.log)
            await asyncio.sleep(0)
            turns += 1
            assert len(stage.log) - number <= PER_TURN
        assert turns, "the loop has its turns"
        until = time.monotonic_ns()
        stage.pacer.leave(taker)
        assert taker.missed > 0
        assert len(stage.log) + taker.missed == pytest.approx(rate * (until - began) / SECOND, rel=0.03)
        assert stage.dues == sorted(stage.dues)

    run(body)


def test_a_swarm_leaves_in_linear_time() -> None:
    async def body(timers: TimerQueue) -> None:
        stage = Stage(timers, lambda ready: 1e-6 * ready)
        takers = [stage.new_taker() for _ in range(20_000)]
        began = time.process_time()
        for taker in reversed(takers):
            stage.pacer.leave(taker)
        assert time.process_time() - began < 1
        assert not stage.log

    run(body)


def test_a_course_begun_earlier_is_joined_where_it_is() -> None:
    """Whatever passed of it before counts for others; none of it is caught up on, and none is repeated."""
    profile = parse_profile("0:1000/s 10s:1000/s 10s:0 11s:0 11s:200/s")

    async def body(timers: TimerQueue) -> None:
        began = time.monotonic_ns()
        rates = [0.0]
        stage = Stage(timers, lambda _: rates[-1], course=Course(profile=profile, start_ns=began))
        stage.new_taker()
        late = Course(profile=profile, start_ns=began - 11 * SECOND)
        stage.pacer.follow(late)
        assert not stage.log
        joined = time.monotonic_ns()
        rates.append(0.5)
        stage.pacer.update()
        await stage.until(10)
        assert stage.dues[0] >= joined + 10 * MS - MS
        assert all(abs(gap - 10 * MS) < MS for gap in gaps(stage.dues))

    run(body)
