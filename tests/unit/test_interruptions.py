from __future__ import annotations

from collections.abc import Iterable

from support.made_runs import second

from wsload.judge.figures.interruptions import Interruption, interruptions
from wsload.judge.figures.series import SeriesBuilder
from wsload.measure.interval import Interval


def found_in(run: Iterable[Interval]) -> tuple[Interruption, ...]:
    builder = SeriesBuilder()
    for interval in run:
        builder.add(interval)
    return interruptions(builder.series())


def calm(at: int, users: int = 100) -> Interval:
    return second(at, gauges={"users": users, "connections": users})


def drop(at: int, lost: int, left: int) -> Interval:
    return second(at, gauges={"users": 100, "connections": left}, failures={("close", "closed 1012"): lost})


def refused(at: int, attempts: int) -> Interval:
    return second(
        at,
        gauges={"users": 100, "connections": 0},
        counters={"open_failures": attempts},
        failures={("open", "refused"): attempts},
    )


def back(at: int, users: int, held: int) -> Interval:
    return second(at, gauges={"users": 100, "connections": held}, counters={"reconnects": users})


def test_a_server_that_restarts_is_one_interruption_until_everybody_is_back() -> None:
    run = [
        calm(0),
        calm(1),
        drop(2, 100, 0),
        refused(3, 100),
        refused(4, 40),
        back(5, 90, 90),
        back(6, 10, 100),
    ]
    assert found_in([*run, calm(7), calm(8)]) == (
        Interruption(start_s=2, end_s=7, lost=100, reconnected=100, refused=140),
    )


def test_a_pause_between_attempts_does_not_end_it() -> None:
    waiting = second(3, gauges={"users": 100, "connections": 0})
    (found,) = found_in([calm(0), calm(1), drop(2, 100, 0), waiting, back(4, 100, 100), calm(5)])
    assert (found.start_s, found.end_s) == (2, 5)


def test_users_who_never_come_back_interrupt_to_the_end() -> None:
    gone = [second(at, gauges={"users": 100, "connections": 0}) for at in range(3, 6)]
    (found,) = found_in([calm(0), calm(1), drop(2, 100, 0), *gone])
    assert (found.end_s, found.reconnected) == (6, 0)


def test_one_of_many_connections_is_no_interruption() -> None:
    assert found_in([calm(0), drop(1, 1, 99), back(2, 1, 100), calm(3)]) == ()


def test_two_restarts_are_two() -> None:
    run = []
    for at in range(0, 12, 4):
        run += [calm(at), calm(at + 1), drop(at + 2, 50, 50), back(at + 3, 50, 100)]
    assert [found.start_s for found in found_in(run)] == [2, 6, 10]


def test_connections_that_users_closed_themselves_are_none() -> None:
    leaving = second(1, gauges={"users": 0, "connections": 0}, closes={1000: 100})
    assert found_in([calm(0), leaving]) == ()


def test_a_run_that_recorded_no_levels_has_none() -> None:
    assert found_in([second(0, [1.0])]) == ()
    assert found_in([]) == ()
