"""One user's side of a chat, sans-I/O: pass bytes to `Session.receive`, and act on the event it returns.

States and transitions:

    WAITING ──Identified──▶ IDENTIFIED ──(you send `login`)──▶ LOGGING_IN ──Joined──▶ JOINED

After `Identified` the caller must send what `login` returns. `Renamed` is no failure: from then on
the user has that name. Posts of others may arrive in any state. A post's echo is recognized by its
token in the raw bytes, before any message is parsed, because receiving others' posts is the hot path:
it is N times as frequent as sending. The caller passes in the time.

A subclass defines the format of the messages: `write_login`, `write_post`, `read` and `decode`.
`wsload.protocols.chat.conversation.mdn.ChatSession` is the chat that comes with wsload.

One session serves a user for its whole life: `reopened` resets its state for a new connection, but
posts keep their numbers, so that an earlier echo is still recognized.
"""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from wsload.protocols.chat.conversation import token

LOST_REMEMBERED: Final = 4096
"""Lost posts that are remembered per user, to distinguish a late echo from a repeated one."""

MESSAGES_REMEMBERED: Final = 512
"""A post reaches every user of the process, so parsed posts are cached. This takes 200 KB, 700 KB at most."""
LONGEST_REMEMBERED: Final = 1024
"""Longer messages (bytes) are not cached."""


class State(enum.Enum):
    """How far the login has come."""

    WAITING = "waiting for the id"
    IDENTIFIED = "identified"
    LOGGING_IN = "logging in"
    JOINED = "joined"


class Post:
    """An outstanding post: ``due_ns`` is when it was due, ``sent_ns`` when it was sent."""

    __slots__ = ("due_ns", "lag_ns", "number", "sent_ns", "waiter")

    def __init__(self, number: int, due_ns: int, sent_ns: int) -> None:
        self.number = number
        self.due_ns = due_ns
        self.sent_ns = sent_ns
        self.lag_ns = 0
        """For the caller's use: the load generator's own lateness."""
        self.waiter: Any = None
        """For the caller's use: whatever waits for the echo."""


class Echo:
    """The user's own post came back; ``in_order`` unless a later one came back before."""

    __slots__ = ("in_order", "post")

    def __init__(self, post: Post, in_order: bool) -> None:
        self.post = post
        self.in_order = in_order


class Delivery:
    """Another user's post arrived; ``sent_ns`` is by this host's clock, or -1 if it was sent by another clock."""

    __slots__ = ("sent_ns",)

    def __init__(self, sent_ns: int) -> None:
        self.sent_ns = sent_ns


@dataclass(frozen=True, slots=True)
class Identified:
    """The server expects the login: send what `Session.login` returns."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """The requested name was taken; ``name`` is the new one."""

    name: str


@dataclass(frozen=True, slots=True)
class Joined:
    """The login is complete."""


@dataclass(frozen=True, slots=True)
class Roster:
    """The list of users, or the arrival of one."""


@dataclass(frozen=True, slots=True)
class Repeated:
    """An echo of a post that was answered before."""


@dataclass(frozen=True, slots=True)
class Late:
    """The echo of a post that had been given up."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A well-formed message of an unknown type, which is tolerated and counted."""

    type: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """Not a chat message, for this ``reason``."""

    reason: str


Event = Echo | Delivery | Identified | Renamed | Joined | Roster | Repeated | Late | Unknown | Malformed

_REPEATED, _LATE = Repeated(), Late()

_FOREIGN = Delivery(-1)


def _tokened(data: bytes) -> tuple[bytes, bytes, int, Delivery] | None:
    """The clock, sender and number in a post's token, and the `Delivery` it is to others; None without a token."""
    found = token.read(data)
    if found is None:
        return None
    clock, sender, number, sent_ns = found
    return clock, sender, number, Delivery(sent_ns)


_remembered = functools.lru_cache(maxsize=MESSAGES_REMEMBERED)(_tokened)


