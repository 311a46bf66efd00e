"""wsload's users with a tiny server in the same process, so that there is nothing to wait for.

This leaves wsload itself: the user's coroutine, the connection, the session and the recorder.
"""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

from locust import constant, task
from locust.env import Environment
from locust.exception import StopUser
from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

from wsload import ChatUser, WebSocketUser
from wsload.load.engine.engine import Engine
from wsload.load.options.settings import Settings
from wsload.load.users.context.process import ProcessContext
from wsload.load.ws import opening
from wsload.load.ws.opening import Opener, OpenOptions
from wsload.load.ws.upgrading import Upgrade
from wsload.protocols.chat.conversation import messages, token

MESSAGE: Final = "x" * 100
HOST: Final = "ws://127.0.0.1"
CLOCK: Final = "clock000"
NONCE: Final = "nonce0"
OWN: Final = f"{NONCE}000001"
"""The first user's name in tokens."""
ROOM: Final = 50
OTHER: Final = "another00001"
CLOSE: Final = Frame(Opcode.CLOSE, b"\x03\xe8").serialize(mask=False)
"""The server's close frame, 1000. The client's, which is masked, has the same first byte."""


def frame(data: bytes) -> bytes:
    """A text frame as servers send it."""
    return Frame(Opcode.TEXT, data).serialize(mask=False)


def posted(sender: str, number: int) -> bytes:
    """The frame of a post of about 100 bytes, as the chat server sends it."""
    stamped = f"hello {token.mint(CLOCK, sender, number, 1)}"
    return frame(
        messages.encode({"type": "message", "text": stamped, "id": 1, "date": 1, "name": f"user-{NONCE}-1"})
    )


class Wire(asyncio.Transport):
    """The client's transport, and the server at its end: ``answer(number)`` answers frame 0, 1 …."""

    def __init__(self, loop: asyncio.AbstractEventLoop, answer: Callable[[int], list[bytes]]) -> None:
        super().__init__()
        self._loop = loop
        self._answer = answer
        self._number = -1
        self._protocol: Any = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def _arrive(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def _end(self) -> None:
        self._protocol.connection_lost(None)

    def write(self, data: Any) -> None:
        if data[0] == CLOSE[0]:
            self._loop.call_soon(self._arrive, CLOSE)
            self._loop.call_soon(self._end)
            return
        answers = self._answer(self._number)
        if self._number < 0:
            answers = [_upgraded(data), *answers]
        self._number += 1
        for answer in answers:
            # The protocol's own method, as uvloop calls it; before the upgrade that is another protocol.
            receive = self._arrive if self._number <= 0 else self._protocol.data_received
            self._loop.call_soon(receive, answer)

    def is_closing(self) -> bool:
        return False

    def can_write_eof(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def close(self) -> None:
        pass


def _upgraded(request: bytes) -> bytes:
    key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0].decode()
    offered = b"Sec-WebSocket-Protocol: " + messages.SUBPROTOCOL.encode() + b"\r\n"
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + (offered if offered in request else b"")
        + b"Sec-WebSocket-Accept: "
        + accept_key(key).encode()
        + b"\r\n\r\n"
    )


class InProcess:
    """A Locust environment, an engine on this thread, and connections that end in a `Wire`."""

    def __init__(self) -> None:
        self.engine = Engine()
        self.loop = self.engine.loop

    def run(self, user_class: type, answer: Callable[[int], list[bytes]]) -> None:
        """Runs one user to its end; ``answer(-1)`` is what the server sends first."""
        user_class.host = HOST  # as Locust's runner does
        environment = Environment(user_classes=[user_class])
        opener = Opener(OpenOptions(ping_interval_s=None), self.engine.recorder, self.engine.timers)

        async def dialed(route: Any, upgrade: Callable[[], Upgrade], record: Any) -> Upgrade:
            wire, begun = Wire(self.loop, answer), upgrade()
            wire.set_protocol(begun)
            begun.connection_made(wire)
            return begun

        opening.dial = dialed  # instead of connecting
        # Stands in for a `ProcessContext`, without its thread and greenlets.
        context: Any = SimpleNamespace(
            engine=self.engine,
            settings=Settings.of(Namespace()),
            opener=opener,
            clock=CLOCK,
            nonce=NONCE,
            next_number=lambda: 1,
            report_user_error=self._complain,
            long_looks=0,
        )
        ProcessContext._of[environment] = context
        self.loop.run_until_complete(user_class(environment)._life.live(0))

    def freeze(self) -> None:
        """What the end of each second costs."""
        while self.engine.recorder.flush():
            pass
        self.engine.recorder.freeze(start_s=0.0, length_s=1.0, gauges={}).interval()

    def _complain(self, _: Any, error: Exception, text: str) -> None:
        raise SystemExit(text)


