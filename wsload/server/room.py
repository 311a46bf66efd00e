"""The chat room, sans-I/O: who is in it, what a message means, and who gets which messages.

The rules are those of the sample server of the MDN guide "Writing WebSocket client applications": a name that is
taken gets a number appended, and its user a ``rejectusername``; after a login or a leave everyone gets a new
``userlist``; a post goes to everyone, including its sender, with anything like ``<…>`` removed from its text. The
sample trusts the ``id`` that a client claims, and forwards unknown messages. The room identifies users by their
connection, and raises `Ignored`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from wsload.protocols.chat.conversation import messages

QUIET_ROSTER_NAMES: Final = 100
"""A newcomer to a quiet room gets only this many names, the newest first; with full lists N logins would send N²
names."""

_TAG: Final = re.compile(r"<[^>]+>")


class Ignored(ValueError):
    """The room does not act on this message; the text says why."""


class To(enum.Enum):
    """Who gets a message."""

    SELF = enum.auto()
    """Only the user who caused it."""
    ALL = enum.auto()
    """Every connection, including the user's own."""
    POST = enum.auto()
    """Like `ALL`, but it answers a post, so that faults apply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One message to be sent."""

    to: To
    data: bytes
    """The payload of a text frame."""


@dataclass(slots=True, eq=False, kw_only=True)
class Member:
    """One connection, as the room knows it."""

    id: int
    """Assigned by the room, never reused."""
    name: str | None = None
    """Unique in the room; None before the login."""


class Room:
    """One chat room; a ``quiet`` one announces a login to the newcomer only, and a leave to nobody."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.logins = 0
        """Names given so far, including new names for users who had one."""
        self.renamed = 0
        """How many of these were not the name asked for."""
        self._names: dict[str, None] = {}  # in order of login
        self._last_id = 0
        self._suffix = 0

    @property
    def names(self) -> list[str]:
        """The names of the users, in order of login."""
        return list(self._names)

    def enter(self, date_ms: int) -> tuple[Member, Sequence[Send]]:
        """Adds a connection; returns its member, and what to send to it."""
        self._last_id += 1
        return Member(id=self._last_id), [Send(to=To.SELF, data=messages.identity(self._last_id, date_ms))]

    def receive(self, member: Member, data: bytes | str, date_ms: int) -> Sequence[Send]:
        """Handles a text message from a member; returns what to send, in order.

        Raises `Ignored` for a message that is malformed or comes out of turn.
        """
        try:
            message = messages.decode(data)
        except messages.MalformedMessage as error:
            raise Ignored(str(error)) from None
        if message["type"] == "message":
            return [self._post(member, message)]
        if message["type"] == "username":
            return self._login(member, message, date_ms)
        raise Ignored(f"unknown type {message['type'][:40]!r}")

    def leave(self, member: Member) -> bool:
        """Frees the name of a connection that is gone; returns whether the others get a new `roster`."""
        if member.name is None:
            return False
        del self._names[member.name]
        member.name = None
        return not self.quiet

    def roster(self) -> bytes:
        """The current ``userlist`` message."""
        if self.quiet:
            return messages.user_list(list(islice(reversed(self._names), QUIET_ROSTER_NAMES)))
        return messages.user_list(self.names)

    def _post(self, member: Member, message: dict[str, Any]) -> Send:
        text = message.get("text")
        if member.name is None:
            raise Ignored("a post before the login")
        if not isinstance(text, str):
            raise Ignored("a post without a text")
        message["id"] = member.id
        message["name"] = member.name
        message["text"] = without_tags(text)
        return Send(to=To.POST, data=messages.encode(message))

    def _login(self, member: Member, message: dict[str, Any], date_ms: int) -> Sequence[Send]:
        wanted = message.get("name")
        if not isinstance(wanted, str) or not wanted:
            raise Ignored("a login without a name")
        name = wanted
        if member.name is not None:
            del self._names[member.name]
        while name in self._names:
            self._suffix += 1
            name = f"{wanted}{self._suffix}"
        self._names[name] = None
        member.name = name
        message["id"] = member.id
        message["name"] = name
        to = To.SELF if self.quiet else To.ALL
        told = [Send(to=to, data=self.roster()), Send(to=to, data=messages.encode(message))]
        self.logins += 1
        if name != wanted:
            self.renamed += 1
            told.insert(0, Send(to=To.SELF, data=messages.reject_username(member.id, name, date_ms)))
        return told


def without_tags(text: str) -> str:
    """The text without anything like ``<…>``: the sample server's ``replace(/(<([^>]+)>)/ig, "")``."""
    # Nothing can match after the last ">", and each "<" there would be searched to the end.
    end = text.rfind(">") + 1
    return _TAG.sub("", text[:end]) + text[end:] if end else text
