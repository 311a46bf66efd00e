"""What came in time is not taken for missing because the loop reads it late: after it was held up beyond the time
limit, or behind so much else that it takes several iterations of the loop.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from locust import constant, task
from opening_client import Client, run, served, until
from pair import QUIET, Pair, frame
from websockets.asyncio.server import ServerConnection
from websockets.frames import Close, Opcode
from websockets.server import ServerProtocol
from world import World, world

from wsload import ChatUser, WebSocketUser
from wsload.load.ws.states import State
from wsload.protocols.chat.conversation import messages
from wsload.protocols.chat.conversation.mdn import ChatSession

LIMIT_S = 0.3
HELD_S = LIMIT_S + 0.15
"""Longer than the limit, and than the time between two visits of the engine."""
BACKLOG = {"held up": b"", "behind a backlog": frame(Opcode.PING, b"") * 1_000}
"""What came before; it is read over several iterations."""

backlogs = pytest.mark.parametrize("backlog", BACKLOG.values(), ids=BACKLOG)


@pytest.fixture
def w() -> Iterator[World]:
    limit = f"{LIMIT_S}s"
    with world(ws_message_timeout=limit, ws_open_timeout=limit) as made:
        yield made


class Server:
    """One that reads nothing, and so answers nothing by itself."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self._over = asyncio.Event()

    async def handle(self, connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        self.connections.append(connection)
        await self._over.wait()
        connection.transport.abort()

    def end(self) -> None:
        self._over.set()

    async def hold_up(self, data: bytes) -> None:
        """These bytes come while the loop is held up."""
        fd = self.connections[0].transport.get_extra_info("socket").fileno()
        await held_up(lambda: os.write(fd, data))


async def held_up(send: Callable[[], object]) -> None:
    """Holds the loop up, and sends meanwhile. It handles what it has polled, so its own timers come before it polls
    again.
    """
    ours, theirs = socket.socketpair()
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def hold_up() -> None:
        loop.remove_reader(ours)
        send()
        time.sleep(HELD_S)
        over.set()

    with ours, theirs:
        loop.add_reader(ours, hold_up)
        theirs.send(b"x")
        await over.wait()


@pytest.fixture
def server(w: World) -> Server:
    server = Server()
    w.serve(server.handle)
    return server


def live(
    w: World, server: Server, body: Callable[[Any], Awaitable[None]], user_class: type = WebSocketUser
) -> None:
    """Lives a user that does this once."""

    class User(user_class):  # type: ignore[misc]
        wait_time = constant(0)
        reconnect = False
        expected_closes = frozenset({1006})

        @task
        async def talk(self) -> None:
            try:
                await body(self)
            finally:
                server.end()
                self._life.stop()

    if user_class is WebSocketUser:
        User.key_of = lambda _, message: {"answer": 1}.get(message)
    w.live(User)


async def drained(user: Any) -> Any:
    answer = user.request("x", key=1, timeout=100)
    await user._socket.drain(LIMIT_S)
    return await answer


WAITS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "its own time limit": lambda user: user.request("x", key=1, timeout=LIMIT_S),
    "that of all": lambda user: user.request("x", key=1),
    "the end": drained,
}


@backlogs
@pytest.mark.parametrize("limit", WAITS)
def test_an_answer(w: World, server: Server, limit: str, backlog: bytes) -> None:
    async def body(user: Any) -> None:
        answer = asyncio.ensure_future(WAITS[limit](user))
        await asyncio.sleep(0)
        await server.hold_up(backlog + frame(Opcode.TEXT, b"answer"))
        assert await answer == "answer"

    live(w, server, body)
    assert w.failures() == {}


@backlogs
def test_a_push(w: World, server: Server, backlog: bytes) -> None:
    async def body(user: Any) -> None:
        receiving = asyncio.ensure_future(user.receive(LIMIT_S))
        await asyncio.sleep(0)
        await server.hold_up(backlog + frame(Opcode.TEXT, b"push"))
        assert await receiving == "push"

    live(w, server, body)
    assert w.failures() == {}


@backlogs
def test_the_login_of_a_chat(w: World, server: Server, backlog: bytes) -> None:
    class User(ChatUser):
        abstract = True
        subprotocols = ()

        async def on_connect(self) -> None:
            logging_in = asyncio.ensure_future(super().on_connect())
            await asyncio.sleep(0)
            said = messages.identity(7, 0), messages.username(self.name, 7, 0)
            await server.hold_up(backlog + b"".join(frame(Opcode.TEXT, each) for each in said))
            await logging_in

    async def body(user: Any) -> None:
        pass

    live(w, server, body, User)
    assert w.failures() == {}
    assert w.counter("logins") == 1


