"""The chat of the MDN guide "Writing WebSocket client applications", one user's side of it, sans-I/O.

The server gives each newcomer an id; the login is complete when it announces one's own name.
"""

from __future__ import annotations

from typing import Any, Final

from wsload.protocols.chat.conversation import messages
from wsload.protocols.chat.conversation.session import (
    Delivery,
    Event,
    Identified,
    Joined,
    Renamed,
    Roster,
    Session,
    State,
    Unknown,
)

_FOREIGN, _ROSTER, _IDENTIFIED, _JOINED = Delivery(-1), Roster(), Identified(), Joined()
_AGAIN: Final = Unknown("id again")


class ChatSession(Session):
    """``id`` is what the server has called this session; None until then."""

    __slots__ = ("id",)

    def __init__(self, name: str, *, clock: str, sender: str) -> None:
        super().__init__(name, clock=clock, sender=sender)
        self.id: int | str | None = None

    def reopened(self) -> None:
        super().reopened()
        self.id = None

    def write_login(self) -> bytes:
        assert self.id is not None
        return messages.username(self.name, self.id, self.date_ms)

    def write_post(self, text: str) -> bytes:
        assert self.id is not None
        return messages.post(text, self.id, self.date_ms)

    def decode(self, data: bytes) -> dict[str, Any]:
        return messages.decode(data)

    def read(self, data: bytes) -> Event:
        message = messages.decode(data)
        kind = message["type"]
        if kind == "message":
            return _FOREIGN
        if kind == "userlist":
            return _ROSTER
        if kind == "username":
            # One's own name confirms the login; ids are compared too where the server sends them back.
            own = message.get("name") == self.name and message.get("id", self.id) == self.id
            return _JOINED if own and self.state is State.LOGGING_IN else _ROSTER
        if kind == "id":
            if not isinstance(message.get("id"), int | str):
                raise messages.MalformedMessage("an 'id' message without an id")
            if self.state is not State.WAITING:
                return _AGAIN
            self.id = message["id"]
            return _IDENTIFIED
        if kind == "rejectusername":
            if not isinstance(message.get("name"), str):
                raise messages.MalformedMessage("a 'rejectusername' message without a name")
            if message.get("id", self.id) != self.id:
                return Unknown("another's rejectusername")
            return Renamed(message["name"])
        return Unknown(kind[:40])
