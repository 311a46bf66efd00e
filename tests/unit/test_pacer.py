from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from wsload.load.engine.pacer import Pacer
from wsload.load.engine.timers import Alarm

MS = 1_000_000
SECOND = 1_000 * MS


class Taker:
    """A worker that notes what it takes, and when."""

    def __init__(self, log: list[tuple[Taker, int]]) -> None:
        self._log = log

    def take(self, due_ns: int) -> None:
        assert time.monotonic_ns() >= due_ns, "handed out early"
        self._log.append((self, due_ns))


class Stage:
    """A pacer at a rate per ready worker, on a real loop and alarm."""

    def __init__(self, alarm: Alarm, rate_for: Callable[[int], float], **settings: Any) -> None:
        self.alarm = alarm
        self.log: list[tuple[Taker, int]] = []
        self.pacer = Pacer(alarm, rate_for, **{"poisson": False, **settings})

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
            await self.alarm.sleep_until(time.monotonic_ns() + MS)


def run(body: Callable[[Alarm], Awaitable[None]]) -> None:
    async def main() -> None:
        alarm = Alarm(asyncio.get_running_loop())
        try:
            async with asyncio.timeout(20):
                await body(alarm)
        finally:
            alarm.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def block_until(due_ns: int) -> None:
    """Holds the loop, as a slow callback would."""
    while time.monotonic_ns() < due_ns:
        pass


def gaps(dues: list[int]) -> list[int]:
    return [later - earlier for earlier, later in itertools.pairwise(dues)]


def test_due_times_are_evenly_spaced_and_go_round() -> None:
    async def body(alarm: Alarm) -> None:
        stage = Stage(alarm, lambda ready: 1000.0 if ready == 3 else 0.0)
        takers = [stage.new_taker() for _ in range(3)]
        await stage.until(60)
        assert all(abs(gap - MS) <= 2 for gap in gaps(stage.dues))
        who = [takers.index(taker) for taker, _ in stage.log]
        assert who == [(who[0] + number) % 3 for number in range(len(who))]
        assert stage.pacer.issued == len(who)

    run(body)


def test_after_a_block_every_post_that_was_due_is_handed_out_with_its_own_due_time() -> None:
    async def body(alarm: Alarm) -> None:
        stage = Stage(alarm, lambda _: 1000.0)
        stage.new_taker()
        await stage.until(3)
        block_until(time.monotonic_ns() + 50 * MS)
        await stage.until(60)
        assert all(abs(gap - MS) <= 2 for gap in gaps(stage.dues))

    run(body)


@pytest.mark.parametrize("change", ["join", "leave", "update"])
def test_what_was_overdue_when_the_rate_changed_keeps_its_due_time(change: str) -> None:
    async def body(alarm: Alarm) -> None:
        rate = 1000.0
        stage = Stage(alarm, lambda _: rate)
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
    async def body(alarm: Alarm) -> None:
        asked: list[int] = []

        def rate_for(ready: int) -> float:
            asked.append(ready)
            return 100.0 * ready

        stage = Stage(alarm, rate_for)
        one, two = stage.new_taker(), stage.new_taker()
        stage.pacer.leave(one)
        stage.pacer.leave(one)
        stage.pacer.leave(two)
        assert asked == [1, 2, 1]

    run(body)


def test_with_nobody_ready_nothing_is_due_and_nothing_is_made_up_for() -> None:
    async def body(alarm: Alarm) -> None:
        stage = Stage(alarm, lambda _: 1000.0)
        taker = stage.new_taker()
        await stage.until(5)
        stage.pacer.leave(taker)
        issued = stage.pacer.issued
        await alarm.sleep_until(time.monotonic_ns() + 10 * MS)
        assert stage.pacer.issued == issued
        back = time.monotonic_ns()
        stage.pacer.join(taker)
        await stage.until(issued + 5)
        assert all(due > back for due in stage.dues[issued:])

    run(body)


def test_one_who_left_takes_nothing_more() -> None:
    async def body(alarm: Alarm) -> None:
        stage = Stage(alarm, lambda _: 2000.0)
        gone, stays = stage.new_taker(), stage.new_taker()
        await stage.until(6)
        stage.pacer.leave(gone)
        number = len(stage.log)
        await stage.until(number + 10)
        assert {taker for taker, _ in stage.log[number:]} == {stays}

    run(body)


def test_poisson_arrivals_repeat_by_their_seed() -> None:
    async def body(alarm: Alarm) -> None:
        stages = [Stage(alarm, lambda _: 2000.0, poisson=True, seed=4) for _ in range(2)]
        for stage in stages:
            stage.new_taker()
        for stage in stages:
            await stage.until(50)
        one, other = (gaps(stage.dues[:50]) for stage in stages)
        assert all(abs(a - b) <= 2 for a, b in zip(one, other, strict=True))
        assert len(set(one)) > 40

    run(body)