@backlogs
def test_the_echo_of_a_chats_post(w: World, server: Server, backlog: bytes) -> None:
    sent: list[bytes] = []

    class Session(ChatSession):
        def post(self, *given: Any, **named: Any) -> Any:
            post, data = super().post(*given, **named)
            sent.append(data)
            return post, data

    class User(ChatUser):
        abstract = True
        subprotocols = ()
        session = Session

        async def on_connect(self) -> None:
            said = messages.identity(7, 0), messages.username(self.name, 7, 0)
            fd = server.connections[0].transport.get_extra_info("socket").fileno()
            os.write(fd, b"".join(frame(Opcode.TEXT, each) for each in said))
            await super().on_connect()

    async def body(user: Any) -> None:
        said = user.say("hello")
        await server.hold_up(backlog + frame(Opcode.TEXT, sent[0]))
        await said

    live(w, server, body, User)
    assert w.failures() == {}


@backlogs
def test_a_pong(backlog: bytes) -> None:
    async def body() -> None:
        server = Server()
        async with served(server.handle, ping_interval=None) as port:
            client = Client(ping_interval_s=0.01, ping_timeout_s=LIMIT_S)
            connection = await client.open(f"ws://127.0.0.1:{port}/")
            await until(lambda: bool(connection._ping_sent_ns))
            await server.hold_up(backlog + frame(Opcode.PONG, connection._ping_sent_ns.to_bytes(8, "big")))
            await until(lambda: client.recorder.values["ping"] or connection.state is not State.OPEN)
            assert connection.state is State.OPEN
            connection.abort()
            server.end()

    run(body)


@backlogs
def test_the_answer_to_a_close(backlog: bytes) -> None:
    async def body() -> None:
        server = Server()
        async with served(server.handle, ping_interval=None) as port:
            connection = await Client(close_timeout_s=LIMIT_S).open(f"ws://127.0.0.1:{port}/")
            closing = asyncio.ensure_future(connection.close(1000))
            await asyncio.sleep(0)
            await server.hold_up(backlog + frame(Opcode.CLOSE, Close(1000, "").serialize()))
            server.end()
            await closing
            assert connection.end.kind == "closed 1000"

    run(body)


# What is awaited by a task, whose every await takes a turn of the loop


async def answered_late(listener: socket.socket, answer: Callable[[bytes], bytes]) -> socket.socket:
    """Answers a request while the loop is held up; returns the connection."""
    listener.setblocking(False)
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(listener)
    request = b""
    while b"\r\n\r\n" not in request:
        request += await loop.sock_recv(connection, 10_000)
    connection.setblocking(True)
    await held_up(lambda: connection.sendall(answer(request)))
    return connection


def accepted(request: bytes) -> bytes:
    """A server's answer to an opening handshake."""
    server = ServerProtocol(logger=QUIET)
    server.receive_data(request)
    (asked,) = server.events_received()
    server.send_response(server.accept(asked))  # type: ignore[arg-type]
    return b"".join(server.data_to_send())


def test_an_opening() -> None:
    async def body() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            opening = asyncio.ensure_future(
                Client(timeout_s=LIMIT_S).open(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
            )
            with await answered_late(listener, accepted):
                (await opening).abort()

    run(body)


@pytest.mark.parametrize("size", [0, 10, 100_000])
def test_an_http_call(w: World, server: Server, size: int) -> None:
    pytest.importorskip("httpx2")
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()

    async def body(user: Any) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            await user.http._made()  # which takes long, the first time
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            calling = asyncio.ensure_future(user.http.get(url, timeout=LIMIT_S))
            with await answered_late(listener, lambda _: head + bytes(size)):
                assert len((await calling).content) == size

    live(w, server, body)
    assert w.failures() == {}


def test_only_what_has_arrived_is_waited_for_whatever_follows_it() -> None:
    async def body() -> None:
        pair = Pair.open()
        incoming, backlog = pair.client.incoming, frame(Opcode.PING, b"") * 1_000
        pair.arrive(backlog)
        first_ns = time.monotonic_ns()
        assert incoming.unread(first_ns)
        await until(lambda: not incoming.deferred)
        assert not incoming.unread(first_ns)
        pair.arrive(backlog)
        assert incoming.unread(time.monotonic_ns()) and not incoming.unread(first_ns)
        pair.client.abort()
        assert not incoming.unread(time.monotonic_ns())

    run(body)
