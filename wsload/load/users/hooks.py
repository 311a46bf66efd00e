"""What the kinds of connections do differently."""

from __future__ import annotations

from wsload.load.users.tally import Tally


class Hooks(Tally):
    """For subclasses of `wsload.load.users.keeping.KeptConnection` to override."""

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
