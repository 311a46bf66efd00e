"""What is left of a time without wsload's own waits in it, and what of that is doubtful: pure, with made times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wsload.load.users.context.here import Lingering, left_out
from wsload.measure.lateness import Lateness
from wsload.measure.names import OwnWait

OWN = 1
SURPLUS = OwnWait.SURPLUS
END = 100
waits = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, END), st.integers(0, 2 * END)).filter(
        lambda wait: wait[1] < wait[2] and (wait[0] != OWN or wait[2] <= END)
    ),
    max_size=8,
)
"""The task, the start and the end of each; those of other tasks may go on beyond the end."""


def one_at_a_time(found: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """As one task can linger: without those of its own that overlap with an earlier one."""
    kept: list[tuple[int, int, int]] = []
    for task, start, end in sorted(found, key=lambda each: each[1]):
        if task != OWN or all(other != OWN or until <= start for other, _, until in kept):
            kept.append((task, start, end))
    return kept


@given(waits.map(one_at_a_time), st.integers(0, 10))
def test_own_waits_are_left_out_and_those_of_others_are_doubtful_each_moment_once(
    found: list[tuple[int, int, int]], lag: int
) -> None:
    lingering = Lingering(None, OWN)
    happens = [(start, 1, task, start) for task, start, _ in found]
    happens += [(end, 0, task, start) for task, start, end in found if end <= END]
    for at, begins, task, start in sorted(happens):
        if begins:
            lingering.begin(task, at, SURPLUS)
        else:
            lingering.end(task, start, at, SURPLUS)
    own = {at for task, start, end in found if task == OWN for at in range(start, end)}
    beside = {at for task, start, end in found if task != OWN for at in range(start, min(end, END))}
    time_ns, late_ns = lingering.rest(0, END, lag, Lateness())
    assert time_ns == END - len(own)
    assert late_ns == lag + len(beside - own)


def test_what_is_left_of_a_step_when_another_task_lingered_before_its_own_one_did() -> None:
    """From 0 to 50 beside it, from 50 to 100 in it."""
    lingering = Lingering(None, OWN)
    lingering.begin(2, 0, SURPLUS)
    lingering.begin(OWN, 50, SURPLUS)
    lingering.end(2, 0, 50, SURPLUS)
    lingering.end(OWN, 50, 100, SURPLUS)
    assert lingering.rest(0, 200, 0, Lateness()) == (150, 50)


def test_waits_may_be_noted_where_no_task_runs() -> None:
    """As in a thread, where a step may be measured too."""
    with left_out(SURPLUS):
        pass
