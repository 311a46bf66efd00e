"""The state machine of a connection after the opening.

    OPEN ──CLOSE_SENT──▶ CLOSING ──HUNG_UP──▶ UNREAD
     │ │                    │                  ▲  │
     │ └────────────────────┼────HUNG_UP───────┘  │
     │ CLOSE_RECEIVED,      │ CLOSE_RECEIVED,     │ CLOSE_RECEIVED, FAILED
     ▼ FAILED               ▼ FAILED              ▼
    ENDING ◀────────────────┘                   GONE          LOST: from any state to CLOSED

A connection that has failed, or whose closing handshake is done, is ENDING: incoming data is discarded, and
the server has to close the TCP connection (RFC 6455 section 7.1.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final


class State(Enum):
    """The state of a connection."""

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is Python code

    OPEN = auto()
    CLOSING = auto()
    """Nothing more is sent, but messages are still received."""
    UNREAD = auto()
    """The TCP connection is gone, but received data is still to be read."""
    ENDING = auto()
    GONE = auto()
    """The TCP connection is gone, and the rest of the data is discarded."""
    CLOSED = auto()


class Event(Enum):
    """What happens to a connection."""

    __hash__ = object.__hash__

    CLOSE_SENT = auto()
    """This side started the closing handshake."""
    CLOSE_RECEIVED = auto()
    FAILED = auto()
    """The server broke a rule, or this side gave up the connection."""
    HUNG_UP = auto()
    """The TCP connection is gone, but received data is still to be read."""
    LOST = auto()
    """The TCP connection is gone, and everything received was read."""


TABLE: Final[Mapping[tuple[State, Event], State]] = {
    (State.OPEN, Event.CLOSE_SENT): State.CLOSING,
    (State.OPEN, Event.HUNG_UP): State.UNREAD,
    (State.OPEN, Event.CLOSE_RECEIVED): State.ENDING,
    (State.OPEN, Event.FAILED): State.ENDING,
    (State.OPEN, Event.LOST): State.CLOSED,
    (State.CLOSING, Event.HUNG_UP): State.UNREAD,
    (State.CLOSING, Event.CLOSE_RECEIVED): State.ENDING,
    (State.CLOSING, Event.FAILED): State.ENDING,
    (State.CLOSING, Event.LOST): State.CLOSED,
    (State.UNREAD, Event.CLOSE_RECEIVED): State.GONE,
    (State.UNREAD, Event.FAILED): State.GONE,
    (State.UNREAD, Event.LOST): State.CLOSED,
    (State.ENDING, Event.LOST): State.CLOSED,
    (State.GONE, Event.LOST): State.CLOSED,
}
"""Pairs that are not listed change nothing, such as a second close."""
