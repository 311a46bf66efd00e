"""Chats with message formats of their own: their posts are paired, timed, lost and doubled as wsload's own are."""

from __future__ import annotations

import asyncio
import contextlib
import time
from argparse import Namespace
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from locust import constant, task
from locust.exception import StopUser
from websockets.asyncio.server import ServerConnection
from world import World, world

from wsload import ChatUser, MessageTimeout, UsageError
from wsload.load.options.settings import Settings
from wsload.protocols.chat import user as user_module
from wsload.protocols.chat.conversation.session import (
    Delivery,
    Event,
    Identified,
    Joined,
    Renamed,
    Roster,
    Session,
    State,
    Unknown,
)


class Lines(Session):
    """Bytes: ``NICK name``, answered ``OK name``; ``SAY number text``, handed on as ``FROM who number``, no text."""

    first: ClassVar[State] = State.IDENTIFIED
    binary = True

    def write_login(self) -> bytes:
        return b"NICK " + self.name.encode()

    def write_post(self, text: str) -> bytes:
        return f"SAY {self.number} {text}".encode()

    def read(self, data: bytes) -> Event:
        match data.split():
            case [b"OK", name]:
                return Joined() if name.decode() == self.name else Roster()
            case [b"BE", name]:
                return Renamed(name.decode())
            case [b"HELLO"]:
                return Identified()
            case [b"FROM", who, number]:
                return self.echo(int(number)) if who.decode() == self.name else Delivery(-1)
            case [b"BUG"]:
                raise KeyError("bug")
        if b" " not in data:
            raise ValueError("no word")
        return Unknown(data[:10].decode())


async def line_server(connection: ServerConnection) -> None:
    name = ""
    async for message in connection:
        assert isinstance(message, bytes)
        what, *words = message.decode().split()
        if what == "NICK":
            name = words[0]
            await connection.send(f"OK {name}".encode())
        else:
            await connection.send(f"FROM {name} {words[0]}".encode())


def talker(session: type[Session], posts: int = 3) -> type[ChatUser]:
    """Posts so many times, and leaves."""

    class Talker(ChatUser):
        wait_time = constant(0)
        subprotocols = ()

        @task
        async def talk(self) -> None:
            with contextlib.suppress(MessageTimeout):
                for _ in range(posts):
                    await self.say("hello")
            raise StopUser

    Talker.session = session
    return Talker


def test_a_login_by_the_client_and_echoes_by_number() -> None:
    with world() as here:
        here.serve(line_server)
        here.live(talker(Lines))
        assert here.failures() == {}
        assert (here.count("message"), here.count("login"), here.counter("logins")) == (3, 1, 1)


def talk(
    says: Callable[[str], list[bytes | str]],
    session: type[Session] = Lines,
    on_post: Callable[[Any], None] | None = None,
    **options: Any,
) -> World:
    """One user's life with a server that answers a post of ``number`` by ``says``; the world, after its end."""
    user_class = talker(session, 1)
    if on_post is not None:
        user_class = type("Hearer", (user_class,), {"on_post": lambda _, message: on_post(message)})

    async def server(connection: ServerConnection) -> None:
        name = ""
        async for message in connection:
            assert isinstance(message, bytes)
            what, *words = message.decode().split()
            if what == "NICK":
                name = words[0]
                await connection.send(f"OK {name}".encode())
                continue
            for each in says(f"FROM {name} {words[0]}"):
                await connection.send(each)

    with world(ws_message_timeout="0.2s", **options) as here:
        here.serve(server)
        here.live(user_class)
        here.record()
    return here


def test_a_second_echo_is_a_duplicate_and_an_unknown_message_is_counted() -> None:
    here = talk(lambda echo: [b"ODD message", b"FROM nobody 7", b"word", *[echo.encode()] * 2])
    counters = here.totals.counters
    assert [counters[name] for name in ("unknown_types", "deliveries_foreign", "malformed")] == [1, 1, 1]
    assert here.totals.failures == {("message", "not a chat message"): 1}
    assert here.totals.histograms["message"].total == 1


