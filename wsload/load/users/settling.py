"""The state of a connection, which tasks wait for; see `wsload.load.users.states`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wsload.load.users.hooks import Hooks
from wsload.load.users.process import ProcessContext
from wsload.load.users.states import UNSETTLED, Event, State, after
from wsload.load.ws.writing import release

if TYPE_CHECKING:
    from wsload.load.users.owner import Owner


class Settling(Hooks):
    """A connection in one of the states. While it is in any but `State.CLOSED`, the engine visits it."""

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
