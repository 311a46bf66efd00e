"""`ChatUser`: logs into the chat, posts, and measures the way of every post: its own and others'."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, ClassVar

from wsload.load.options.settings import Settings
from wsload.load.users.websocket import WebSocketUser
from wsload.measure.names import register
from wsload.protocols.chat.conversation.messages import SUBPROTOCOL
from wsload.protocols.chat.conversation.session import ChatSession
from wsload.protocols.chat.names import COUNTERS, MESSAGE, METRICS
from wsload.protocols.chat.probe.cross_check import CrossCheck
from wsload.protocols.chat.socket import ChatSocket

register(metrics=METRICS, counters=COUNTERS)


class ChatUser(WebSocketUser):
    """A person in the chat room: logged in before `on_start`, and again after every reconnection.

    `say` posts, and is measured until the post's own echo is back. Another chat with another message format is
    spoken by giving the class another ``session``.
    """

    abstract = True

    subprotocols = (SUBPROTOCOL,)
    session: ClassVar[type[ChatSession]] = ChatSession
    """The conversation: a subclass of `ChatSession` that knows the server's messages."""

    _subject = MESSAGE
    __slots__ = ()

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        if cls.on_message is not WebSocketUser.on_message:
            raise TypeError(f"{cls.__name__}: a ChatUser's hook for others' posts is on_post(message)")

    def _make_socket(self) -> ChatSocket:
        number, context = self._context.next_number(), self._context
        session = self.session(
            f"user-{context.nonce}-{number}",
            clock=context.clock,
            sender=f"{context.nonce}{number & 0xFFFFFF:06x}",
        )
        return ChatSocket(
            self,
            context,
            session,
            reconnects=self._reconnects,
            on_post=self.on_post if type(self).on_post is not ChatUser.on_post else None,
        )

    @staticmethod
    def second_witness(settings: Settings, target: str) -> CrossCheck:
        """Starts the probe of ``--ws-probe`` beside a run."""
        return CrossCheck(settings, target)

    @property
    def name(self) -> str:
        """The name in the room: the one asked for, or the one the server gave instead."""
        name: str = self._socket.session.name
        return name

    def on_post(self, message: dict[str, Any]) -> None:
        """Called with others' posts as JSON objects, if overridden (parsing them all costs time)."""

    async def on_connect(self) -> None:
        """Logs in. A class that overrides it calls this one first."""
        await self._socket.log_in()

    def say(self, text: str) -> Awaitable[float]:
        """Posts to the room now; awaiting it waits for the echo and gives the response time in seconds.

        Recorded as ``message`` when the echo comes, whoever awaits it. Awaiting raises `NotConnected` (counted as
        unsent) when there is no login or too much in flight, `MessageTimeout` and `ConnectionLost` (counted as
        lost).
        """
        found: Awaitable[float] = self._socket.say(text)
        return found

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a ChatUser posts with say() and is given others' posts by on_post(message)")

    request = round_trip = send = send_nowait = receive = messages = _refuse
