"""One user's side of a chat, sans-I/O: feed `Session.receive` bytes, do what the event says.

States, and what moves them on:

    WAITING ──Identified──▶ IDENTIFIED ──(you send `login`)──▶ LOGGING_IN ──Joined──▶ JOINED

`Identified` asks the caller to send what `login` returns. `Renamed` is no failure: the name in it
is used from then on. Posts of others may arrive in any state. A post's echo is found by its token
in the raw bytes, before any message is parsed: receiving others' posts is the hot path, N times as
frequent as sending. Time is a plain number here: whoever calls brings it.

What a chat's messages look like is a subclass's matter: `write_login`, `write_post`, `read` and `decode`.
`wsload.protocols.chat.conversation.mdn.ChatSession` is the chat that wsload brings.

One session serves a user for its whole life: `reopened` takes it back to its first state on a new
connection, and posts keep their numbers, so that an echo from before is still known.
"""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from wsload.protocols.chat.conversation import token

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
    """The server waits for the login: send `Session.login` now."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """The wanted name was taken; ``name`` is the one to go by."""

    name: str


@dataclass(frozen=True, slots=True)
class Joined:
    """The login is complete."""


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

_REPEATED, _LATE = Repeated(), Late()

_FOREIGN = Delivery(-1)


def _tokened(data: bytes) -> tuple[bytes, bytes, int, Delivery] | None:
    """A post's clock, sender and number by its token, and what it is to others; None without a token."""
    found = token.read(data)
    if found is None:
        return None
    clock, sender, number, sent_ns = found
    return clock, sender, number, Delivery(sent_ns)


_remembered = functools.lru_cache(maxsize=MESSAGES_REMEMBERED)(_tokened)


class Session:
    """``name``: the name to log in with. ``clock`` (8) and ``sender`` (12 characters): see `token`.

    ``pending`` holds the posts not answered yet by number, oldest first.
    """

    first: ClassVar[State] = State.WAITING
    """The state of a new connection: WAITING where the server speaks first, IDENTIFIED where the client logs in at
    once, JOINED where there is no login, since the opening has told who this is."""
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
        """Of the last post, which is the one that is being written."""
        self.date_ms = 0
        """The wall clock in milliseconds, when something is written."""
        self._highest = -1
        self._lost: dict[int, None] = {}

    # For a chat's own format

    def write_login(self) -> bytes:
        """The login message."""
        raise NotImplementedError

    def write_post(self, text: str) -> bytes:
        """A post's message. The token that tells its echo ends the ``text``.

        Where the server does not hand the text on, write the post's ``number``, and have `read` return
        ``self.echo(number)``.
        """
        raise NotImplementedError

    def read(self, data: bytes) -> Event:
        """What a message without a token means. Raises `ValueError` for what is no chat message.

        `Identified`, where the server waits for the login; `Joined`, where the login is complete (no matter how
        often); `Renamed`; `Roster`, for news of who is there; `Delivery` with -1 for posts that are not wsload's;
        `Unknown` for whatever else is harmless.
        """
        raise NotImplementedError

    def decode(self, data: bytes) -> Any:
        """A post of another's, as `on_post` is to be given it."""
        return data

    # Sending

    def reopened(self) -> None:
        """A new connection: the login starts over. Give up what is pending yourself: `give_up`."""
        self.state = self.first

    def login(self, date_ms: int) -> bytes:
        """The login message, to be sent now; allowed once identified."""
        assert self.state is State.IDENTIFIED
        self.state = State.LOGGING_IN
        self.date_ms = date_ms
        return self.write_login()

    def post(self, text: str, *, date_ms: int, due_ns: int, sent_ns: int) -> tuple[Post, bytes]:
        """A post and its bytes, pending from now on; ``sent_ns`` is now, ``due_ns`` when it was due."""
        assert self.state is State.JOINED
        self.date_ms = date_ms
        number = self.number = self.number + 1
        post = self.pending[number] = Post(number, due_ns, sent_ns)
        stamped = f"{text} {token.mint(self._clock, self._sender, number, sent_ns)}"
        return post, self.write_post(stamped)

    def give_up(self, post: Post) -> None:
        """The post counts as lost; its echo, if it ever comes, as `Late`."""
        del self.pending[post.number]
        self._lost[post.number] = None
        if len(self._lost) > LOST_REMEMBERED:
            del self._lost[next(iter(self._lost))]

    # Receiving

    def receive(self, data: bytes) -> Event:
        """What one message means. Raises only what a faulty `read` does."""
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
        """For `read`: the post of this number came back, told by something else than its token."""
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
        """The event, and the state that it leads to."""
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