def test_a_post_without_an_echo_is_lost() -> None:
    here = talk(lambda _: [])
    assert here.totals.failures == {("message", "timeout"): 1}


def test_a_text_frame_is_none_of_a_binary_chat() -> None:
    here = talk(lambda echo: [echo, echo.encode()])
    assert here.totals.failures == {("message", "text frame"): 1}
    assert here.totals.histograms["message"].total == 1


def test_a_bug_in_a_session_is_reported_and_harms_nothing_else() -> None:
    here = talk(lambda echo: [b"BUG", echo.encode()])
    assert here.totals.failures == {("session", "KeyError"): 1}
    assert here.totals.histograms["message"].total == 1
    assert "KeyError: 'bug'" in here.texts[0]


def test_a_post_that_can_not_be_written_is_a_failure_of_its_task_and_not_of_the_server() -> None:
    class Ascii(Lines):
        def write_post(self, text: str) -> bytes:
            return super().write_post(text.encode("ascii").decode())

    class Talker(ChatUser):
        wait_time = constant(0)
        subprotocols = ()
        session = Ascii

        @task
        async def talk(self) -> None:
            try:
                for text in ("plain", "é", "plain again"):
                    await self.say(text)
            finally:
                assert not self._socket.session.pending and not here.engine.in_flight
                self._life.stop()

    with world() as here:
        here.serve(line_server)
        here.live(Talker)
        assert here.failures() == {"task talk: UnicodeEncodeError": 1}
        assert (here.counter("requests"), here.counter("lost"), here.count("message")) == (1, 0, 1)


def test_a_login_that_can_not_be_written_is_a_bug_in_the_session() -> None:
    class Nameless(Lines):
        first = State.WAITING

        def write_login(self) -> bytes:
            raise KeyError("name")

    async def server(connection: ServerConnection) -> None:
        await connection.send(b"HELLO")
        await connection.wait_closed()

    class Once(talker(Nameless)):  # type: ignore[misc]
        reconnect = False

    with world(ws_open_timeout="0.1s") as here:
        here.serve(server)
        here.live(Once)
        assert here.failures() == {"session: KeyError": 1, "login: no confirmation": 1}


@pytest.mark.parametrize("error", [KeyError, ValueError])
def test_a_bug_in_decode_is_counted(error: type[Exception]) -> None:
    class Undecoded(Lines):
        def decode(self, data: bytes) -> Any:
            raise error("bug")

    posts: list[Any] = []
    here = talk(lambda echo: [b"FROM nobody 7", echo.encode()], Undecoded, on_post=posts.append)
    expected = ("session", "KeyError") if error is KeyError else ("message", "not a chat message")
    assert here.totals.failures == {expected: 1}
    assert here.totals.histograms["message"].total == 1 and posts == []


def test_on_post_knows_when_its_post_arrived() -> None:
    began = time.monotonic()
    stamps: list[float] = []

    class Talker(talker(Lines)):  # type: ignore[misc]
        def on_post(self, message: Any) -> None:
            stamps.append(self.received_at)
            assert message in (b"FROM nobody 7", b"FROM nobody 8")

        @task
        async def talk(self) -> None:
            await self.say("hello")
            stamps.append(self.received_at)
            raise StopUser

    async def server(connection: ServerConnection) -> None:
        async for message in connection:
            assert isinstance(message, bytes)
            what, name = message.decode().split()[:2]
            if what == "NICK":
                await connection.send(f"OK {name}".encode())
                asked = name
                continue
            for post in (b"FROM nobody 7", b"FROM nobody 8", f"FROM {asked} {name}".encode()):
                await connection.send(post)
                await asyncio.sleep(0.002)

    with world() as here:
        here.serve(server)
        here.live(Talker)
    assert began < stamps[0] < stamps[1] < stamps[2] < time.monotonic()


