"""The table of a connection's states, walked through completely, and the picture of it in the module's header."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from wsload.load.users import life
from wsload.load.users.life import ON_KILL, ON_STOP, Life, Phase
from wsload.load.users.sockets import states
from wsload.load.users.sockets.states import CONNECTED, TRANSITIONS, UNSETTLED, Event, State, after

EVERY = list(itertools.product(State, Event))


@pytest.mark.parametrize(("state", "event"), EVERY)
def test_every_event_in_every_state_is_in_the_table_or_refused(state: State, event: Event) -> None:
    expected = TRANSITIONS[state].get(event)
    if expected is None:
        with pytest.raises(AssertionError, match=f"{event.name} in state .*{state.name}"):
            after(state, event)
    else:
        assert after(state, event) is expected


def reached_from(start: Any, arrows: Mapping[Any, Any]) -> set[Any]:
    found, left = {start}, [start]
    while left:
        for following in arrows.get(left.pop(), ()):
            if following not in found:
                found.add(following)
                left.append(following)
    return found


def test_every_state_can_be_reached_and_left() -> None:
    arrows = {state: TRANSITIONS[state].values() for state in State}
    assert reached_from(State.CLOSED, arrows) == set(State)
    for state in State:
        assert State.CLOSED in reached_from(state, arrows), f"nothing leads from {state} to the end"


def test_every_event_happens_somewhere() -> None:
    assert {event for state in State for event in TRANSITIONS[state]} == set(Event)


def test_closing_is_allowed_in_every_state_and_ends_what_is_on_its_way() -> None:
    for state in State:
        assert after(state, Event.CLOSE) in (State.CLOSED, State.CLOSING)
    assert not UNSETTLED & {State.CLOSED, State.CLOSING}


def test_a_connection_is_there_in_the_states_that_a_connection_can_be_lost_in() -> None:
    """GONE may also mean that an attempt failed; LOST never does."""
    for state in State:
        assert (Event.LOST in TRANSITIONS[state]) == (state in CONNECTED | {State.DROPPING})


def test_another_attempt_and_none_differ_only_in_where_they_lead() -> None:
    for state in State:
        events = TRANSITIONS[state]
        for again in (Event.LOST, Event.FAILED):
            if again in events:
                assert events[again] is State.WAITING
                assert events[Event.GONE] is State.CLOSED


def test_the_picture_shows_only_what_the_table_has() -> None:
    """The first line of the picture, from left to right, and every event that it names."""
    picture = (states.__doc__ or "").split("\n\n")[1]
    names = re.findall(r"[A-Z]{4,}|──(\w+)──▶", picture.splitlines()[0])
    assert len(names) > 5
    first = re.findall(r"([A-Z]{4,}|(?<=──)[a-z]+(?=──▶))", picture.splitlines()[0])
    for here, event, there in zip(first[0::2], first[1::2], first[2::2], strict=False):
        assert after(State[here], Event[event.upper()]) is State[there], (here, event, there)
    for event in re.findall(r"\b[a-z]{4,}\b", picture):
        assert event.upper() in Event.__members__, event
    assert set(re.findall(r"\b[A-Z]{4,}\b", picture)) == {state.name for state in State}


# A user's life

ENDED = (Phase.ENDING, Phase.LEAVING, Phase.GONE)


def test_being_asked_to_stop_lets_the_busy_finish_and_ends_the_others() -> None:
    assert {phase for phase in Phase if phase not in ON_STOP} == {*ENDED, Phase.FINISHING}
    for phase, following in ON_STOP.items():
        assert following is (Phase.FINISHING if phase is Phase.BUSY else Phase.ENDING)


def test_being_killed_ends_whatever_has_not_ended() -> None:
    assert {phase for phase in Phase if phase not in ON_KILL} == set(ENDED)
    assert set(ON_KILL.values()) == {Phase.ENDING}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("kill", [False, True])
def test_stopping_moves_a_life_as_the_tables_say(phase: Phase, kill: bool) -> None:
    alive = Life.__new__(Life)
    alive.phase, alive._due_tasks, soon = phase, None, []
    alive.context = SimpleNamespace(engine=SimpleNamespace(loop=SimpleNamespace(call_soon=soon.append)))
    alive.stop(kill=kill)
    assert bool(soon) == (alive.phase is Phase.ENDING is not phase)
    assert alive.phase is (ON_KILL if kill else ON_STOP).get(phase, phase)
    assert alive.cut_short == (alive.phase in ENDED)
    alive.stop(kill=True)
    assert alive.phase is ON_KILL.get(ON_KILL.get(phase, phase), ON_KILL.get(phase, phase))


def test_the_picture_of_a_life_names_every_phase() -> None:
    picture = (life.__doc__ or "").split("\n\n")[1]
    assert set(re.findall(r"[A-Z]{3,}", picture)) == {phase.name for phase in Phase}
