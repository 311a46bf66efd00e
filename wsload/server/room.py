"""The chat room, sans-I/O: who is in it, what a message means, and who is told what.

The rules are those of the sample server of the MDN guide "Writing WebSocket client applications":
a taken name gets a number and its owner a ``rejectusername``; a login or a leave is a new
``userlist`` for everyone; a post goes to everyone, its sender too, with anything like ``<…>``
taken out of its text. Unlike the sample, which trusts the ``id`` a client claims and hands on
whatever it does not know, the room goes by the connection and raises `Ignored`.
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
"""A quiet room's newcomer is told the newest so many names, its own first: the full list of N users
would cost a ramp N² names even so."""

_TAG: Final = re.compile(r"<[^>]+>")


class Ignored(ValueError):
    """Nothing the room acts on; the message says why."""


class To(enum.Enum):
    """Who is to get a message."""

    SELF = enum.auto()
    """Only the user whose doing it was."""
    ALL = enum.auto()
    """Every connection, the user's own too."""
    POST = enum.auto()
    """As `ALL`, but it answers a post: what faults may hold, drop, repeat or reorder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """One message to be sent."""

    to: To
    """Who gets it."""
    data: bytes
    """The payload of a text frame."""


@dataclass(slots=True, eq=False, kw_only=True)
class Member:
    """One connection, as the room knows it."""

    id: int
    """Given by the room, never used twice."""
    name: str | None = None
    """Unique in the room; None before the login."""


class Room:
    """One chat room; ``quiet`` tells a login to the newcomer only, and a leave to nobody."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.logins = 0
        """Names given so far, new names of those who had one too."""
        self.renamed = 0
        """How many of them were not the name that was wanted."""
        self._names: dict[str, None] = {}  # in order of login
        self._last_id = 0
        self._suffix = 0

    @property
    def names(self) -> list[str]:
        """Who is logged in, in order of login."""
        return list(self._names)

    def enter(self, date_ms: int) -> tuple[Member, Sequence[Send]]:
        """A new connection: who it is from now on, and what it is told."""
        self._last_id += 1
        return Member(id=self._last_id), [Send(to=To.SELF, data=messages.identity(self._last_id, date_ms))]

    def receive(self, member: Member, data: bytes | str, date_ms: int) -> Sequence[Send]:
        """What follows from one text message of a member, in the order in which it is to be sent.

        Raises `Ignored` for what is no chat message or comes out of turn.
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

    def leave(self, member: Member) -> Sequence[Send]:
        """The connection is gone: its name is free again."""
        if member.name is None:
            return ()
        del self._names[member.name]
        member.name = None
        return () if self.quiet else [Send(to=To.ALL, data=self.roster())]

    def roster(self) -> bytes:
        """The ``userlist`` message as of now."""
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
    # Beyond the last ">" nothing can match, and a "<" there would be searched to the end each time.
    end = text.rfind(">") + 1
    return _TAG.sub("", text[:end]) + text[end:] if end else text
