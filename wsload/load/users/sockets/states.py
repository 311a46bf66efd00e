"""The state machine of a user's socket.

    CLOSED ──open──▶ OPENING ──opened──▶ GREETING ──greeted──▶ OPEN ──close──▶ CLOSING ──gone──▶ CLOSED
                     ▲  │ failed            │ lost              │  │ drop
                     │  ▼                   ▼              lost │  ▼
                     WAITING ◀──────────────────────────────────┴─ DROPPING

GREETING is the time of `on_connect`. The caller that reports the end of a connection decides whether it is reopened:
LOST leads to another attempt, GONE does not.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final


class State(enum.Enum):
    """The state of a socket."""

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is Python code

    CLOSED = "closed"
    """No connection, and none is wanted."""
    OPENING = "being opened"
    """An attempt is in progress."""
    GREETING = "connected, with on_connect running"
    """Only `on_connect` may use the connection, and the hooks that get its messages."""
    OPEN = "connected"
    CLOSING = "being closed"
    """This side has started the closing handshake."""
    DROPPING = "being dropped"
    """Its answers can't be told apart any more, so it is dropped, and reopened at once."""
    WAITING = "about to be opened again"
    """The next attempt is due later."""


class Event(enum.Enum):
    """What happens to a socket."""

    __hash__ = object.__hash__

    OPEN = "an attempt begins"
    OPENED = "the attempt succeeded"
    FAILED = "the attempt failed, another follows"
    GREETED = "on_connect has returned"
    DROP = "dropped by this side, to be opened anew"
    LOST = "the connection is gone, another attempt follows"
    CLOSE = "asked to close"
    GONE = "the connection is gone, or the attempt failed, and none follows"


TRANSITIONS: Final[Mapping[State, Mapping[Event, State]]] = {
    State.CLOSED: {Event.OPEN: State.OPENING, Event.CLOSE: State.CLOSED},
    State.OPENING: {
        Event.OPENED: State.GREETING,
        Event.FAILED: State.WAITING,
        Event.GONE: State.CLOSED,
        Event.CLOSE: State.CLOSED,
    },
    State.GREETING: {
        Event.GREETED: State.OPEN,
        Event.DROP: State.DROPPING,
        Event.LOST: State.WAITING,
        Event.GONE: State.CLOSED,
        Event.CLOSE: State.CLOSING,
    },
    State.OPEN: {
        Event.DROP: State.DROPPING,
        Event.LOST: State.WAITING,
        Event.GONE: State.CLOSED,
        Event.CLOSE: State.CLOSING,
    },
    State.DROPPING: {
        Event.LOST: State.WAITING,
        Event.GONE: State.CLOSED,
        Event.CLOSE: State.CLOSING,
    },
    State.CLOSING: {Event.GONE: State.CLOSED, Event.CLOSE: State.CLOSING},
    State.WAITING: {Event.OPEN: State.OPENING, Event.CLOSE: State.CLOSED},
}
"""The state that follows. An event that a state does not list can't happen in it."""

CONNECTED: Final = frozenset((State.GREETING, State.OPEN))
"""The states in which messages can be sent."""
UNSETTLED: Final = frozenset((State.OPENING, State.GREETING, State.DROPPING, State.WAITING))
"""The states in which a connection is being established: tasks of a closed workload wait for it."""


def after(state: State, event: Event) -> State:
    """The state that follows. An `AssertionError` is a bug in wsload."""
    following = TRANSITIONS[state].get(event)
    assert following is not None, f"{event} in state {state}"
    return following
