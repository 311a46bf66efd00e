"""Tasks that wait for their turn: what the load generator added to their wait is known, at most; with made times."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wsload.load.users.context.here import Due
from wsload.load.users.turns import Turns
from wsload.measure.lateness import Lateness
from wsload.measure.names import OwnWait


class Blocked:
    """A loop that was late in these times."""

    def __init__(self) -> None:
        self.times: list[tuple[int, int]] = []

    def within(self, from_ns: int, to_ns: int) -> int:
        return sum(max(min(end, to_ns) - max(start, from_ns), 0) for start, end in self.times)


Plan = list[tuple[int, int, int, int, int]]
plans: st.SearchStrategy[Plan] = st.lists(
    st.tuples(
        st.integers(0, 60),  # since the task before was due
        st.integers(0, 50),  # for how long the server takes
        st.integers(0, 50),  # for how long the task lingers
        st.integers(0, 50),  # for how long a task lingers that it has started and waits for
        st.integers(0, 50),  # for how long it blocks the loop
    ),
    max_size=12,
)


def turns_of(plan: Plan, waits: list[dict[OwnWait, int]] | None = None) -> list[tuple[int, int, int, int]]:
    """For each task: when it was due, when it started, how late at most, and when it would have without wsload.

    ``waits`` gets what each has waited for, of what wsload itself waited for.
    """
    blocked: Any = Blocked()
    turns, found = Turns(blocked), []
    due_ns = free_ns = truly_free_ns = 0
    for gap, service, lingers, beside, blocks in plan:
        due_ns += gap + 1
        start_ns, truly_ns = max(due_ns, free_ns), max(due_ns, truly_free_ns)
        due = Due(due_ns, blocked)
        due.task = 1
        found.append((due_ns, start_ns, turns.begin(due_ns, start_ns), truly_ns))
        if waits is not None:
            waits.append(dict(turns.waited(found[-1][2])))
        at_ns = start_ns + service
        for task, wait, why in ((1, lingers, OwnWait.SURPLUS), (2, beside, OwnWait.PAUSE)):
            if wait:
                due.waiting().begin(task, at_ns, why)
                due.waiting().end(task, at_ns, at_ns + wait, why)
                at_ns += wait
        if blocks:
            blocked.times.append((at_ns, at_ns + blocks))
        free_ns, truly_free_ns = at_ns + blocks, truly_ns + service
        turns.end(due, free_ns)
    return found


@given(plans)
def test_when_a_task_would_have_started_without_wsload_lies_within_the_bounds(plan: Plan) -> None:
    for due_ns, start_ns, lag_ns, truly_ns in turns_of(plan):
        assert start_ns - due_ns >= lag_ns
        assert start_ns - lag_ns - blocked_after(plan, due_ns + lag_ns, start_ns) <= truly_ns <= start_ns


def blocked_after(plan: Plan, from_ns: int, to_ns: int) -> int:
    """What `lateness_of` adds to the lag of a request that is sent when its task starts."""
    blocked, free_ns, due_ns = Blocked(), 0, 0
    for gap, service, lingers, beside, blocks in plan:
        due_ns += gap + 1
        at_ns = max(due_ns, free_ns) + service + lingers + beside
        free_ns = at_ns + blocks
        blocked.times.append((at_ns, free_ns))
    return blocked.within(from_ns, to_ns)


@given(plans)
def test_a_task_that_waits_for_the_server_alone_is_not_late(plan: Plan) -> None:
    alone = [(gap, service, 0, 0, 0) for gap, service, *_ in plan]
    assert all(lag_ns == 0 for _, _, lag_ns, _ in turns_of(alone))


@given(plans)
def test_what_tasks_waited_for_adds_up_to_no_more_than_their_lateness(plan: Plan) -> None:
    waits: list[dict[OwnWait, int]] = []
    for (_, _, lag_ns, _), waited in zip(turns_of(plan, waits), waits, strict=True):
        assert sum(waited.values()) <= lag_ns
    alone = [(gap, service, lingers, beside, 0) for gap, service, lingers, beside, _ in plan]
    waits.clear()
    for (_, _, lag_ns, _), waited in zip(turns_of(alone, waits), waits, strict=True):
        assert lag_ns - 2 < sum(waited.values()) <= lag_ns, "apart from rounding"


def test_what_a_task_waited_for_is_divided_by_reason() -> None:
    waits: list[dict[OwnWait, int]] = []
    turns_of([(0, 10, 30, 20, 0), (0, 10, 0, 0, 0), (99, 1, 0, 0, 0)], waits)
    assert waits == [{}, {OwnWait.SURPLUS: 30, OwnWait.PAUSE: 20}, {}]


def test_what_a_task_left_waiting_counts_until_it_ended() -> None:
    turns = Turns(Lateness())
    turns.begin(0, 0)
    due = Due(0, Lateness())
    due.task = 1
    due.waiting().begin(2, 10, OwnWait.HTTP)
    due.waiting().begin(3, 20, OwnWait.SURPLUS)
    turns.end(due, 100)
    assert dict(turns.waited(turns.begin(1, 100))) == {OwnWait.HTTP: 90}


def test_what_came_before_a_task_that_did_not_wait_delayed_none_after_it() -> None:
    """It lingers from 11 to 61; the second is due then, takes its time, and the third waits for that only."""
    found = turns_of([(0, 10, 50, 0, 0), (60, 20, 0, 0, 0), (5, 20, 0, 0, 0)])
    assert [lag_ns for _, _, lag_ns, _ in found] == [0, 0, 0]
    assert found[2][1] == found[2][3] == 82


def test_the_rest_is_the_load_generators_in_proportion() -> None:
    turns = Turns(Lateness())
    assert turns.missed() == 0
    for start in range(0, 1_000, 100):
        turns.begin(1 if start else 0, start)
        due = Due(0, Lateness())
        due.task = 1
        due.waiting().begin(1, start + 25, OwnWait.SURPLUS)
        due.waiting().end(1, start + 25, start + 75, OwnWait.SURPLUS)
        turns.end(due, start + 100)
    assert turns.missed() == 10, "twice as many in the same time"
