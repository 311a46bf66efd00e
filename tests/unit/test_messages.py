from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsload.protocols.chat.conversation import messages

names = st.text()
ids = st.integers(0, 2**53)
dates = st.integers(0, 2**43)


def utf8(data: bytes) -> object:
    return json.loads(data.decode("utf-8"))


@given(names, ids, dates)
def test_the_messages_are_those_of_the_guide(name: str, user_id: int, date_ms: int) -> None:
    assert utf8(messages.identity(user_id, date_ms)) == {"type": "id", "id": user_id, "date": date_ms}
    assert utf8(messages.username(name, user_id, date_ms)) == {
        "type": "username",
        "name": name,
        "id": user_id,
        "date": date_ms,
    }
    assert utf8(messages.reject_username(user_id, name, date_ms)) == {
        "type": "rejectusername",
        "id": user_id,
        "name": name,
        "date": date_ms,
    }
    assert utf8(messages.post(name, user_id, date_ms)) == {
        "type": "message",
        "text": name,
        "id": user_id,
        "date": date_ms,
    }


@given(st.lists(names, max_size=5))
def test_a_user_list_lists_the_users(users: list[str]) -> None:
    assert utf8(messages.user_list(users)) == {"type": "userlist", "users": users}


@given(names, ids, dates)
def test_what_was_encoded_is_decoded(text: str, user_id: int, date_ms: int) -> None:
    message = messages.decode(messages.post(text, user_id, date_ms))
    assert message == {"type": "message", "text": text, "id": user_id, "date": date_ms}
    assert messages.decode(messages.encode({**message, "name": text})) == {**message, "name": text}


@given(st.binary() | st.text())
def test_anything_else_is_malformed_and_nothing_worse(data: bytes | str) -> None:
    with contextlib.suppress(messages.MalformedMessage):
        assert isinstance(messages.decode(data)["type"], str)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b'{"type": "message", "text": "\xff"}', "not JSON"),
        (b'{"type": "message", "text": "\\ud800"}', "not JSON"),
        (b"NaN", "not JSON"),
        (b"[" * 5000, "not JSON"),
        (b"null", "not a JSON object but NoneType"),
        (b'["message"]', "not a JSON object but list"),
        (b'"message"', "not a JSON object but str"),
        (b"{}", "no 'type'"),
        (b'{"type": 1}', "no 'type'"),
        (b'{"type": null}', "no 'type'"),
    ],
)
def test_the_reason_says_what_it_is(data: bytes, reason: str) -> None:
    with pytest.raises(messages.MalformedMessage) as caught:
        messages.decode(data)
    assert str(caught.value).startswith(reason)
