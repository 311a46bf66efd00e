from __future__ import annotations

import gevent
import gevent.event

from wsload.load.locust.lane import SLICE, Lane


def test_jobs_are_done_in_order_and_one_that_fails_is_told_of() -> None:
    done: list[int] = []
    errors: list[str] = []
    lane = Lane(errors.append)
    lane.add(done.append, 1)
    lane.add(lambda: 1 / 0)
    lane.add(done.append, 2)
    assert lane.settle(5)
    assert done == [1, 2]
    assert len(errors) == 1 and "ZeroDivisionError" in errors[0]


def test_many_jobs_leave_others_their_turn() -> None:
    done: list[int] = []
    lane = Lane(print)
    for number in range(3 * SLICE):
        lane.add(done.append, number)
    lane.wake()
    turns = []
    while len(done) < 3 * SLICE:
        turns.append(len(done))
        gevent.sleep(0)
    assert len(turns) >= 3


def test_a_job_that_blocks_is_left_and_what_is_behind_it_is_done() -> None:
    lane, never, done = Lane(print), gevent.event.Event(), []
    lane.add(never.wait)
    lane.add(done.append, 1)
    assert not lane.settle(0.05)
    assert done == [1]
    # What comes later is done once, also when the job returns after all.
    never.set()
    gevent.sleep(0)
    lane.add(done.append, 2)
    assert lane.settle(5)
    assert done == [1, 2]


def test_a_job_may_wait_for_those_behind_it() -> None:
    lane, done = Lane(print), []

    def wait_for_the_next() -> None:
        lane.hand_over()
        done.append(lane.settle(5))

    lane.add(wait_for_the_next)
    lane.add(done.append, "next")
    lane.wake()
    assert lane.settle(5)
    gevent.sleep(0.01)
    assert done == ["next", True]


def test_only_a_job_hands_over() -> None:
    lane, done = Lane(print), []
    lane.hand_over()
    lane.add(done.append, 1)
    assert lane.settle(5) and done == [1]
