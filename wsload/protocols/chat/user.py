"""`ChatUser`: logs into the chat, posts, and measures the way of every post: its own and others'."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from wsload.errors import ConnectionLost, LoginError, MessageTimeout
from wsload.load.options.settings import Settings
from wsload.load.users.websocket import WebSocketUser
from wsload.measure.names import register
from wsload.protocols.chat.conversation.messages import SUBPROTOCOL, decode
from wsload.protocols.chat.conversation.session import (
    ChatSession,
    Delivery,
    Echo,
    Identified,
    Joined,
    Late,
    Malformed,
    Post,
    Renamed,
    Repeated,
    Roster,
    State,
)
from wsload.protocols.chat.names import COUNTERS, METRICS
from wsload.protocols.chat.probe.beside_run import Witness

register(metrics=METRICS, counters=COUNTERS)
_now_ns = time.monotonic_ns


class ChatUser(WebSocketUser):
    """A person in the chat room: logged in before `on_start`, and again after every reconnection.

    With an open-loop ``wait_time`` (`constant_rate`, `poisson_rate`, or ``--ws-rate``) `say` returns
    at once and a slow echo delays nothing; with Locust's own wait times it waits for the echo.
    """

    abstract = True
    __slots__ = ("_answered", "_joined", "_login_sent_ns", "_session", "_wants_posts")

    subprotocols = (SUBPROTOCOL,)

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        if cls.on_message is not WebSocketUser.on_message:
            raise TypeError(f"{cls.__name__}: a ChatUser's hook for others' posts is on_post(message)")

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        number = self._swarm.next_number()
        self._session = ChatSession(
            f"user-{self._swarm.nonce}-{number}",
            clock=self._swarm.clock,
            sender=f"{self._swarm.nonce}{number & 0xFFFFFF:06x}",
        )
        self._login_sent_ns = 0
        self._joined: asyncio.Future[None] | None = None
        self._answered: asyncio.Future[None] | None = None
        self._wants_posts = type(self).on_post is not ChatUser.on_post

    @staticmethod
    def second_witness(settings: Settings, target: str) -> Witness:
        """Starts the probe of ``--ws-probe`` beside a run."""
        return Witness(settings, target)

    @property
    def name(self) -> str:
        """The name in the room: the one asked for, or the one the server gave instead."""
        return self._session.name

    def on_post(self, message: dict[str, Any]) -> None:
        """Called with others' posts as JSON objects, if overridden (parsing them all costs time)."""

    async def say(self, text: str) -> float | None:
        """Posts to the room; the echo is recorded as ``message`` when it comes.

        Returns the response time in seconds in a closed workload, None at once in an open one.
        Raises `NotConnected` (counted as unsent) when there is no login, or too much in flight; in
        a closed workload also `MessageTimeout` and `ConnectionLost` (counted as lost).
        """
        session, connection = self._session, self._connection
        if connection is None or session.state is not State.JOINED:
            self._unsent("not connected")
        if len(session.pending) >= self._settings.max_in_flight:
            self._unsent("too many in flight")
        sent_ns = _now_ns()
        due_ns = self._take_due(sent_ns)
        post, data = session.post(text, date_ms=_date_ms(), due_ns=due_ns, sent_ns=sent_ns)
        try:
            self._write_frame(connection, data, text=True)
        except BaseException:
            session.give_up(post)
            raise
        self._engine.in_flight += 1
        if self._open_workload:
            return None
        waiter: asyncio.Future[float] = self._engine.loop.create_future()
        post.waiter = waiter
        self._yielded = True
        return await waiter

    async def receive(self) -> str | bytes:
        """Not for the chat, whose messages are taken in as they come: see `on_post`."""
        raise TypeError("a ChatUser receives by on_post(message), not by receive()")

    # The login

    async def on_connect(self) -> None:
        if self._session.state is State.JOINED:
            return
        self._joined = self._engine.loop.create_future()
        try:
            async with asyncio.timeout(self._settings.open_timeout_s):
                await self._joined
        except TimeoutError:
            waited_for = "id" if self._session.state is State.WAITING else "confirmation"
            self._login_failed(f"no {waited_for}")
            raise LoginError(f"no {waited_for}") from None
        finally:
            self._joined = None

    async def _open(self, intended_ns: int, url: str | None) -> None:
        self._session.reopened()
        await super()._open(intended_ns, url)

    def _login_failed(self, kind: str) -> None:
        self._recorder.count.login_failures += 1
        self._recorder.failed("login", kind)

    # What arrives

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        recorder = self._recorder
        if not text:
            recorder.count.binary += 1
            recorder.failed("message", "binary frame")
            return
        event = self._session.receive(data)
        if isinstance(event, Delivery):
            if event.sent_ns >= 0:
                recorder.values["delivery"].append(at_ns - event.sent_ns)
                recorder.count.deliveries_own_host += 1
            else:
                recorder.count.deliveries_foreign += 1
            if self._wants_posts:
                self._call_hook(self.on_post, decode(data))
        elif isinstance(event, Echo):
            self._receive_echo(event.post, event.in_order, at_ns, len(data))
        else:
            self._receive_other(event, at_ns)

    def _receive_echo(self, post: Post, in_order: bool, at_ns: int, size: int) -> None:
        recorder = self._recorder
        response_ns = at_ns - post.due_ns
        recorder.values["message"].append(response_ns)
        recorder.values["message.service"].append(at_ns - post.sent_ns)
        recorder.sizes["message"].append(size)
        self._engine.in_flight -= 1
        if not in_order:
            recorder.count.out_of_order += 1
        if post.waiter is not None and not post.waiter.done():
            post.waiter.set_result(response_ns / 1e9)
        self._check_answered()

    def _receive_other(self, event: Any, at_ns: int) -> None:
        recorder, count = self._recorder, self._recorder.count
        match event:
            case Roster():
                count.rosters += 1
            case Identified():
                self._login_sent_ns = _now_ns()
                assert self._connection is not None
                self._write_frame(self._connection, self._session.login(_date_ms()), text=True)
            case Renamed():
                count.renamed += 1
            case Joined():
                count.logins += 1
                recorder.values["login"].append(at_ns - self._login_sent_ns)
                if self._joined is not None and not self._joined.done():
                    self._joined.set_result(None)
            case Repeated():
                count.duplicates += 1
            case Late():
                count.late += 1
            case Malformed():
                count.malformed += 1
                recorder.failed("message", "not a chat message")
            case _:
                count.unknown_types += 1

    # What is given up

    def visit(self, now_ns: int) -> None:
        oldest_ns = now_ns - self._settings.message_timeout_ns
        pending = self._session.pending
        while pending:
            post = next(iter(pending.values()))
            if post.sent_ns > oldest_ns:
                return
            self._give_up(post, "timeout")

    def _give_up(self, post: Post, kind: str) -> None:
        self._session.give_up(post)
        self._engine.in_flight -= 1
        self._lost(post.due_ns, kind)
        if post.waiter is not None and not post.waiter.done():
            error = MessageTimeout(kind) if kind == "timeout" else ConnectionLost(kind)
            post.waiter.set_exception(error)
        self._check_answered()

    def _connection_lost(self, kind: str, reason: str) -> None:
        for post in list(self._session.pending.values()):
            self._give_up(post, kind)
        if self._joined is not None and not self._joined.done():
            self._login_failed(kind)
            self._joined.set_exception(LoginError(kind, reason))

    async def _drain(self) -> None:
        if self._session.pending and self._settings.drain_s > 0:
            self._answered = self._engine.loop.create_future()
            try:
                async with asyncio.timeout(self._settings.drain_s):
                    await self._answered
            except TimeoutError:
                pass
            finally:
                self._answered = None
        for post in list(self._session.pending.values()):
            self._give_up(post, "no echo by the end")

    def _check_answered(self) -> None:
        if self._answered is not None and not self._session.pending and not self._answered.done():
            self._answered.set_result(None)


def _date_ms() -> int:
    return time.time_ns() // 1_000_000