def round_trips(world: InProcess, warm_up: int, number: int, mark: Callable[[], object]) -> None:
    """`WebSocketUser.round_trip` in a closed loop: ``number`` of them between two marks, after a warm-up."""

    class Talker(WebSocketUser):
        wait_time = constant(0)
        done = 0

        @task
        async def talk(self) -> None:
            await self.round_trip(MESSAGE)
            self.done += 1
            if self.done == warm_up:
                world.freeze()
                mark()
            elif self.done == warm_up + number:
                world.freeze()
                mark()
                raise StopUser

    echo = [frame(MESSAGE.encode())]
    world.run(Talker, lambda sent: echo if sent >= 0 else [])


def matched_requests(world: InProcess, warm_up: int, number: int, mark: Callable[[], object]) -> None:
    """`WebSocketUser.request` with a name and a key, in a closed loop."""

    class Talker(WebSocketUser):
        wait_time = constant(0)
        done = 0

        def key_of(self, message: Any) -> str:
            return str(message[:8])

        @task
        async def talk(self) -> None:
            key = f"{self.done:08d}"
            await self.request(key + MESSAGE[8:], key=key, name="talk")
            self.done += 1
            if self.done == warm_up:
                world.freeze()
                mark()
            elif self.done == warm_up + number:
                world.freeze()
                mark()
                raise StopUser

    echoes = [[frame(f"{place:08d}{MESSAGE[8:]}".encode())] for place in range(warm_up + number)]
    world.run(Talker, lambda sent: echoes[sent] if sent >= 0 else [])


def openings(world: InProcess, warm_up: int, number: int, mark: Callable[[], object]) -> None:
    """`WebSocketUser.connect` and `close`: all but the connecting itself."""

    class Visitor(WebSocketUser):
        wait_time = constant(0)
        done = 0

        @task
        async def visit(self) -> None:
            await self.close()
            await self.connect()
            self.done += 1
            if self.done == warm_up:
                world.freeze()
                mark()
            elif self.done == warm_up + number:
                world.freeze()
                mark()
                raise StopUser

    world.run(Visitor, lambda _: [])


def posts(world: InProcess, warm_up: int, number: int, mark: Callable[[], object]) -> None:
    """`ChatUser.say` and its echo, in a closed loop."""

    class Chatter(ChatUser):
        wait_time = constant(0)
        done = 0

        @task
        async def post(self) -> None:
            await self.say("hello")
            self.done += 1
            if self.done == warm_up:
                world.freeze()
                mark()
            elif self.done == warm_up + number:
                world.freeze()
                mark()
                raise StopUser

    world.run(Chatter, _room([[posted(OWN, place)] for place in range(warm_up + number)]))


def deliveries(world: InProcess, warm_up: int, number: int, mark: Callable[[], object]) -> None:
    """What a `ChatUser` does with other users' posts, received one by one.

    Every post comes as often as in a room of `ROOM` users.
    """
    chunks = [posted(OTHER, place // ROOM) for place in range(warm_up + number)]

    class Listener(ChatUser):
        wait_time = constant(0)

        @task
        async def listen(self) -> None:
            receive = self._socket.connection.data_received
            for chunk in chunks[:warm_up]:
                receive(chunk)
            world.freeze()
            mark()
            for chunk in chunks[warm_up:]:
                receive(chunk)
            world.freeze()
            mark()
            raise StopUser

    world.run(Listener, _room([]))


def _room(answers: list[list[bytes]]) -> Callable[[int], list[bytes]]:
    """The chat's side: the id, the confirmation of the login, then these answers to each post."""
    name = f"user-{NONCE}-1"

    def answer(sent: int) -> list[bytes]:
        if sent < 0:
            return [frame(messages.identity(1, 1))]
        if sent == 0:
            return [frame(messages.user_list([name])), frame(messages.username(name, 1, 1))]
        return answers[sent - 1]

    return answer
