from __future__ import annotations

import gc
import itertools
import math
from collections.abc import Iterator

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.load.locust.arrivals import SECOND_NS, Arrivals, phase_of_worker


@pytest.fixture(scope="module", autouse=True)
def nothing_stays_frozen() -> Iterator[None]:
    yield
    gc.unfreeze()


@given(number=st.integers(1, 2_000), began_ns=st.integers(0, 2**60), phase=st.floats(0, 1, exclude_max=True))
def test_who_is_started_together_arrives_evenly_over_a_second(
    number: int, began_ns: int, phase: float
) -> None:
    arrivals, due = Arrivals(lambda: phase, lambda: began_ns), []
    for _ in range(number):
        arrivals.add(due.append)
    assert due == []
    gevent.sleep(0)
    assert len(due) == number
    assert began_ns <= due[0] <= began_ns + math.ceil(SECOND_NS / number)
    assert due[-1] <= began_ns + SECOND_NS
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    assert not gaps or max(gaps) - min(gaps) <= 2  # ns: rounding


def test_alone_in_its_process_the_first_comes_at_once() -> None:
    arrivals, due = Arrivals(now_ns=lambda: 5), []
    arrivals.add(due.append)
    gevent.sleep(0)
    assert due == [5]


def test_who_is_started_later_is_spread_anew() -> None:
    times = iter([1_000, 2_000])
    arrivals, due = Arrivals(now_ns=lambda: next(times)), []
    arrivals.add(due.append)
    gevent.sleep(0)
    arrivals.add(due.append)
    arrivals.add(due.append)
    gevent.sleep(0)
    assert due == [1_000, 2_000, 2_000 + SECOND_NS // 2]


def test_an_admission_that_fails_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[object] = []
    monkeypatch.setattr(gevent.get_hub(), "handle_error", lambda *about: errors.append(about[1]))
    arrivals, due = Arrivals(now_ns=lambda: 0), []

    def fail(_: int) -> None:
        raise ZeroDivisionError

    for admit in (due.append, fail, due.append):
        arrivals.add(admit)
    gevent.sleep(0)
    gevent.sleep(0)
    assert len(due) == 2 and errors == [ZeroDivisionError]


@given(st.integers(2, 64))
def test_workers_come_in_turn(workers: int) -> None:
    phases = sorted(phase_of_worker(index) for index in range(workers))
    gaps = [later - earlier for earlier, later in itertools.pairwise([*phases, 1 + phases[0]])]
    # Of three lengths at most, says the three-gap theorem, and none far from the even one.
    assert phase_of_worker(-1) == phase_of_worker(0) == 0
    assert min(gaps) > 0.38 / workers and max(gaps) < 2 / workers
