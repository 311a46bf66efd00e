"""What `keeping` builds on: the hooks of its subclasses, and the state, which tasks wait for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wsload.load.users.context.process import ProcessContext
from wsload.load.users.sockets.states import UNSETTLED, Event, State, after
from wsload.load.users.sockets.tally import Tally
from wsload.load.ws.writing import release

if TYPE_CHECKING:
    from wsload.load.users.sockets.owner import Owner


class Hooks(Tally):
    """For subclasses of `wsload.load.users.sockets.keeping.KeptConnection` to override."""

    __slots__ = ()

    def _began(self) -> None:
        """Called when a connection is open."""

    async def _linger(self) -> None:
        """Called before the closing handshake, to wait for messages."""

    def _lost(self, kind: str, detail: str) -> None:
        """Gives up outstanding requests, as failures of this kind."""

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        """Called by the connection with a whole message."""

    def visit(self, now_ns: int) -> None:
        """Called by the engine several times a second, to time out requests."""


class Settling(Hooks):
    """A connection in a state of `wsload.load.users.sockets.states`; the engine visits it in any but `State.CLOSED`."""

    __slots__ = ("_settled", "state")

    def __init__(self, owner: Owner, context: ProcessContext) -> None:
        super().__init__(owner, context)
        self.state = State.CLOSED
        self._settled: tuple[asyncio.Future[None], ...] = ()
        """Waiters; a tuple, since it is empty for nearly every user and then takes no memory."""

    def _move(self, event: Event) -> None:
        self.state = after(self.state, event)
        if self.state is State.CLOSED:
            self.engine.members.pop(self, None)
        if self._settled and self.state not in UNSETTLED:
            waiters, self._settled = self._settled, ()
            release(waiters)

    @property
    def settled(self) -> bool:
        """Whether the connection is open, or none is wanted."""
        return self.state is State.OPEN or self.state not in UNSETTLED

    async def when_settled(self) -> None:
        """Waits until the connection is open, or no longer wanted."""
        if self.state in UNSETTLED:
            waiter: asyncio.Future[None] = self.engine.loop.create_future()
            self._settled = (*self._settled, waiter)
            await waiter
