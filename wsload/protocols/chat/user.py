"""`ChatUser`: logs into the chat, posts, and measures its own posts and the delivery of others'."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable
from typing import Any, ClassVar

from wsload.errors import ClassError, UsageError
from wsload.load.options.settings import Settings
from wsload.load.users.sockets.opening import pairs
from wsload.load.users.websocket import WebSocketUser
from wsload.load.ws.request import request_headers
from wsload.protocols.chat.conversation.mdn import ChatSession
from wsload.protocols.chat.conversation.messages import SUBPROTOCOL
from wsload.protocols.chat.conversation.session import Session
from wsload.protocols.chat.names import MESSAGE, use
from wsload.protocols.chat.probe.cross_check import CrossCheck
from wsload.protocols.chat.socket import ChatSocket


class ChatUser(WebSocketUser):
    """A person in the chat room: logged in before `on_start`, and again after every reconnection.

    `say` posts, and measures the time to the post's own echo. For a chat with another message format, set
    ``session``.
    """

    abstract = True

    subprotocols: tuple[str, ...] = (SUBPROTOCOL,)
    session: ClassVar[type[Session]] = ChatSession
    """The conversation: a subclass of `Session` that knows the server's messages."""

    _subject = MESSAGE
    __slots__ = ()

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        use()
        if cls.on_message is not WebSocketUser.on_message:
            raise ClassError(f"{cls.__name__}: a ChatUser's hook for others' posts is on_post(message)")
        if inspect.iscoroutinefunction(cls.on_post):
            raise ClassError(f"{cls.__name__}: on_post is called for every post, so it can't be async")
        if not (isinstance(cls.session, type) and issubclass(cls.session, Session)):
            raise ClassError(f"{cls.__name__}: session must be a subclass of Session, not {cls.session!r}")

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

    @classmethod
    def start_probe(cls, settings: Settings, target: str) -> CrossCheck:
        """Starts the probe of ``--ws-probe``, which connects like users of this class."""
        if cls.session is not ChatSession:
            raise UsageError(
                f"argument --ws-probe: the probe speaks wsload's own chat, not {cls.session.__name__}"
            )
        asked, origin = settings.opening, settings.opening.origin
        defaults = (*asked.headers, *(() if origin is None else (("Origin", origin),)))
        return CrossCheck(
            settings,
            target,
            headers=tuple(request_headers(defaults, pairs(cls.headers), pairs(cls.cookies)).raw_items()),
            subprotocols=cls.subprotocols if settings.subprotocols is None else settings.subprotocols,
        )

    @property
    def name(self) -> str:
        """The name in the room: the requested one, or the one that the server chose instead."""
        name: str = self._socket.session.name
        return name

    def on_post(self, message: Any) -> None:
        """Override it to get others' posts: JSON objects, or what the session's ``decode`` returns.

        Parsing them all costs time.
        """

    async def on_connect(self) -> None:
        """Logs in. An override must call this method first."""
        await self._socket.log_in()

    def say(self, text: str) -> Awaitable[float]:
        """Posts to the room at once; awaiting the result waits for the echo and returns the response time in seconds.

        The echo is recorded as ``message``, whether anybody awaits it or not. Awaiting raises `NotConnected`
        (counted as unsent) if not logged in or with too many in flight, `MessageTimeout` or `ConnectionLost` (as lost).
        """
        found: Awaitable[float] = self._socket.say(text)
        return found

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a ChatUser posts with say() and gets others' posts in on_post(message)")

    request = round_trip = send = send_nowait = receive = messages = _refuse