class Session:
    """``name`` is used for the login. ``clock`` (8 characters) and ``sender`` (12) are part of the `token`.

    ``pending`` holds the outstanding posts by number, oldest first.
    """

    first: ClassVar[State] = State.WAITING
    """The state of a new connection: WAITING if the server speaks first, IDENTIFIED if the client logs in at
    once, JOINED if there is no login because the opening request identifies the user."""
    binary: ClassVar[bool] = False
    """Whether messages are binary frames."""

    __slots__ = ("_clock", "_clock_b", "_highest", "_lost", "_sender", "_sender_b", "date_ms", "name", "number",
                 "pending", "state")  # fmt: skip

    def __init__(self, name: str, *, clock: str, sender: str) -> None:
        self.name = name
        self.state = self.first
        self.pending: dict[int, Post] = {}
        self._clock, self._sender = clock, sender
        self._clock_b, self._sender_b = clock.encode(), sender.encode()
        self.number = -1
        """The number of the last post; in `write_post`, of the one being written."""
        self.date_ms = 0
        """For `write_login` and `write_post`: the wall clock in milliseconds."""
        self._highest = -1
        self._lost: dict[int, None] = {}

    # For a chat's own format

    def write_login(self) -> bytes:
        """The login message."""
        raise NotImplementedError

    def write_post(self, text: str) -> bytes:
        """The message of a post; ``text`` ends with the token by which its echo is recognized.

        If the server does not forward the text, write ``self.number``, and return ``self.echo(number)`` in `read`.
        """
        raise NotImplementedError

    def read(self, data: bytes) -> Event:
        """What a message without a token means. Raises `ValueError` if it is no chat message.

        Return `Identified` if the server expects the login, `Joined` if the login is complete (once or several times),
        `Renamed`, `Roster` for news about who is in the room, ``Delivery(-1)`` for posts that are not wsload's, or
        `Unknown` for anything else that is harmless.
        """
        raise NotImplementedError

    def decode(self, data: bytes) -> Any:
        """Another user's post, as `on_post` gets it."""
        return data

    # Sending

    def reopened(self) -> None:
        """Starts over on a new connection. The caller must `give_up` what is pending."""
        self.state = self.first

    def login(self, date_ms: int) -> bytes:
        """The login message, to be sent now; only allowed in state IDENTIFIED."""
        assert self.state is State.IDENTIFIED
        self.state = State.LOGGING_IN
        self.date_ms = date_ms
        return self.write_login()

    def post(self, text: str, *, date_ms: int, due_ns: int, sent_ns: int) -> tuple[Post, bytes]:
        """A new pending post and its bytes; ``sent_ns`` is now, ``due_ns`` when it was due."""
        assert self.state is State.JOINED
        self.date_ms = date_ms
        number = self.number = self.number + 1
        data = self.write_post(f"{text} {token.mint(self._clock, self._sender, number, sent_ns)}")
        post = self.pending[number] = Post(number, due_ns, sent_ns)
        return post, data

    def give_up(self, post: Post) -> None:
        """Gives up a post; if its echo still comes, it is `Late`."""
        del self.pending[post.number]
        self._lost[post.number] = None
        if len(self._lost) > LOST_REMEMBERED:
            del self._lost[next(iter(self._lost))]

    # Receiving

    def receive(self, data: bytes) -> Event:
        """What a message means. Raises nothing, unless `read` is faulty."""
        found = _remembered(data) if len(data) <= LONGEST_REMEMBERED else _tokened(data)
        if found is not None:
            clock, sender, number, delivery = found
            if sender == self._sender_b:
                return self.echo(number)
            return delivery if clock == self._clock_b else _FOREIGN
        try:
            return self._moved_on(self.read(data))
        except ValueError as error:
            return Malformed(str(error))

    def echo(self, number: int) -> Event:
        """For `read`: the post with this number came back, recognized without its token."""
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

    def _moved_on(self, event: Event) -> Event:
        """Changes the state according to the event."""
        if isinstance(event, Identified):
            if self.state is not State.WAITING:
                return Unknown("id again")
            self.state = State.IDENTIFIED
        elif isinstance(event, Joined):
            if self.state is State.JOINED:
                return Roster()
            self.state = State.JOINED
        elif isinstance(event, Renamed):
            self.name = event.name
        return event
