"""One user's side of the chat, sans-I/O: feed `ChatSession.receive` bytes, do what the event says.

States, and what moves them on:

    WAITING ──id──▶ IDENTIFIED ──(you send `login`)──▶ LOGGING_IN ──own name confirmed──▶ JOINED

`Identified` asks the caller to send what `login` returns. `Renamed` is no failure: the name in it
is used from then on. Posts of others may arrive in any state. A post's echo is found by its token
in the raw bytes, before any JSON is parsed: receiving others' posts is the hot path, N times as
frequent as sending. Time is a plain number here: whoever calls brings it.

One session serves a user for its whole life: `reopened` takes it back to WAITING on a new
connection, and posts keep their numbers, so that an echo from before is still known.
"""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass
from typing import Any, Final

from wsload.protocols.chat.conversation import messages, token

LOST_REMEMBERED: Final = 4096
"""So many lost posts a user are remembered, to tell a late echo from a second one."""

MESSAGES_REMEMBERED: Final = 512
"""A post reaches every user of the process: what it says is found out once. Costs 200 KB, 700 at most …"""
LONGEST_REMEMBERED: Final = 1024
"""… since longer messages (bytes) are not remembered."""


class State(enum.Enum):
    """How far the login has come."""

    WAITING = "waiting for the id"
    IDENTIFIED = "identified"
    LOGGING_IN = "logging in"
    JOINED = "joined"


class Post:
    """A post on its way: ``due_ns`` when it was meant to be sent, ``sent_ns`` when it was."""

    __slots__ = ("due_ns", "lag_ns", "number", "sent_ns", "waiter")

    def __init__(self, number: int, due_ns: int, sent_ns: int) -> None:
        self.number = number
        self.due_ns = due_ns
        self.sent_ns = sent_ns
        self.lag_ns = 0
        """For the caller's use: the load generator's own lateness."""
        self.waiter: Any = None
        """For the caller's use: who waits for the echo."""


class Echo:
    """One's own post came back; ``in_order`` unless a later one was back before it."""

    __slots__ = ("in_order", "post")

    def __init__(self, post: Post, in_order: bool) -> None:
        self.post = post
        self.in_order = in_order


class Delivery:
    """Another's post arrived; ``sent_ns`` on this host's clock, or -1 when it is another clock's."""

    __slots__ = ("sent_ns",)

    def __init__(self, sent_ns: int) -> None:
        self.sent_ns = sent_ns


@dataclass(frozen=True, slots=True)
class Identified:
    """The server gave this session its id: send `ChatSession.login` now."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """The wanted name was taken; ``name`` is the one to go by."""

    name: str


@dataclass(frozen=True, slots=True)
class Joined:
    """The login is complete: one's own name was announced."""


@dataclass(frozen=True, slots=True)
class Roster:
    """Who is in the room, or somebody's arrival."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """An echo of a post that was answered before."""


@dataclass(frozen=True, slots=True)
class Late:
    """The echo of a post that had been given up."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A well-formed message of a type this chat does not have: tolerated, and counted."""

    type: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """Something that is no chat message; ``reason`` says why."""

    reason: str


Event = Echo | Delivery | Identified | Renamed | Joined | Roster | Repeated | Late | Unknown | Malformed

_REPEATED, _LATE, _ROSTER, _IDENTIFIED, _JOINED = Repeated(), Late(), Roster(), Identified(), Joined()

_FOREIGN = Delivery(-1)


def _tokened(data: bytes) -> tuple[bytes, bytes, int, Delivery] | None:
    """A post's clock, sender and number by its token, and what it is to others; None without a token."""
    found = token.read(data)
    if found is None:
        return None
    clock, sender, number, sent_ns = found
    return clock, sender, number, Delivery(sent_ns)


_remembered = functools.lru_cache(maxsize=MESSAGES_REMEMBERED)(_tokened)


