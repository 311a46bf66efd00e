"""What follows from beats, beside a model that knows when the loop was held up."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.measure.lateness import BEAT_NS, MOST, NEVER_NS, SLACK_NS, Lateness
from wsload.measure.names import LAGGED, UNLAGGED
from wsload.measure.recorder import Recorder

START = 10**12
spells = st.lists(
    st.tuples(st.integers(1, 20 * BEAT_NS), st.integers(0, 30 * BEAT_NS)), min_size=1, max_size=20
)
"""How long the loop was in time, and then held up, again and again."""


@dataclass(frozen=True)
class Held:
    """The loop did not look from ``begin`` to ``end``."""

    begin: int
    end: int


def play(plan: list[tuple[int, int]]) -> tuple[Lateness, list[Held]]:
    """A loop that beats in time but for these spells, up to the end of the last."""
    lateness, now, held = Lateness(), START, []
    lateness.start(START + BEAT_NS)
    for free, blocked in plan:
        now += free
        while lateness.due_ns <= now:
            lateness.beat(lateness.due_ns)
        held.append(Held(now, now + blocked))
        now += blocked
        if now - lateness.due_ns > SLACK_NS:
            lateness.catch_up(now)
        while lateness.due_ns <= now:
            lateness.beat(now)
    return lateness, held


def truly_held(held: list[Held], begin: int, end: int) -> int:
    return sum(max(min(each.end, end) - max(each.begin, begin), 0) for each in held)


def test_nothing_is_late_before_the_first_beat_and_after_the_last() -> None:
    lateness = Lateness()
    assert lateness.due_ns == NEVER_NS
    assert lateness.reading(START) == lateness.within(0, START) == 0
    lateness.start(START)
    lateness.stop()
    assert lateness.reading(START + 10**9) == 0


@pytest.mark.parametrize("overdue_ns", [-BEAT_NS, 0, SLACK_NS])
def test_a_loop_within_its_slack_is_in_time(overdue_ns: int) -> None:
    lateness = Lateness()
    lateness.start(START)
    assert lateness.reading(START + overdue_ns) == lateness.within(START - BEAT_NS, START + overdue_ns) == 0


@given(st.integers(0, BEAT_NS - 1), st.integers(2 * BEAT_NS, 50 * BEAT_NS))
def test_what_is_read_after_a_spell_is_late_by_the_spell_give_or_take_half_a_beat(
    into_beat: int, blocked: int
) -> None:
    lateness = Lateness()
    lateness.start(START + BEAT_NS)
    began = START + into_beat
    end = began + blocked
    assert lateness.reading(end) == pytest.approx(blocked, abs=BEAT_NS // 2)
    missed = lateness.catch_up(end)
    assert list(missed) == [end - due for due in range(START + BEAT_NS, end + 1, BEAT_NS)]
    assert lateness.reading(end + 1) == 0
    assert lateness.within(began, end) == pytest.approx(blocked, abs=BEAT_NS // 2)
    assert lateness.due_ns - BEAT_NS <= end < lateness.due_ns


@given(spells, st.data())
def test_lateness_within_a_stretch_is_what_it_was_give_or_take_a_beat_for_each_spell(
    plan: list[tuple[int, int]], data: st.DataObject
) -> None:
    lateness, held = play(plan)
    end = held[-1].end
    one, other = (data.draw(st.integers(START, end)) for _ in range(2))
    begin, stop = min(one, other), max(one, other)
    found = lateness.within(begin, stop)
    touched = [each for each in held if each.begin - BEAT_NS < stop and each.end > begin]
    assert 0 <= found <= stop - begin
    assert abs(found - truly_held(held, begin, stop)) <= (BEAT_NS + SLACK_NS) * len(touched)


@given(spells, st.data())
def test_stretches_add_up(plan: list[tuple[int, int]], data: st.DataObject) -> None:
    lateness, held = play(plan)
    one, two, three = sorted(data.draw(st.integers(START, held[-1].end)) for _ in range(3))
    assert lateness.within(one, two) + lateness.within(two, three) == lateness.within(one, three)


def test_a_spell_that_still_goes_on_counts() -> None:
    lateness = Lateness()
    lateness.start(START)
    assert lateness.within(START, START + 5 * BEAT_NS) == 5 * BEAT_NS
    assert lateness.within(START + 2 * BEAT_NS, START + 5 * BEAT_NS) == 3 * BEAT_NS


def test_what_is_forgotten_counts_as_late() -> None:
    lateness = Lateness()
    lateness.start(START)
    for number in range(2 * MOST + 1):
        lateness.catch_up(START + number * 10 * BEAT_NS + 5 * BEAT_NS)
        while lateness.due_ns < START + (number + 1) * 10 * BEAT_NS:
            lateness.beat(lateness.due_ns)
    early = START + 3 * BEAT_NS
    late = START + 2 * MOST * 10 * BEAT_NS
    assert lateness.within(early, early + 100 * BEAT_NS) == 100 * BEAT_NS
    assert lateness.within(late, late + 10 * BEAT_NS) == pytest.approx(5 * BEAT_NS, abs=BEAT_NS)


def test_what_was_read_before_a_beat_in_time_does_not_date_the_next_late_one() -> None:
    lateness = Lateness()
    lateness.start(START)
    lateness.look(START + SLACK_NS // 2)  # read just before the beat, which comes within its slack
    lateness.beat(START + SLACK_NS)
    missed = lateness.catch_up(START + 10 * BEAT_NS)
    assert list(missed) == [lag * BEAT_NS for lag in range(9, -1, -1)]
    assert lateness.within(START + BEAT_NS, START + 10 * BEAT_NS) == 9 * BEAT_NS


def test_the_loop_has_caught_up_as_of_the_first_event_it_read() -> None:
    lateness = Lateness()
    lateness.start(START)
    lateness.look(START + 3 * BEAT_NS)
    lateness.look(START + 7 * BEAT_NS)
    lateness.catch_up(START + 9 * BEAT_NS)
    assert lateness.due_ns == START + 4 * BEAT_NS
    assert lateness.reading(START + 10 * BEAT_NS) == 6 * BEAT_NS + BEAT_NS // 2


def test_a_beat_in_time_says_by_how_much_it_was_late() -> None:
    lateness = Lateness()
    lateness.start(START)
    assert lateness.beat(START + 7) == 7
    assert lateness.due_ns == START + BEAT_NS


def test_the_beat_that_is_due_just_then_was_missed_too() -> None:
    lateness = Lateness()
    lateness.start(START)
    assert list(lateness.catch_up(START + 2 * BEAT_NS)) == [2 * BEAT_NS, BEAT_NS, 0]


def test_spells_that_follow_each_other_do_not_overlap() -> None:
    lateness = Lateness()
    lateness.start(START)
    lateness.catch_up(START + 10 * BEAT_NS + BEAT_NS - 1)
    lateness.catch_up(START + 20 * BEAT_NS)
    # The second began right after the first had ended, and less than half a beat before its beat was due.
    whole = lateness.within(START - BEAT_NS, START + 20 * BEAT_NS)
    assert whole == 20 * BEAT_NS + BEAT_NS // 2


def test_a_spell_that_goes_on_is_added_to_those_that_have_ended() -> None:
    lateness = Lateness()
    lateness.start(START)
    lateness.catch_up(START + 4 * BEAT_NS)
    due_ns = lateness.due_ns
    found = lateness.within(START - BEAT_NS, due_ns + 3 * BEAT_NS)
    assert found == 4 * BEAT_NS + BEAT_NS // 2 + 3 * BEAT_NS + BEAT_NS // 2


def test_a_spell_that_goes_on_did_not_begin_before_the_last_had_ended() -> None:
    lateness = Lateness()
    lateness.start(START)
    lateness.catch_up(START + BEAT_NS - 1)
    assert lateness.within(START + BEAT_NS - 1, START + 3 * BEAT_NS) == 2 * BEAT_NS + 1


@pytest.mark.parametrize("spells", [2 * MOST, 2 * MOST + 1])
def test_only_so_many_spells_are_remembered(spells: int) -> None:
    lateness = Lateness()
    lateness.start(START)
    for number in range(spells):
        lateness.catch_up(START + number * 2 * BEAT_NS + BEAT_NS)
    forgotten = spells - MOST - 1 if spells > 2 * MOST else 0
    end = START + forgotten * 2 * BEAT_NS - BEAT_NS  # of the last spell that is forgotten
    assert lateness.within(end, end + BEAT_NS // 4) == 0
    early = lateness.within(end - 10 * BEAT_NS, end)
    assert (early == 10 * BEAT_NS) == bool(forgotten)


# What a connection read later than it could


def test_what_waited_in_the_socket_is_late_since_then_and_others_are_not() -> None:
    lateness = Lateness()
    lateness.start(START)
    due_ns = lateness.backdate(START - 9 * BEAT_NS)
    assert lateness.reading(START) == 9 * BEAT_NS + BEAT_NS // 2
    lateness.restore(due_ns)
    assert lateness.due_ns == START and lateness.reading(START) == 0


def test_what_waited_for_less_than_a_beat_is_overdue_changes_nothing() -> None:
    lateness = Lateness()
    lateness.start(START)
    due_ns = lateness.backdate(START + BEAT_NS)
    assert lateness.due_ns == START
    lateness.restore(due_ns)
    assert lateness.due_ns == START


# What a recorder keeps of it


def recorded(recorder: Recorder) -> dict[str, list[int]]:
    return {metric: values for metric, values in recorder.values.items() if values}


def test_a_late_value_is_recorded_with_and_without_its_lateness() -> None:
    recorder = Recorder()
    recorder.late("buy", 5 * BEAT_NS, SLACK_NS)
    assert recorded(recorder) == {}
    recorder.late("buy", 5 * BEAT_NS, 2 * BEAT_NS)
    recorder.late("buy", BEAT_NS, 2 * BEAT_NS)
    assert recorded(recorder) == {
        "buy" + LAGGED: [5 * BEAT_NS, BEAT_NS],
        "buy" + UNLAGGED: [3 * BEAT_NS, 0],
    }


def test_a_stretch_is_recorded_with_the_lateness_in_it() -> None:
    recorder = Recorder()
    recorder.lateness.start(START)
    recorder.timed("open", START - 9 * BEAT_NS, START - 5 * BEAT_NS)
    assert recorded(recorder) == {"open": [4 * BEAT_NS]}
    recorder.timed("open", START, START + 3 * BEAT_NS)
    assert recorded(recorder) == {
        "open": [4 * BEAT_NS, 3 * BEAT_NS],
        "open" + LAGGED: [3 * BEAT_NS],
        "open" + UNLAGGED: [0],
    }


def test_what_was_held_back_and_is_read_before_the_beat_is_due_makes_no_spell_negative() -> None:
    lateness = Lateness(beat_ns=1_000_000)
    lateness.start(10_000_000)
    due_ns = lateness.backdate(9_200_000)
    lateness.look(9_500_000)
    lateness.restore(due_ns)
    assert list(lateness.catch_up(10_700_000)) == [0]
    assert lateness.until_ns == 10_000_000
    assert lateness.within(9_000_000, 12_000_000) >= 0


# What was written later than it was dated


def test_a_write_that_was_held_up_is_remembered_by_when_it_was_dated() -> None:
    lateness = Lateness()
    lateness.wrote(START, START + 5 * BEAT_NS)
    assert lateness.writing(START) == 5 * BEAT_NS
    assert lateness.writing(START + 1) == 0


def test_of_the_writes_held_up_only_the_latest_are_remembered() -> None:
    lateness = Lateness()
    for number in range(MOST + 1):
        lateness.wrote(START + number, START + number + 2 * BEAT_NS)
    assert lateness.writing(START) == 0
    assert lateness.writing(START + 1) == lateness.writing(START + MOST) == 2 * BEAT_NS


def test_what_came_in_time_and_was_written_late_is_late_by_the_write() -> None:
    recorder = Recorder()
    recorder.lateness.start(START)
    recorder.lateness.wrote(START, START + 10 * BEAT_NS)
    recorder.lateness.catch_up(START + 10 * BEAT_NS)
    recorder.arrived("ping", START, START + 10 * BEAT_NS + BEAT_NS // 2)
    assert recorded(recorder)["ping" + UNLAGGED] == [BEAT_NS // 2]
