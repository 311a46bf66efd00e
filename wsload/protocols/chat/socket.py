"""A chat user's connection: posts and their echoes, others' posts, and the login, recorded as they arrive."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from wsload.errors import ConnectionLost, LoginError, MessageTimeout, NotConnected
from wsload.load.users.context.here import current_due
from wsload.load.users.context.process import ProcessContext
from wsload.load.users.sockets.keeping import KeptConnection
from wsload.load.users.sockets.owner import Owner
from wsload.load.users.sockets.tally import Draining, record_answer
from wsload.measure.lateness import BEAT_NS
from wsload.measure.names import CANCELLED, NOT_CONNECTED, TIMEOUT, TOO_MANY, UNANSWERED, Figures, Kind
from wsload.protocols.chat.conversation.session import (
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
    Session,
    State,
)
from wsload.protocols.chat.names import LOGIN, MESSAGE

_now_ns = time.monotonic_ns


class ChatSocket(KeptConnection):
    """The connection on which a `Session` is held. ``on_post`` is the user class's, or None."""

    __slots__ = (
        "_draining",
        "_end",
        "_figures",
        "_joined",
        "_login_sent_ns",
        "_on_post",
        "_text",
        "at_ns",
        "session",
    )

    def __init__(
        self,
        owner: Owner,
        context: ProcessContext,
        session: Session,
        *,
        reconnects: bool,
        on_post: Callable[[Any], object] | None,
    ) -> None:
        super().__init__(owner, context, main=True, reconnects=reconnects)
        self.session = session
        self.recorder.know_counters()
        self._figures: Final[Figures] = self.recorder.declare(MESSAGE, Kind.REQUEST)
        self._on_post = on_post
        self._text = not session.binary
        self._end = (NOT_CONNECTED, "")
        """How the last connection ended."""
        self._login_sent_ns = 0
        """0 if the login on this connection needs no message."""
        self._joined: asyncio.Future[None] | None = None
        self._draining: Draining | None = None
        self.at_ns = 0
        """When the post that was passed on last arrived (monotonic)."""

    def _began(self) -> None:
        self.session.reopened()
        self._login_sent_ns = 0

    # The login

    async def log_in(self) -> None:
        """Waits until the login is complete. Raises `LoginError`, which was counted."""
        if self.connection is None:  # lost since it was opened
            self._login_failed(*self._end)
            raise LoginError(*self._end)
        if self.session.state is State.IDENTIFIED:
            self._send_login()
        if self.session.state is State.JOINED:
            return
        self._joined = self.engine.loop.create_future()
        limit_ns = int(self.context.settings.open_timeout_s * 1e9)
        timer = self.engine.timers.deadline(_now_ns() + limit_ns, self._not_joined, source=self.source)
        try:
            await self._joined
        except asyncio.CancelledError:
            if self.wanted():
                self._login_failed(CANCELLED)
            raise
        finally:
            timer.cancel()
            self._joined = None

    def _not_joined(self, kind: str = "", detail: str = "") -> None:
        """The login on this connection has failed: it was lost, or the time is up."""
        if self._joined is not None and not self._joined.done():
            kind = kind or f"no {'id' if self.session.state is State.WAITING else 'confirmation'}"
            self._login_failed(kind, detail)
            self._joined.set_exception(LoginError(kind, detail))

    def _login_failed(self, kind: str, detail: str = "") -> None:
        self.recorder.count.login_failures += 1
        self.recorder.failed(LOGIN, kind, detail=detail)

    # Posting

    def say(self, text: str) -> Awaitable[float]:
        """Posts now; awaiting gives the response time in seconds. See `ChatUser.say`."""
        session, connection = self.session, self.connection
        if connection is None or session.state is not State.JOINED:
            return self._failed(NOT_CONNECTED)
        if len(session.pending) >= self.context.settings.max_in_flight:
            return self._failed(TOO_MANY)
        sent_ns = _now_ns()
        due_ns, lag_ns = current_due.get().take(sent_ns)
        post, data = session.post(text, date_ms=date_ms(), due_ns=due_ns, sent_ns=sent_ns)
        post.lag_ns = lag_ns
        try:
            connection.send_now(data, text=self._text)
        except BaseException as error:
            session.give_up(post)
            if isinstance(error, NotConnected):
                return self._failed(error.kind)
            raise
        if (written_ns := _now_ns()) - sent_ns > BEAT_NS:
            self.recorder.lateness.wrote(sent_ns, written_ns)
        self.recorder.count.requests += 1
        self.engine.in_flight += 1
        waiter: asyncio.Future[float] = self.engine.loop.create_future()
        post.waiter = waiter
        return waiter

    def _failed(self, kind: str) -> Awaitable[Any]:
        return self.unsent(MESSAGE, NotConnected(kind))

    # What arrives

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        recorder = self.recorder
        if text is not self._text:
            recorder.count.binary += not text
            recorder.failed(MESSAGE, "text frame" if text else "binary frame")
            return
        try:
            event = self.session.receive(data)
        except Exception as error:  # in another chat's session
            self.owner._raised("session", error)
            return
        if isinstance(event, Delivery):
            if event.sent_ns >= 0:
                recorder.values["delivery"].append(at_ns - event.sent_ns)
                lateness = recorder.lateness
                if at_ns > lateness.due_ns or lateness.until_ns > event.sent_ns:
                    late_ns = lateness.writing(event.sent_ns) + lateness.reading(at_ns)
                    recorder.late("delivery", at_ns - event.sent_ns, late_ns)
                recorder.count.deliveries_own_host += 1
            else:
                recorder.count.deliveries_foreign += 1
            if self._on_post is not None:
                self.at_ns = at_ns
                self._hand_over(data)
        elif isinstance(event, Echo):
            self._receive_echo(event.post, event.in_order, at_ns, data)
        else:
            self._receive_other(event, at_ns)

    def _hand_over(self, data: bytes) -> None:
        assert self._on_post is not None
        try:
            message = self.session.decode(data)
        except ValueError as error:  # a token in what is no message
            self._receive_malformed(str(error))
        except Exception as error:
            self.owner._raised("session", error)
        else:
            self.owner._call(self._on_post, message)

    def _receive_malformed(self, reason: str) -> None:
        self.recorder.count.malformed += 1
        self.recorder.failed(MESSAGE, "not a chat message", detail=reason)

    def _receive_echo(self, post: Post, in_order: bool, at_ns: int, data: bytes) -> None:
        recorder, figures = self.recorder, self._figures
        record_answer(recorder, figures, post, at_ns, len(data))
        if recorder.detailed:
            self.add_answer(figures, data.decode() if self._text else data)
        self.engine.in_flight -= 1
        if not in_order:
            recorder.count.out_of_order += 1
        waiter = post.waiter
        if waiter is not None and not waiter.done():
            self.at_ns = at_ns
            waiter.set_result((at_ns - post.due_ns) / 1e9)
        self.progress.turned = True
        if self._draining is not None and not self.session.pending:
            self._draining.end()

    def _receive_other(self, event: Any, at_ns: int) -> None:
        recorder, count = self.recorder, self.recorder.count
        match event:
            case Roster():
                count.rosters += 1
            case Identified():
                try:
                    self._send_login()
                except Exception as error:
                    self.owner._raised("session", error)
            case Renamed():
                count.renamed += 1
            case Joined():
                count.logins += 1
                if self._login_sent_ns:
                    recorder.arrived(LOGIN, self._login_sent_ns, at_ns)
                if self._joined is not None and not self._joined.done():
                    self._joined.set_result(None)
            case Repeated():
                count.duplicates += 1
            case Late():
                count.late += 1
            case Malformed(reason):
                self._receive_malformed(reason)
            case _:
                count.unknown_types += 1

    def _send_login(self) -> None:
        self._login_sent_ns = _now_ns()
        data = self.session.login(date_ms())
        if self.connection is not None:  # else the id came after the close
            with contextlib.suppress(NotConnected):  # it is closing: the login fails with it
                self.connection.send_now(data, text=self._text)
        if (written_ns := _now_ns()) - self._login_sent_ns > BEAT_NS:
            self.recorder.lateness.wrote(self._login_sent_ns, written_ns)

    # What is given up

    def visit(self, now_ns: int) -> None:
        oldest_ns = now_ns - self.context.settings.message_timeout_ns
        pending = self.session.pending
        while pending:
            post = next(iter(pending.values()))
            if post.sent_ns > oldest_ns:
                return
            if self.source is not None and self.source.unread(now_ns):
                self.engine.loop.call_soon(
                    self.visit, now_ns
                )  # once it was read: there may be echoes among it
                return
            self._give_up(post, TIMEOUT)

    def _give_up(self, post: Post, kind: str, reason: str = "") -> None:
        self.session.give_up(post)
        self.engine.in_flight -= 1
        self.lost(self._figures, post.due_ns, kind, reason)
        if post.waiter is not None and not post.waiter.done():
            error = MessageTimeout if kind == TIMEOUT else ConnectionLost
            self.fail(post.waiter, error(kind, reason))
        if self._draining is not None and not self.session.pending:
            self._draining.end()

    def _lost(self, kind: str, detail: str) -> None:
        self._end = (kind, detail)
        for post in list(self.session.pending.values()):
            self._give_up(post, kind, detail)
        self._not_joined(kind, detail)

    async def drain(self, allowed_s: float) -> None:
        """Waits up to ``allowed_s`` for outstanding echoes; the remaining posts are lost."""
        if self.session.pending and allowed_s > 0:
            self._draining = Draining(self.engine)
            await self._draining.wait(allowed_s, self.source)
            self._draining = None
        for post in list(self.session.pending.values()):
            self._give_up(post, UNANSWERED)


def date_ms() -> int:
    """The wall clock in milliseconds since the epoch, as the chat's messages carry it."""
    return time.time_ns() // 1_000_000
