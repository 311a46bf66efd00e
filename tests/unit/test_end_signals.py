from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.load.locust.signals import TOGETHER_S, EndSignals, Urgency


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def heard_after(*gaps_s: float) -> list[Urgency | None]:
    clock = Clock()
    signals = EndSignals(
        on_unhandled=lambda: None, on_again=lambda: None, is_unjudged=lambda: False, now_s=clock
    )
    found = []
    for gap_s in gaps_s:
        clock.now_s += gap_s
        found.append(signals.heard())
    return found


def test_each_signal_is_more_urgent_than_the_last() -> None:
    assert heard_after(1, 1, 1, 1) == [Urgency.FIRST, Urgency.AGAIN, Urgency.THIRD, Urgency.THIRD]


def test_signals_that_come_together_are_one() -> None:
    assert heard_after(0, 0.02, 0.02) == [Urgency.FIRST, None, None]


def test_whoever_keeps_pressing_the_key_is_heard() -> None:
    assert [each for each in heard_after(*[0.1] * 20) if each] == [
        Urgency.FIRST,
        Urgency.AGAIN,
        Urgency.THIRD,
        Urgency.THIRD,
    ]


@given(st.lists(st.floats(0, 3), min_size=1))
def test_never_more_urgent_than_the_time_allows(gaps_s: list[float]) -> None:
    found = [each for each in heard_after(*gaps_s) if each]
    assert found[0] is Urgency.FIRST and found == sorted(found)
    assert len(found) <= 1 + sum(gaps_s[1:]) / TOGETHER_S


@pytest.mark.parametrize(("leaves", "then"), [(False, Urgency.FIRST), (True, Urgency.THIRD)])
def test_signals_are_counted_for_each_run_while_the_process_goes_on(leaves: bool, then: Urgency) -> None:
    clock = Clock()
    signals = EndSignals(
        on_unhandled=lambda: None, on_again=lambda: None, is_unjudged=lambda: False, now_s=clock
    )
    for _ in range(2):
        clock.now_s += 1
        signals.heard()
    if leaves:
        signals.leave()
    signals.run_ended()
    clock.now_s += 1
    assert signals.heard() is then
