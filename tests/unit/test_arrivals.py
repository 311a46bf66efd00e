from __future__ import annotations

import itertools

import gevent
from hypothesis import given
from hypothesis import strategies as st

from wsload.plugin.arrivals import SECOND_NS, Arrivals


@given(number=st.integers(1, 2_000), began_ns=st.integers(0, 2**60))
def test_who_is_started_together_arrives_evenly_over_a_second(number: int, began_ns: int) -> None:
    arrivals, due = Arrivals(lambda: began_ns), []
    for _ in range(number):
        arrivals.add(due.append)
    assert due == []
    gevent.sleep(0)
    assert len(due) == number and due[0] == began_ns
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    assert not gaps or max(gaps) - min(gaps) <= 1
    assert began_ns + SECOND_NS - due[-1] in (SECOND_NS // number, SECOND_NS // number + 1)


def test_who_is_started_later_is_spread_anew() -> None:
    times = iter([1_000, 2_000])
    arrivals, due = Arrivals(lambda: next(times)), []
    arrivals.add(due.append)
    gevent.sleep(0)
    arrivals.add(due.append)
    arrivals.add(due.append)
    gevent.sleep(0)
    assert due == [1_000, 2_000, 2_000 + SECOND_NS // 2]
