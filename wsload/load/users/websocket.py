"""`WebSocketUser`: a Locust user for any WebSocket protocol, with the methods that tasks call."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from operator import index
from typing import Any, Final

from wsload.errors import UsageError
from wsload.load.users.base import DeclaredUser
from wsload.load.users.compat import place_of_caller
from wsload.load.users.context.here import current_due
from wsload.load.users.http import Http
from wsload.load.users.matching.rules import Match
from wsload.load.users.sockets.extra import NO_KEY, ExtraSocket
from wsload.load.users.sockets.opening import Opening
from wsload.load.users.sockets.socket import Socket
from wsload.load.users.sockets.tally import Check
from wsload.load.users.steps import Step
from wsload.measure.names import Kind

MAX_AT_ONCE: Final = 10**15
"""What a user class may add to a counter in one call."""
FARTHEST_S: Final = 1e9
"""Times that a user class records are taken to be no farther than this from 0: in ns they fit into 64 bits."""

_now_ns = time.monotonic_ns


class WebSocketUser(DeclaredUser):
    """A Locust user with a WebSocket connection, opened before `on_start` and closed after `on_stop`.

    A connection that fails or is dropped is opened again with backoff; all of that is measured and counted
    automatically. Tasks and hooks run on the loop's thread, where blocking calls (``time.sleep``, ``requests``) stall
    every user of the process; use ``await asyncio.to_thread(...)`` for them. A `WorkloadError` was counted before it
    was raised, so a task need not catch it. An exception group of a ``TaskGroup`` counts as the exceptions in it.
    """

    abstract = True
    __slots__ = ()

    # What a task may call

    async def connect(self, to: str | Opening | None = None) -> None:
        """Opens the connection and calls `on_connect`; recorded as ``open``. Makes one attempt only.

        ``to`` is a URL, a path on the host, or an `Opening`; reconnections open the same. Raises `OpenError`,
        and `AlreadyConnected` if there is a connection. If it is cancelled, as by ``asyncio.timeout``, it has failed.
        The time counts from this call, or from when the task was due for the first opening of a task in an open
        workload, if no request or step came before.
        """
        due_ns, lag_ns = current_due.get().opening(_now_ns())
        await self._socket.open(Opening(url=to) if isinstance(to, str) else to, due_ns, lag_ns)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection and waits for it; recorded as ``close``. No reconnection follows."""
        await self._socket.close(code, reason)

    def request(
        self,
        data: str | bytes,
        *,
        key: Hashable,
        name: str | None = None,
        check: Check | None = None,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """Sends a request at once; awaiting the result returns the answer: the message whose `key_of` equals ``key``.

        Any number may be in flight, and answers may come in any order. Recorded under ``name`` (by default
        ``message``): the response time counts from this call, or from when the task was due for the first request of a
        task in an open workload; the service time counts from the send. Both end when the last byte of the answer
        reaches this process. ``check`` is called with the answer and returns None, or the kind of failure; then the
        time is recorded as ``name.failed``. ``timeout`` is in seconds (default ``--ws-message-timeout``).

        Awaiting raises `NotConnected` (counted as unsent), `MessageTimeout` or `ConnectionLost` (counted as
        lost), and `UsageError` for a key in flight (counted as unsent) or another mistake, for which nothing is sent.
        """
        socket: Socket = self._socket
        if type(self).key_of is DeclaredUser.key_of:
            text = (
                f"{type(self).__name__}.request() needs key_of(message), which returns the key of the request that a "
                "message answers; without keys use round_trip()"
            )
            return socket.refused("request", UsageError(text))
        if key is None:
            return socket.refused("request", UsageError(NO_KEY))
        return socket.request(data, key=key, name=name, check=check, timeout=timeout)

    def round_trip(
        self,
        data: str | bytes,
        *,
        name: str | None = None,
        match: Match | None = None,
        check: Check | None = None,
        timeout: float | None = None,
    ) -> Awaitable[Any]:
        """Like `request`, for services whose messages have no keys: the n-th answer belongs to the n-th request.

        With ``match`` only messages that it accepts are answers. A message that arrived before the send is never the
        answer. If answers turn out to have gone to the wrong requests, the run reports it, and the figures of that
        name are not trusted. After a timeout the connection is reopened, because a late answer could not be
        distinguished from the next one.
        """
        socket: Socket = self._socket
        return socket.request(data, match=match, name=name, check=check, timeout=timeout)

    def send(self, data: str | bytes) -> Awaitable[None]:
        """Sends a text (str) or binary (bytes) message at once; awaiting it waits while the transport's buffer is full.

        Awaiting raises `NotConnected`, counted as unsent.
        """
        socket: Socket = self._socket
        return socket.send(data)

    def send_nowait(self, data: str | bytes) -> None:
        """Sends a message at once; for hooks that are not async. Raises `NotConnected`, counted as unsent."""
        self._socket.send_nowait(data)

    async def receive(self, timeout: float | None = None) -> str | bytes:
        """Waits for the next message that answers no request; text is a str, binary is bytes.

        Raises `MessageTimeout` after ``timeout`` seconds (default ``--ws-message-timeout``), and `ConnectionLost` if
        none is left and the connection is gone; both are counted as failures.
        """
        socket: Socket = self._socket
        return await socket.receive(timeout)

    def messages(self) -> AsyncIterator[str | bytes]:
        """Iterates over the messages that answer no request, until the connection ends, even if it is then reopened."""
        socket: Socket = self._socket
        return socket.messages()

    @property
    def received_at(self) -> float:
        """When the latest message passed to a task or hook reached this process, in seconds of `time.monotonic`."""
        socket: Socket = self._socket
        return socket.at_ns / 1e9

    def open(
        self,
        to: str | Opening,
        *,
        name: str = "",
        key_of: Callable[[Any], Hashable] | None = None,
        on_message: Callable[[Any], object] | None = None,
    ) -> ExtraSocket:
        """Opens another connection of this user: ``async with self.open("/control", name="control") as control``.

        It is opened, pinged, timed out, counted and closed like the first, but not reopened. ``name`` is the default
        name of its requests; it has its own ``key_of`` and ``on_message``.
        """
        opening = Opening(url=to) if isinstance(to, str) else to
        return ExtraSocket(self, opening, name, key_of, on_message, place=place_of_caller())

    @property
    def http(self) -> Http:
        """An HTTP client (``pip install 'wsload[http]'``): ``await self.http.post("/login", json=account)``.

        Its calls are named, measured and counted like requests; its cookies can be passed to an `Opening`.
        """
        if self._http is None:
            self._http = Http(self)
        return self._http

    def measure(self, name: str) -> Step:
        """Measures several messages as one step: ``with self.measure("check out") as step``.

        The time counts from when the task was due, or else from the start of the block. An exception in the block is
        a failure of that name, and so is ``step.failed("sold out")``; then the time is recorded as ``name.failed``.
        If answers to requests in the block may have gone to the wrong requests, the step is not trusted either.
        wsload's own waits in the block are left out, such as that of a `close` for surplus answers. If they are in a
        task that the block started, it may have waited for them or not, so the time is marked as perhaps too long.
        """
        return Step(self, name)

    def record(self, name: str, seconds: float) -> None:
        """Records a time of your own under this name, which gets percentiles like any other.

        A time below 0, or of more than 73 minutes, is counted as out of range. Raises `UsageError` for the name of a
        request or a step, and for NaN.
        """
        if seconds != seconds:
            raise UsageError(f"record({name!r}, {seconds}): that is not a number of seconds")
        within = min(max(seconds, -FARTHEST_S), FARTHEST_S)
        socket: Socket = self._socket
        socket.recorder.values[socket.declare(name, Kind.VALUE).name].append(round(within * 1e9))

    def count(self, name: str, number: int = 1) -> None:
        """Adds to a counter of your own. Adding 0 declares it, so that ``--ws-check "gaps < 1"`` can find it.

        Raises `UsageError` for a reserved name, and for a number below 0 or above 10¹⁵.
        """
        added = index(number)
        if not 0 <= added <= MAX_AT_ONCE:
            raise UsageError(f"count({name!r}, {added}): a number from 0 to {MAX_AT_ONCE:,} can be added")
        recorder = self._context.engine.recorder
        try:
            recorder.add(recorder.counter(name), added)
        except ValueError as error:
            raise UsageError(str(error)) from None