def test_where_the_opening_has_told_who_it_is_there_is_no_login() -> None:
    class Open(Lines):
        first = State.JOINED

    async def server(connection: ServerConnection) -> None:
        async for message in connection:
            assert isinstance(message, bytes)
            assert not message.startswith(b"NICK")
            await connection.send(f"FROM user-nonce0-1 {message.decode().split()[1]}".encode())

    with world() as here:
        here.serve(server)
        here.live(talker(Open))
        assert (here.failures(), here.count("message"), here.count("login")) == ({}, 3, 0)


def test_where_the_server_speaks_first() -> None:
    class Greeted(Lines):
        first = State.WAITING

    async def server(connection: ServerConnection) -> None:
        await connection.send(b"HELLO")
        await line_server(connection)

    with world() as here:
        here.serve(server)
        here.live(talker(Greeted))
        assert (here.failures(), here.count("message"), here.count("login")) == ({}, 3, 1)


def test_a_login_on_a_connection_that_is_gone_fails_at_once() -> None:
    """The world's time limit is below the time that an opening may take."""

    class Hesitant(talker(Lines)):  # type: ignore[misc]
        reconnect = False

        async def on_connect(self) -> None:
            await here.until(lambda: self._socket.connection is None)
            await super().on_connect()

    async def close(connection: ServerConnection) -> None:
        await connection.close(4000, "go away")

    with world(ws_open_timeout="60s") as here:
        here.serve(close)
        here.live(Hesitant)
        assert here.failures() == {"close: closed 4000": 1, "login: closed 4000": 1}


@pytest.mark.parametrize(("asked", "ends"), [("nothing", False), ("to finish", False), ("to end", True)])
def test_a_login_whose_caller_stops_waiting_has_failed_unless_the_user_ends(asked: str, ends: bool) -> None:
    class Impatient(ChatUser):
        session = Lines
        subprotocols = ()
        wait_time = constant(0)
        auto_connect = False

        @task
        async def talk(self) -> None:
            login = asyncio.ensure_future(self.connect())
            await here.until(lambda: self._socket._joined is not None)
            if asked != "nothing":
                self._life.stop(kill=ends)
            login.cancel()
            await asyncio.wait([login])
            raise StopUser

    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    with world() as here:
        here.serve(silent)
        here.live(Impatient)
        assert here.failures() == ({} if ends else {"login: cancelled": 1})
        assert here.counter("login_failures") == (not ends) and here.counter("opens") == 1


def test_a_session_is_a_class() -> None:
    with pytest.raises(TypeError, match=r"Wrong: session must be a subclass of Session, not 'lines'"):

        class Wrong(ChatUser):
            session: Any = "lines"


def test_the_probe_opens_as_the_users_do(monkeypatch: pytest.MonkeyPatch) -> None:
    class Guest(ChatUser):
        subprotocols = ("v2", "v1")
        headers = (("X-Class", "yes"), ("X-Run", "the class's"))
        cookies = (("sid", "abc"),)

    asked: dict[str, Any] = {}
    monkeypatch.setattr(user_module, "CrossCheck", lambda *_, **what: asked.update(what))
    Guest.start_probe(
        Settings.of(Namespace(ws_origin="https://a.example", ws_header=["X-Run: the run's"])),
        "ws://localhost/",
    )
    assert asked["subprotocols"] == ("v2", "v1")
    assert dict(asked["headers"]) == {
        "X-Class": "yes",
        "X-Run": "the class's",
        "Origin": "https://a.example",
        "Cookie": "sid=abc",
    }
    Guest.start_probe(Settings.of(Namespace(ws_subprotocol=["v3"])), "ws://localhost/")
    assert asked["subprotocols"] == ("v3",)


def test_the_probe_speaks_no_other_chat() -> None:
    with pytest.raises(UsageError, match="--ws-probe: the probe speaks wsload's own chat, not Lines"):
        talker(Lines).start_probe(Settings.of(Namespace()), "ws://localhost/")  # type: ignore[attr-defined]
