"""Chat sessions to test with, and what a server might say to them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from wsload.protocols.chat.conversation import messages
from wsload.protocols.chat.conversation.mdn import ChatSession
from wsload.protocols.chat.conversation.session import Joined, Post

CLOCK, SENDER = "hostclok", "0123456789ab"
OTHER = "ba9876543210"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
kinds = st.sampled_from(("id", "username", "userlist", "rejectusername", "message", "other"))
odd_messages = st.builds(
    lambda kind, rest: json.dumps({**rest, "type": kind}).encode(),
    kinds,
    st.dictionaries(st.sampled_from(("id", "name", "text", "users", "date", "x")), json_values),
)


def encoded(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def new_session() -> ChatSession:
    return ChatSession("ann", clock=CLOCK, sender=SENDER)


def joined_session() -> ChatSession:
    session = new_session()
    log_in(session, 7)
    return session


def log_in(session: ChatSession, user_id: int) -> None:
    session.receive(messages.identity(user_id, 0))
    event = session.receive(session.login(0))
    assert isinstance(event, Joined)


def post(
    session: ChatSession, text: str = "hello", *, due_ns: int = 1, sent_ns: int = 2
) -> tuple[Post, bytes]:
    return session.post(text, date_ms=0, due_ns=due_ns, sent_ns=sent_ns)
