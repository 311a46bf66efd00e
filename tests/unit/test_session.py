from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions import CLOCK, OTHER, SENDER, encoded, joined_session, log_in, new_session, odd_messages, post

from wsload.protocols.chat.conversation import messages, token
from wsload.protocols.chat.conversation.session import (
    LOST_REMEMBERED,
    Delivery,
    Echo,
    Identified,
    Joined,
    Late,
    Malformed,
    Renamed,
    Repeated,
    Roster,
    State,
    Unknown,
)

# The login


def test_a_login_from_the_id_to_ones_own_name() -> None:
    session = new_session()
    assert session.state is State.WAITING
    assert isinstance(session.receive(messages.identity(7, 0)), Identified)
    assert session.state is State.IDENTIFIED
    login = session.login(1_700_000_000_000)
    assert json.loads(login) == {"type": "username", "name": "ann", "id": 7, "date": 1_700_000_000_000}
    assert session.state is State.LOGGING_IN
    assert isinstance(session.receive(messages.user_list(["ann"])), Roster)
    assert isinstance(session.receive(login), Joined)
    assert session.state is State.JOINED


def test_a_taken_name_is_replaced_by_the_one_the_server_gives() -> None:
    session = new_session()
    session.receive(messages.identity(7, 0))
    session.login(0)
    event = session.receive(messages.reject_username(7, "ann1", 0))
    assert isinstance(event, Renamed) and event.name == "ann1"
    assert isinstance(session.receive(messages.username("ann", 3, 0)), Roster)
    assert isinstance(session.receive(messages.username("ann1", 7, 0)), Joined)
    assert session.name == "ann1"


def test_anothers_login_and_rejection_are_not_ones_own() -> None:
    session = new_session()
    session.receive(messages.identity(7, 0))
    session.login(0)
    assert isinstance(session.receive(messages.username("ann", 8, 0)), Roster)
    assert isinstance(session.receive(messages.reject_username(8, "bob1", 0)), Unknown)
    assert session.state is State.LOGGING_IN and session.name == "ann"


def test_a_server_that_sends_no_ids_back_confirms_by_name() -> None:
    session = new_session()
    session.receive(messages.identity(7, 0))
    session.login(0)
    assert isinstance(session.receive(encoded(type="username", name="ann")), Joined)


@pytest.mark.parametrize("user_id", ["text", 0, 2**63])
def test_ids_may_be_numbers_or_text(user_id: int | str) -> None:
    session = new_session()
    assert isinstance(session.receive(encoded(type="id", id=user_id)), Identified)
    assert json.loads(session.login(0))["id"] == user_id


def test_posts_of_others_may_come_at_any_point_of_the_login() -> None:
    session = new_session()
    others = encoded(type="message", text="hi", name="bob")
    assert isinstance(session.receive(others), Delivery)
    session.receive(messages.identity(7, 0))
    assert isinstance(session.receive(others), Delivery)
    session.login(0)
    assert isinstance(session.receive(others), Delivery)
    assert session.state is State.LOGGING_IN


def test_a_second_id_does_not_take_the_login_back() -> None:
    session = joined_session()
    assert isinstance(session.receive(messages.identity(9, 0)), Unknown)
    assert session.state is State.JOINED and session.id == 7


def test_a_new_connection_logs_in_anew_and_counts_its_posts_on() -> None:
    session = joined_session()
    first, _ = post(session)
    session.give_up(first)
    session.reopened()
    assert session.state is State.WAITING and session.id is None
    log_in(session, 8)
    second, _ = post(session)
    assert second.number == first.number + 1


# Posts


def test_a_post_carries_the_text_and_a_token_at_its_end() -> None:
    session = joined_session()
    made, data = post(session, "hello", due_ns=11, sent_ns=22)
    assert (made.due_ns, made.sent_ns, made.number) == (11, 22, 0)
    assert json.loads(data)["text"] == f"hello {token.mint(CLOCK, SENDER, 0, 22)}"
    assert session.pending == {0: made}


@given(st.text())
def test_the_echo_is_found_whatever_the_text_says(text: str) -> None:
    session = joined_session()
    made, data = post(session, text)
    event = session.receive(data)
    assert isinstance(event, Echo) and event.post is made and event.in_order


def test_the_echo_is_found_in_a_text_that_quotes_another_post() -> None:
    session = joined_session()
    theirs = token.mint(CLOCK, OTHER, 3, 5)
    for text in (f"you said {theirs}", "what is ~ws. good for?", theirs[:-1]):
        made, data = post(session, text)
        event = session.receive(data)
        assert isinstance(event, Echo) and event.post is made


def test_the_echo_is_found_when_the_server_rebuilt_the_message() -> None:
    session = joined_session()
    made, data = post(session)
    echo = {"name": "ann", "text": json.loads(data)["text"], "extra": ["~ws."], "type": "message"}
    event = session.receive(json.dumps(echo, indent=2).encode())
    assert isinstance(event, Echo) and event.post is made


@given(st.integers(0, 2**63 - 1))
def test_anothers_post_says_when_it_was_sent_on_a_shared_clock(sent_ns: int) -> None:
    session = joined_session()
    near = session.receive(messages.post(token.mint(CLOCK, OTHER, 3, sent_ns), 3, 0))
    far = session.receive(messages.post(token.mint("elsewher", OTHER, 3, sent_ns), 3, 0))
    assert isinstance(near, Delivery) and near.sent_ns == sent_ns
    assert isinstance(far, Delivery) and far.sent_ns == -1


def test_only_the_latest_lost_posts_are_remembered() -> None:
    session = joined_session()
    echoes = []
    for _ in range(LOST_REMEMBERED + 1):
        made, data = post(session)
        session.give_up(made)
        echoes.append(data)
    assert isinstance(session.receive(echoes[0]), Repeated)
    assert isinstance(session.receive(echoes[1]), Late)
    assert isinstance(session.receive(echoes[-1]), Late)


# Whatever a server can send


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"type": "id"}', Malformed),
        (b'{"type": "id", "id": null}', Malformed),
        (b'{"type": "id", "id": 1e400}', Malformed),
        (b'{"type": "rejectusername", "id": 7}', Malformed),
        (b'{"type": "rejectusername", "id": 7, "name": 5}', Malformed),
        (b'{"type": "userlist"}', Roster),
        (b'{"type": "username"}', Roster),
        (b'{"type": "message"}', Delivery),
        (b'{"type": ""}', Unknown),
        (b"not JSON", Malformed),
        (b"", Malformed),
    ],
)
def test_wrong_shapes_are_named(data: bytes, expected: type) -> None:
    session = joined_session()
    session.reopened()
    assert isinstance(session.receive(data), expected)


def test_an_endless_type_is_cut() -> None:
    event = joined_session().receive(encoded(type="x" * 1000))
    assert isinstance(event, Unknown) and len(event.type) <= 40


@given(st.lists(st.binary() | odd_messages, max_size=8))
def test_anything_is_survived_and_a_login_still_works(received: list[bytes]) -> None:
    session = new_session()
    for data in received:
        session.receive(data)
        if session.state is State.IDENTIFIED:
            session.login(0)
    session.reopened()
    session.receive(encoded(type="id", id=7))
    assert isinstance(session.receive(session.login(0)), Joined)