class ChatSession:
    """``name``: the name to log in with. ``clock`` (8) and ``sender`` (12 characters): see `token`.

    ``pending`` holds the posts not answered yet by number, oldest first.
    """

    __slots__ = ("_clock", "_clock_b", "_highest", "_lost", "_next", "_sender", "_sender_b", "id", "name",
                 "pending", "state")  # fmt: skip

    def __init__(self, name: str, *, clock: str, sender: str) -> None:
        self.name = name
        self.id: int | str | None = None
        self.state = State.WAITING
        self.pending: dict[int, Post] = {}
        self._clock, self._sender = clock, sender
        self._clock_b, self._sender_b = clock.encode(), sender.encode()
        self._next = 0
        self._highest = -1
        self._lost: dict[int, None] = {}

    def reopened(self) -> None:
        """A new connection: the login starts over. Give up what is pending yourself: `give_up`."""
        self.state = State.WAITING
        self.id = None

    # Sending

    def login(self, date_ms: int) -> bytes:
        """The login message; allowed once identified."""
        assert self.state is State.IDENTIFIED and self.id is not None
        self.state = State.LOGGING_IN
        return messages.username(self.name, self.id, date_ms)

    def post(self, text: str, *, date_ms: int, due_ns: int, sent_ns: int) -> tuple[Post, bytes]:
        """A post and its bytes, pending from now on; ``sent_ns`` is now, ``due_ns`` when it was due."""
        assert self.state is State.JOINED and self.id is not None
        number = self._next
        self._next = number + 1
        post = self.pending[number] = Post(number, due_ns, sent_ns)
        stamped = f"{text} {token.mint(self._clock, self._sender, number, sent_ns)}"
        return post, messages.post(stamped, self.id, date_ms)

    def give_up(self, post: Post) -> None:
        """The post counts as lost; its echo, if it ever comes, as `Late`."""
        del self.pending[post.number]
        self._lost[post.number] = None
        if len(self._lost) > LOST_REMEMBERED:
            del self._lost[next(iter(self._lost))]

    # Receiving

    def decode(self, data: bytes) -> dict[str, Any]:
        """A post as the object it is. Raises `MalformedMessage`."""
        return messages.decode(data)

    def receive(self, data: bytes) -> Event:
        """What one message means. Never raises for anything a server can send."""
        found = _remembered(data) if len(data) <= LONGEST_REMEMBERED else _tokened(data)
        if found is not None:
            clock, sender, number, delivery = found
            if sender == self._sender_b:
                return self._echo(number)
            return delivery if clock == self._clock_b else _FOREIGN
        try:
            return self._receive(messages.decode(data))
        except messages.MalformedMessage as error:
            return Malformed(str(error))

    def _echo(self, number: int) -> Event:
        post = self.pending.pop(number, None)
        if post is None:
            if number in self._lost:
                del self._lost[number]
                return _LATE
            return _REPEATED
        in_order = number > self._highest
        if in_order:
            self._highest = number
        return Echo(post, in_order)

    def _receive(self, message: dict[str, Any]) -> Event:
        kind = message["type"]
        if kind == "message":
            return Delivery(-1)
        if kind == "userlist":
            return _ROSTER
        if kind == "username":
            # One's own name confirms the login; ids are compared too where the server sends them back.
            own = message.get("name") == self.name and message.get("id", self.id) == self.id
            if own and self.state is State.LOGGING_IN:
                self.state = State.JOINED
                return _JOINED
            return _ROSTER
        if kind == "id":
            if not isinstance(message.get("id"), int | str):
                return Malformed("an 'id' message without an id")
            if self.state is not State.WAITING:
                return Unknown("id again")
            self.id = message["id"]
            self.state = State.IDENTIFIED
            return _IDENTIFIED
        if kind == "rejectusername":
            if not isinstance(message.get("name"), str):
                return Malformed("a 'rejectusername' message without a name")
            if message.get("id", self.id) != self.id:
                return Unknown("another's rejectusername")
            self.name = message["name"]
            return Renamed(self.name)
        return Unknown(kind[:40])
