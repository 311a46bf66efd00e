"""The chat server: the `websockets` library around the room and its reply path."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Final, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from wsload.load.engine.limits import file_limit
from wsload.load.engine.timers import TimerQueue
from wsload.protocols.chat.conversation.messages import SUBPROTOCOL
from wsload.server import page
from wsload.server.account import Account, Truth
from wsload.server.compat import connections_of, outgoing
from wsload.server.connection import MAX_BUFFERED_BYTES, ChatConnection
from wsload.server.faults import Faults, parse_faults
from wsload.server.options import ServerOptions
from wsload.server.replies import Replies, Sender
from wsload.server.room import Ignored, Member, Room, Send, To

BACKLOG: Final = 4096
"""Connections waiting to be accepted (limited by ``net.core.somaxconn``)."""
MAX_MESSAGE_BYTES: Final = 64 * 1024
"""A longer message closes its connection with 1009."""
OPEN_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 2.0
STOP_TIMEOUT_S: Final = 3.0
LEAVES_S: Final = 0.02
"""Users that leave within this time are announced by one user list."""
SPARE_FILES: Final = 32
"""File descriptors that the process needs besides its connections'."""


class ChatServer:
    """One room on one listening socket.

    Call `start`, wait for whatever ends the server, then call `stop`. When the process may open no more files,
    ``on_full`` is called once, with the number of connections.
    """

    def __init__(
        self,
        options: ServerOptions,
        *,
        loop: asyncio.AbstractEventLoop,
        truth: Truth | None = None,
        on_full: Callable[[int], None],
    ) -> None:
        self.account = Account()
        self._on_full = on_full
        self._truth = truth
        self._options = options
        self._loop = loop
        self._room = Room(quiet=options.quiet_roster)
        self._connections: dict[ChatConnection, tuple[Member, Sender]] = {}
        self._timers = TimerQueue(loop) if options.faults else None
        self._faults = Faults(parse_faults(options.faults), seed=options.seed) if options.faults else None
        self._replies = Replies(
            loop=loop,
            peers=self._connections.keys(),
            account=self.account,
            truth=truth,
            faults=self._faults,
            timers=self._timers,
        )
        self._leave_told = True
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: Server | None = None

    async def start(self, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Starts to serve on this socket."""
        options = self._options
        slow_s = self._faults.plan.slow_handshake_ns / 1e9 if self._faults else 0.0
        self._server = await serve(
            self._handle,
            sock=listening,
            backlog=BACKLOG,
            ssl=tls,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            compression="deflate" if options.compression else None,
            process_request=self._process_request,
            server_header="wsload",
            open_timeout=OPEN_TIMEOUT_S + slow_s,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=None,  # the kernel's keepalive does it, see `run`
            max_size=MAX_MESSAGE_BYTES,
            write_limit=MAX_BUFFERED_BYTES,
            # The library documents "a wrapper or a subclass", but its annotation only allows the latter.
            create_connection=cast(
                "type[ServerConnection]",
                functools.partial(ChatConnection, on_message=self._on_message, on_overrun=self._on_overrun),
            ),
        )
        started_ns = time.monotonic_ns()
        if self._truth is not None:
            self._truth.note("start", seed=options.seed, faults=options.faults, started_ns=started_ns)
        if self._faults is not None and self._timers is not None:
            for after_ns, code in self._faults.plan.closes:
                self._timers.at(started_ns + after_ns, self._close_all, code)

    async def stop(self) -> None:
        """Closes every connection with 1001; posts that are still delayed get no answer."""
        assert self._server is not None
        self._server.close(code=CloseCode.GOING_AWAY, reason="the server is stopping")
        # With a timeout, because the library waits for slow handshakes, which a fault may cause.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._server.wait_closed()
        self._replies.close()
        if self._timers is not None:
            self._timers.close()

    # Opening

    async def _process_request(self, connection: ServerConnection, request: Request) -> Response | None:
        if "Upgrade" not in request.headers:
            return page.response(connection, request)
        assert self._server is not None
        # Otherwise the system's limit would drop connections without any explanation.
        if connections_of(self._server) + SPARE_FILES > file_limit():
            if not self.account.full:
                self._on_full(len(self._connections))
            self.account.full += 1
            return connection.respond(503, "Full: this server's process may open no more files.\n")
        if self._faults is not None and self._timers is not None:
            await self._timers.sleep_until(time.monotonic_ns() + self._faults.plan.slow_handshake_ns)
            if self._faults.refuses():
                self.account.refused += 1
                return connection.respond(503, "Refused, as requested by --fault refuse.\n")
        return None

    async def _handle(self, connection: ServerConnection) -> None:
        assert isinstance(connection, ChatConnection)
        member, sends = self._room.enter(time.time_ns() // 1_000_000)
        sender = Sender(peer=connection)
        self._connections[connection] = (member, sender)
        # Frees 4 KiB.
        assert connection.request is not None
        connection.request.headers.clear()
        connection.response = None
        self.account.opens += 1
        self._send(connection, sends)
        try:
            await connection.wait_closed()
        finally:
            del self._connections[connection]
            self._replies.release(sender)
            if self._room.leave(member) and self._leave_told:
                self._leave_told = False
                self._loop.call_later(LEAVES_S, self._tell_leave)

    # Talking

    def _on_message(self, connection: ChatConnection, data: bytes, text: bool) -> None:
        if connection not in self._connections:  # sent before the handshake was over
            self.account.ignored += 1
            return
        # A connection that is being closed may still send for a while: its posts count too.
        member, sender = self._connections[connection]
        try:
            if not text:
                raise Ignored("a binary frame")
            sends = self._room.receive(member, data, time.time_ns() // 1_000_000)
        except Ignored:
            self.account.ignored += 1
            if text and not _is_utf8(data):
                self._keep(connection.fail(CloseCode.INVALID_DATA, "a text frame that is not UTF-8"))
            return
        if sends[0].to is To.POST:
            self._replies.post(sender, data, sends[0].data, connection.received_ns)
        else:
            self.account.logins, self.account.renamed = self._room.logins, self._room.renamed
            self._send(connection, sends)

    def _send(self, connection: ChatConnection, sends: Sequence[Send]) -> None:
        for send in sends:
            message = outgoing(send.data)
            for peer in self._connections if send.to is To.ALL else (connection,):
                peer.deliver(message)

    def _tell_leave(self) -> None:
        self._leave_told = True
        message = outgoing(self._room.roster())
        for peer in self._connections:
            peer.deliver(message)

    # Closing

    def _on_overrun(self) -> None:
        self.account.overrun += 1

    def _close_all(self, code: int) -> None:
        for connection in list(self._connections):
            if code == CloseCode.ABNORMAL_CLOSURE:
                connection.drop()
            else:
                self._keep(connection.fail(code, "as requested by --fault close"))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)  # the loop only keeps weak references to tasks
        task.add_done_callback(self._tasks.discard)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
