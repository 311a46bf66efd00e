"""The chat's JSON messages, to and from bytes: with ``results/`` the only user of ``orjson``.

The messages are those of the MDN guide "Writing WebSocket client applications" and its sample
server. Dates are milliseconds since the epoch. The client and the embedded server share this module.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

SUBPROTOCOL: Final = "json"
"""The subprotocol the sample client offers and its server chooses."""


class MalformedMessage(ValueError):
    """Not a chat message: not JSON, not an object, or without a usable ``type``."""


def decode(data: bytes | str) -> dict[str, Any]:
    """The JSON object in a message, with its ``type``. Raises `MalformedMessage`."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedMessage(f"not JSON: {error}") from None
    if not isinstance(message, dict):
        raise MalformedMessage(f"not a JSON object but {type(message).__name__}")
    if not isinstance(message.get("type"), str):
        raise MalformedMessage("no 'type'")
    return message


def identity(user_id: int, date_ms: int) -> bytes:
    """From the server to a newcomer: its id."""
    return orjson.dumps({"type": "id", "id": user_id, "date": date_ms})


def username(name: str, user_id: int | str, date_ms: int) -> bytes:
    """A client's login, and the server's announcement of it to everyone."""
    return orjson.dumps({"type": "username", "name": name, "id": user_id, "date": date_ms})


def reject_username(user_id: int, name: str, date_ms: int) -> bytes:
    """From the server to a newcomer whose name is taken: the ``name`` it gets instead."""
    return orjson.dumps({"type": "rejectusername", "id": user_id, "name": name, "date": date_ms})


def user_list(users: list[str]) -> bytes:
    """From the server to everyone: who is in the room."""
    return orjson.dumps({"type": "userlist", "users": users})


def post(text: str, user_id: int | str, date_ms: int) -> bytes:
    """A client's message to the room."""
    return orjson.dumps({"type": "message", "text": text, "id": user_id, "date": date_ms})


def encode(message: dict[str, Any]) -> bytes:
    """Any message, such as a post as the server forwards it: the client's object plus ``name``."""
    return orjson.dumps(message)
