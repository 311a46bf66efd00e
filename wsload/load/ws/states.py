"""A connection's life after the opening, as one state and a table of what each event makes of it.

    OPEN ──CLOSE_SENT, HUNG_UP──▶ CLOSING
     │                               │
     │ CLOSE_RECEIVED, FAILED        │ CLOSE_RECEIVED, FAILED
     ▼                               │
    ENDING ◀─────────────────────────┘          LOST: from any state to CLOSED

A connection that has failed, or whose closing handshake is done, is ENDING: what still comes is
discarded, and the server has to close the TCP connection (RFC 6455 section 7.1.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final


class State(Enum):
    """Where a connection is in its life."""

    OPEN = auto()
    CLOSING = auto()
    """Nothing more is sent; what the server had sent before is still received."""
    ENDING = auto()
    CLOSED = auto()


class Event(Enum):
    """What happens to a connection."""

    CLOSE_SENT = auto()
    """This side began the closing handshake."""
    CLOSE_RECEIVED = auto()
    FAILED = auto()
    """The server broke a rule, or this side gave the connection up."""
    HUNG_UP = auto()
    """The TCP connection is gone, and what came before that is still to be read."""
    LOST = auto()
    """The TCP connection is gone, and all that came is read."""


TABLE: Final[Mapping[tuple[State, Event], State]] = {
    (State.OPEN, Event.CLOSE_SENT): State.CLOSING,
    (State.OPEN, Event.HUNG_UP): State.CLOSING,
    (State.OPEN, Event.CLOSE_RECEIVED): State.ENDING,
    (State.OPEN, Event.FAILED): State.ENDING,
    (State.OPEN, Event.LOST): State.CLOSED,
    (State.CLOSING, Event.CLOSE_RECEIVED): State.ENDING,
    (State.CLOSING, Event.FAILED): State.ENDING,
    (State.CLOSING, Event.LOST): State.CLOSED,
    (State.ENDING, Event.LOST): State.CLOSED,
}
"""What is not here changes nothing: a second close, or a failure of what is ending already."""
