"""Opening, keeping, closing and opening again: real connections to a real server, on one loop."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from http import HTTPStatus
from typing import Any, ClassVar

import gevent
import pytest
from locust import task
from locust.exception import StopTest, StopUser
from websockets.asyncio.server import ServerConnection
from world import Hooked, Quiet, World, echo, mute

from wsload import (
    AlreadyConnected,
    ConnectionLost,
    MessageTimeout,
    OpenError,
    Opening,
    UsageError,
    WorkloadError,
)
from wsload.load.users.sockets.socket import Socket
from wsload.load.users.sockets.states import CONNECTED, State
from wsload.load.users.sockets.tally import PAUSE_NS
from wsload.load.ws.states import State as ConnectionState


class Bare(Quiet):
    """One that connects by itself, in its only task."""

    abstract = True
    auto_connect = False


async def closes_when_told(connection: ServerConnection) -> None:
    """Echoes, but closes with the code that a message of digits is, and drops the connection at "drop"."""
    async for message in connection:
        if str(message).isdigit():
            await connection.close(int(message))
        elif message == "drop":
            connection.transport.abort()
        else:
            await connection.send(message)


# What is opened


def asked_of(w: World) -> list[tuple[str, dict[str, str]]]:
    """Has the server note the path and headers of every opening request."""
    seen: list[tuple[str, dict[str, str]]] = []

    def note(connection: ServerConnection, request: Any) -> None:
        seen.append((request.path, {name.lower(): value for name, value in request.headers.raw_items()}))

    w.serve(closes_when_told, process_request=note)
    return seen


def test_a_reconnection_opens_what_connect_was_given(w: World) -> None:
    seen = asked_of(w)

    class User(Bare):
        @task
        async def talk(self) -> None:
            if self._socket.state is State.CLOSED:
                await self.connect(Opening(url="/private", query={"room": 7}, headers={"X-Key": "k"}))
                await self.send("1012")
                return
            if w.opened == 2:
                raise StopUser
            await asyncio.sleep(0.001)

    w.live(User)
    assert [path for path, _ in seen] == ["/private?room=7"] * 2
    assert [headers["x-key"] for _, headers in seen] == ["k", "k"]
    assert w.counter("reconnects") == 1
    assert w.failures() == {"close: closed 1012": 1}


def once() -> dict[str, Any]:
    """Settings that can be read only once."""
    return {"headers": iter([("X-Key", "k")]), "cookies": (pair for pair in [("a", "1")])}


@pytest.mark.parametrize("where", ["the class", "a base", "connect", "on_opening"])
def test_what_can_be_read_only_once_is_sent_at_every_opening(w: World, where: str) -> None:
    seen = asked_of(w)

    class Asking(Bare):
        abstract = True

        async def on_opening(self) -> Opening:
            return Opening(**once()) if where == "on_opening" else Opening(headers=iter([("X-Other", "o")]))

        @task
        async def talk(self) -> None:
            await self.connect(Opening(url="/room", **(once() if where == "connect" else {})))
            await self.send("1012")
            await w.until(lambda: w.opened == 2 and self._socket.state is State.OPEN)
            raise StopUser

    base = type("Base", (), once() if where == "a base" else {})
    w.live(type("User", (base, Asking), once() if where == "the class" else {}))
    assert [path for path, _ in seen] == ["/room"] * 2
    assert all(headers["x-key"] == "k" and headers["cookie"] == "a=1" for _, headers in seen)
    assert all(headers.get("x-other") == ("o" if where != "on_opening" else None) for _, headers in seen)


def test_classes_share_what_their_base_could_give_only_once() -> None:
    base = type("Base", (), {**once(), "subprotocols": iter(("v1", "v2"))})
    for name in ("One", "Other"):
        found: Any = type(name, (base, Bare), {})
        assert found.headers == (("X-Key", "k"),) and found.cookies == (("a", "1"),)
        assert found.subprotocols == ("v1", "v2")


def test_an_opening_keeps_what_it_is_given_unless_it_could_be_read_only_once() -> None:
    headers = {"X-Key": "k"}
    opening = Opening(headers=headers, cookies=once()["cookies"], subprotocols=iter(("v1", "v2")))
    assert opening.headers is headers
    assert opening.cookies == (("a", "1"),) and opening.subprotocols == ("v1", "v2")


def test_on_opening_has_its_say_before_every_opening_and_adds_to_what_connect_was_given(w: World) -> None:
    seen = asked_of(w)

    class User(Bare):
        headers = (("X-Key", "the class's"), ("X-Other", "o"))
        cookies = (("a", "1"), ("b", "2"))
        tokens = 0

        async def on_opening(self) -> Opening:
            self.tokens += 1
            return Opening(headers={"x-key": f"token {self.tokens}"}, cookies={"b": "3"}, query={"v": 2})

        @task
        async def talk(self) -> None:
            await self.connect("/room")
            await self.send("1012")
            await w.until(lambda: w.opened == 2 and self._socket.state is State.OPEN)
            raise StopUser

    w.live(User)
    assert [path for path, _ in seen] == ["/room?v=2"] * 2
    assert [headers["x-key"] for _, headers in seen] == ["token 1", "token 2"]
    assert all(headers["cookie"] == "a=1; b=3" and headers["x-other"] == "o" for _, headers in seen)


def test_on_opening_that_returns_something_else_is_told_so_and_tried_again(w: World) -> None:
    w.serve()

    class User(Quiet):
        asked = 0

        async def on_opening(self) -> Any:
            self.asked += 1
            return {"url": "/"} if self.asked == 1 else None

        @task
        async def talk(self) -> None:
            raise StopUser

    w.live(User)
    assert w.failures() == {"on_opening: UsageError": 1}
    assert w.texts == ["User, on_opening: on_opening returns an Opening or None, not dict"]
    assert w.opened == 1


def test_a_second_connect_is_refused(w: World) -> None:
    w.serve()

    class User(Quiet):
        @task
        async def talk(self) -> None:
            with pytest.raises(AlreadyConnected, match=r"connected already.*auto_connect = False"):
                await self.connect("/other")
            assert await self.round_trip("still there") == "still there"
            raise StopUser

    w.live(User)
    assert w.opened == 1 and w.failures() == {}


def test_what_connect_raises_is_counted_and_leaves_nothing_behind(w: World) -> None:
    def refuse(connection: ServerConnection, request: Any) -> Any:
        return connection.respond(HTTPStatus.FORBIDDEN, "no")

    w.serve(echo, process_request=refuse)

    class User(Bare):
        @task
        async def talk(self) -> None:
            for _ in range(2):
                with pytest.raises(OpenError, match="bad status 403"):
                    await self.connect()
                assert self._socket.state is State.CLOSED and not w.engine.members
            raise StopUser

    w.live(User)
    assert w.failures() == {"open: bad status 403": 2}


# Races


def gated(w: World) -> tuple[asyncio.Event, list[Any]]:
    """Starts a server that lets the first opening wait for the event; and the openings that it was asked for."""
    gate = asyncio.Event()
    asked: list[Any] = []

    async def hold(connection: ServerConnection, request: Any) -> None:
        asked.append(request)
        if len(asked) == 1:
            await gate.wait()

    async def quiet(connection: ServerConnection) -> None:
        with contextlib.suppress(Exception):
            await echo(connection)

    w.serve(quiet, process_request=hold)
    return gate, asked


@pytest.mark.parametrize("first_is", ["sooner", "later"])
def test_an_opening_that_was_overtaken_gives_way(w: World, first_is: str) -> None:
    gate, asked = gated(w)

    class User(Bare):
        @task
        async def talk(self) -> None:
            first = asyncio.create_task(self.connect("/first"))
            await w.until(lambda: asked)
            await self.close()
            assert self._socket.state is State.CLOSED
            second = asyncio.create_task(self.connect("/second"))
            await w.until(lambda: self._socket.state is not State.CLOSED)
            if first_is == "sooner":
                gate.set()
                await asyncio.wait([first])
            await second
            gate.set()
            with pytest.raises(ConnectionLost, match="while it was being opened"):
                await first
            assert await self.round_trip("hello") == "hello"
            assert w.engine.connections == 1 and len(w.engine.members) == 1
            raise StopUser

    w.live(User)
    assert w.failures() == {}
    assert w.engine.connections == 0 and not w.engine.members


def test_closing_while_it_is_opened_again_ends_that(w: World) -> None:
    w.serve(closes_when_told)

    class User(Quiet):
        @task
        async def talk(self) -> None:
            await self.send("1012")
            await w.until(lambda: self._socket.state is State.WAITING)
            await self.close()
            assert self._socket.state is State.CLOSED and self._socket._keeper is None
            await self.connect()
            assert await self.round_trip("hello") == "hello"
            raise StopUser

    w.live(User)
    assert w.opened == 2 and w.counter("reconnects") == 0


def test_closing_twice_at_once_is_one_close(w: World) -> None:
    w.serve()

    class User(Quiet):
        @task
        async def talk(self) -> None:
            await asyncio.gather(self.close(), self.close())
            await self.close()
            assert self._socket.state is State.CLOSED
            raise StopUser

    w.live(User)
    assert w.count("close") == 1 and w.record().closes == {1000: 1}


def test_a_cancelled_close_is_finished_by_the_end(w: World) -> None:
    async def slow_to_close(connection: ServerConnection) -> None:
        await connection.wait_closed()

    w.serve(slow_to_close)

    class User(Quiet):
        @task
        async def talk(self) -> None:
            closing = asyncio.create_task(self.close())
            await asyncio.sleep(0)
            closing.cancel()
            raise StopUser

    w.live(User)
    assert w.engine.connections == 0 and not w.engine.members


@pytest.mark.parametrize("waits", ["to the end", "not long enough", "for another's close"])
def test_a_slow_close_is_recorded_whether_or_not_its_task_still_waits(w: World, waits: str) -> None:
    held, servers = asyncio.Event(), list[ServerConnection]()

    async def slow_to_close(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        servers.append(connection)
        await held.wait()
        connection.transport.resume_reading()
        await connection.wait_closed()

    w.serve(slow_to_close)

    class User(Quiet):
        @task
        async def talk(self) -> None:
            closing = asyncio.create_task(self.close())
            await asyncio.sleep(0.05)
            if waits == "not long enough":
                closing.cancel()
                await asyncio.wait([closing])
            others = [asyncio.create_task(self.close())] if waits == "for another's close" else []
            await asyncio.sleep(0.05)
            held.set()
            await asyncio.wait([closing, *others])
            await w.until(lambda: self._socket.state is State.CLOSED)
            raise StopUser

    w.live(User)
    assert w.count("close") == 1 and w.record().closes == {1000: 1}
    assert w.totals.histograms["close"].min_ns >= 95_000_000  # uvloop's timers may be early


def test_a_second_close_does_not_cut_short_what_the_first_waits_for(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    w.serve()
    lingered = asyncio.Event()

    async def linger(self: Any) -> None:
        await lingered.wait()

    monkeypatch.setattr(Socket, "_linger", linger)

    class User(Quiet):
        @task
        async def talk(self) -> None:
            closing = [asyncio.create_task(self.close()) for _ in range(2)]
            for _ in range(5):
                await asyncio.sleep(0)
            assert self._socket.connection.state is ConnectionState.OPEN
            lingered.set()
            await asyncio.wait(closing)
            assert self._socket.state is State.CLOSED
            raise StopUser

    w.live(User)
    assert w.count("close") == 1 and w.record().closes == {1000: 1}


@pytest.mark.parametrize("on", ["the first", "a further one"])
def test_a_close_with_a_code_that_is_not_allowed_changes_nothing(w: World, on: str) -> None:
    w.serve()

    class User(Quiet):
        @task
        async def talk(self) -> None:
            connection: Any = self if on == "the first" else await self.open("/")
            for code, reason in ((42, ""), (1006, ""), (1000, "x" * 124)):
                with pytest.raises(UsageError, match="can't close with"):
                    await connection.close(code, reason)
            assert await connection.round_trip("hello") == "hello"
            await connection.close(4000)
            raise StopUser

    w.live(User)
    assert w.failures() == {} and w.record().closes[4000] == 1


def test_who_waits_for_the_connection_is_woken_by_whatever_becomes_of_it(w: World) -> None:
    w.serve(closes_when_told)

    class User(Quiet):
        @task
        async def talk(self) -> None:
            await self.send("1012")
            await w.until(lambda: self._socket.state is State.WAITING)
            waiting = [asyncio.create_task(self._socket.when_settled()) for _ in range(3)]
            await asyncio.sleep(0)
            waiting[0].cancel()
            await self.close()
            await asyncio.wait(waiting)
            await self._socket.when_settled()
            raise StopUser

    w.live(User)
    assert w.opened == 1


# Openings that nobody waits for any more


def holds(w: World, first: int) -> list[Any]:
    """Starts a server that leaves openings unanswered from this one on; returns those that it was asked for."""
    asked: list[Any] = []

    async def hold(connection: ServerConnection, request: Any) -> None:
        asked.append(request)
        if len(asked) >= first:
            await asyncio.Event().wait()

    w.serve(closes_when_told, process_request=hold)
    return asked


@pytest.mark.parametrize("finishing", [False, True])
@pytest.mark.parametrize("on", ["the first", "a further one"])
def test_an_opening_whose_caller_stops_waiting_has_failed(w: World, on: str, finishing: bool) -> None:
    """Also in the last task of a user that was asked to stop: wsload lets it finish, and cancels nothing."""
    asked = holds(w, 1)

    class User(Bare):
        @task
        async def talk(self) -> None:
            opening = asyncio.ensure_future(
                self.connect() if on == "the first" else self.open("/").__aenter__()
            )
            await w.until(lambda: asked)
            if finishing:
                self._life.stop()
            opening.cancel()
            await asyncio.wait([opening])
            assert self._socket.state is State.CLOSED and not w.engine.members
            raise StopUser

    w.live(User)
    assert w.failures() == {"open: cancelled": 1}
    assert w.counter("open_failures") == 1 and w.counter("opens") == 0


@pytest.mark.parametrize("why", ["the user ends", "it was closed"])
def test_an_opening_that_is_not_wanted_any_more_has_not_failed(w: World, why: str) -> None:
    asked = holds(w, 2)

    class User(Quiet):
        @task
        async def talk(self) -> None:
            await self.send("1012")
            await w.until(lambda: len(asked) == 2)
            if why == "it was closed":
                await self.close()
            raise StopUser

    w.live(User)
    assert w.failures() == {"close: closed 1012": 1} and w.counter("open_failures") == 0


# on_connect


def test_an_exception_in_on_connect_while_reconnecting_is_said_and_tried_again(w: World) -> None:
    w.serve(closes_when_told)

    class User(Quiet):
        times = 0

        async def on_connect(self) -> None:
            self.times += 1
            if self.times in (2, 3):
                raise ValueError("a bug")

        @task
        async def talk(self) -> None:
            if self.times == 4:
                raise StopUser
            await self.send("1012")
            await w.until(lambda: self._socket.connection is None)

    w.live(User)
    assert w.opened == 4
    assert w.failures() == {"close: closed 1012": 1, "on_connect: ValueError": 2}
    assert "in on_connect" in w.texts[0] and "ValueError: a bug" in w.texts[0]
    assert w.counter("reconnects") == 1


def test_a_bug_in_on_connect_is_named_rightly_when_the_connection_was_lost_too(w: World) -> None:
    w.serve(closes_when_told)

    class User(Quiet):
        times = 0

        async def on_connect(self) -> None:
            self.times += 1
            if self.times == 1:
                await self.send("1012")
                await w.until(lambda: self._socket.connection is None)
                raise ValueError("a bug")

        @task
        async def talk(self) -> None:
            raise StopUser

    w.live(User)
    assert w.failures() == {"close: closed 1012": 1, "on_connect: ValueError": 1}


def test_a_request_that_times_out_in_on_connect_leads_to_another_attempt_even_if_swallowed(w: World) -> None:
    w.serve(mute)

    class User(Quiet):
        times = 0

        async def on_connect(self) -> None:
            self.times += 1
            if self.times < 3:
                with contextlib.suppress(MessageTimeout if self.times == 1 else ()):
                    await self.round_trip("hello", timeout=0.02)

        @task
        async def talk(self) -> None:
            raise StopUser

    w.live(User)
    assert w.opened == 3
    assert w.failures() == {"message: timeout": 2}


def test_only_on_connect_may_send_before_it_has_returned(w: World) -> None:
    heard: list[tuple[int, str]] = []

    async def note(connection: ServerConnection) -> None:
        number = w.opened
        async for message in connection:
            heard.append((number, str(message)))
            if message == "bye":
                await connection.close(1012)

    w.serve(note)

    class User(Quiet):
        chatter: asyncio.Task[None]

        async def talk_on(self) -> None:
            while True:
                with contextlib.suppress(WorkloadError):
                    await self.send("chatter")
                await asyncio.sleep(0)

        async def on_connect(self) -> None:
            if w.opened == 1:
                # It is made here, and has this context for good.
                self.chatter = asyncio.create_task(self.talk_on())
            await asyncio.sleep(2 * PAUSE_NS / 1e9)  # the chatter tries all the while
            await self.send("login")

        @task
        async def talk(self) -> None:
            if w.opened == 1:
                await self.send("bye")
                await w.until(lambda: self._socket.connection is None)
            elif ("chatter") in [message for number, message in heard if number == 2]:
                self.chatter.cancel()
                raise StopUser
            await asyncio.sleep(0.001)

    w.live(User)
    assert next(message for number, message in heard if number == 2) == "login"
    assert w.failures()["message: not connected"] >= 1


async def challenges(connection: ServerConnection) -> None:
    """Says nothing else before its challenge was answered."""
    await connection.send("challenge")
    answered = await connection.recv()
    assert answered == "response"
    await connection.send("welcome")
    await connection.wait_closed()


@pytest.mark.parametrize("hook", ["at once", "by a task", "of an extra connection"])
@pytest.mark.parametrize("greets", [False, True], ids=["no on_connect", "on_connect waits"])
def test_hooks_may_answer_before_on_connect_has_returned(w: World, hook: str, greets: bool) -> None:
    w.serve(challenges)
    welcomed = asyncio.Event()

    async def respond(connection: Any) -> None:
        await asyncio.sleep(0)
        await connection.send("response")

    class User(Quiet):
        replies: asyncio.Task[None]

        def take(self, message: str, connection: Any) -> None:
            if message == "welcome":
                welcomed.set()
            elif hook == "by a task":
                self.replies = asyncio.create_task(respond(connection))
            else:
                connection.send_nowait("response")

        def on_message(self, message: str) -> None:
            self.take(message, self)

        async def on_connect(self) -> None:
            if greets:
                await welcomed.wait()

        @task
        async def go(self) -> None:
            await welcomed.wait()
            if hook == "of an extra connection":
                welcomed.clear()
                control = self.open("/control", on_message=lambda message: self.take(message, control))
                async with control:
                    await welcomed.wait()
            raise StopUser

    w.live(User)
    assert w.failures() == {} and w.counter("unsent") == 0


def test_what_an_attempt_left_running_may_not_send_before_the_next_was_greeted(w: World) -> None:
    heard: set[str | bytes] = set()

    async def note(connection: ServerConnection) -> None:
        async for message in connection:
            heard.add(message)

    w.serve(note)

    class User(Quiet):
        chatter: asyncio.Task[None]

        async def talk_on(self) -> None:
            while True:
                with contextlib.suppress(WorkloadError):
                    await self.send(f"chatter {self._socket.state.name}")
                await asyncio.sleep(0)

        async def on_connect(self) -> None:
            if w.opened == 1:
                self.chatter = asyncio.create_task(self.talk_on())
                raise ValueError
            await asyncio.sleep(2 * PAUSE_NS / 1e9)

        @task
        async def talk(self) -> None:
            await w.until(lambda: "chatter OPEN" in heard)
            self.chatter.cancel()
            raise StopUser

    w.live(User)
    assert w.opened == 2 and "chatter GREETING" not in heard


def test_a_server_that_closes_at_once_is_not_greeted(w: World) -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.close(4001)

    w.serve(close)

    class User(Quiet):
        expected_closes = frozenset({4001})
        greeted = 0

        async def on_connect(self) -> None:
            type(self).greeted += 1
            await self.receive()

        def on_close(self, code: int, reason: str) -> None:
            assert code == 4001
            if w.opened == 3:
                raise StopUser

        @task
        async def talk(self) -> None:
            await self.receive()

    w.live(User)
    assert w.opened == 3
    assert set(w.failures()) <= {"receive: closed 4001", "close: closed 4001"}
    assert w.failures().get("close: closed 4001", 0) == User.greeted
    assert w.failures().get("receive: closed 4001", 0) <= User.greeted + w.opened


@pytest.mark.parametrize("by", ["its opening", "connect"])
def test_an_end_before_on_connect_has_returned_is_a_failure_even_if_expected(w: World, by: str) -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close(1000)

    w.serve(close)

    class User(Quiet):
        auto_connect = by == "its opening"
        expected_closes = frozenset({1000})

        async def on_connect(self) -> None:
            await self.send("hello")
            async for _ in self.messages():
                raise AssertionError
            if w.opened == 3:
                raise StopUser

        @task
        async def talk(self) -> None:
            await self.connect()

    w.live(User)
    assert w.failures() == {"close: closed 1000": 3}


# Without reconnection


class Once(Quiet):
    abstract = True
    reconnect = False


def test_a_task_that_waits_is_told_why_before_its_user_ends(w: World) -> None:
    w.serve(closes_when_told)
    met: list[BaseException] = []

    class User(Once):
        @task
        async def talk(self) -> None:
            try:
                await asyncio.gather(self.round_trip("1012"), self.receive())
            except BaseException as error:
                met.append(error)
                raise

    w.live(User)
    assert [type(error) for error in met] == [ConnectionLost]
    assert w.counter("users_ended") == 1 and w.opened == 1


def test_a_task_that_does_not_end_by_itself_is_cancelled_then(w: World) -> None:
    w.serve(closes_when_told)

    class User(Once):
        @task
        async def talk(self) -> None:
            await self.send("1012")
            await asyncio.Event().wait()

    began = time.monotonic()
    w.live(User)
    assert time.monotonic() - began < 5
    assert w.failures() == {"close: closed 1012": 1}


@pytest.mark.parametrize(
    ("raised", "failures"),
    [
        (ValueError("a bug"), {"on_connect: ValueError": 1}),
        (ConnectionLost("counted"), {}),
        (OpenError("counted"), {}),
    ],
)
def test_on_connect_that_fails_ends_the_user_and_is_counted_once(
    w: World, raised: Exception, failures: dict[str, int]
) -> None:
    w.serve()

    class User(Once):
        async def on_connect(self) -> None:
            raise raised

        @task
        async def talk(self) -> None:
            raise AssertionError("there is no connection")

    w.live(User)
    assert w.failures() == failures
    assert len(w.reported) == len(failures)
    assert w.counter("users_ended") == 1 and w.opened == 1


@pytest.mark.parametrize("reconnect", [True, False])
def test_a_connection_that_is_being_given_up_is_not_replaced_by_another(w: World, reconnect: bool) -> None:
    held = asyncio.Event()

    async def slow_to_close(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await held.wait()
        connection.transport.resume_reading()
        await connection.wait_closed()

    w.serve(slow_to_close)
    met: list[Exception] = []

    async def connect_again(user: Any) -> None:
        await w.until(lambda: user._socket.state not in CONNECTED)
        closing = asyncio.create_task(user.close())
        await asyncio.sleep(0)
        try:
            await user.connect()
        except Exception as error:
            met.append(error)
        held.set()
        await closing

    class User(Quiet):
        other: asyncio.Task[None]

        async def on_connect(self) -> None:
            self.other = asyncio.create_task(connect_again(self))
            raise ValueError

        @task
        async def talk(self) -> None:
            await self.other
            raise StopUser

    User.reconnect = reconnect
    w.live(User)
    assert [str(each).split(":")[0] for each in met] == ["the socket is being closed already"]
    assert w.opened == 1 and w.engine.connections == 0 and not w.engine.members


# Ends


@pytest.mark.parametrize("reconnect", [True, False])
def test_expected_closes_are_no_failures(w: World, reconnect: bool) -> None:
    w.serve(closes_when_told)

    class User(Quiet):
        expected_closes = frozenset({4000})
        codes: ClassVar[list[int]] = []

        def on_close(self, code: int, reason: str) -> None:
            self.codes.append(code)

        @task
        async def talk(self) -> None:
            if self.codes == [4000, 4001][: 1 if not reconnect else 2]:
                raise StopUser
            await self.send("4000" if not self.codes else "4001")
            number = len(self.codes)
            await w.until(lambda: len(self.codes) > number)

    User.reconnect = reconnect
    User.codes = []
    w.live(User)
    assert w.failures() == ({"close: closed 4001": 1} if reconnect else {})
    assert w.record().closes[4000] == 1


@pytest.mark.parametrize("where", ["on_opening", "on_connect", "on_start", "task", "on_stop"])
@pytest.mark.parametrize("way", ["StopUser", "StopTest", "exit", "interrupt"])
@pytest.mark.parametrize("when", ["first", "again"])
def test_there_is_a_way_out_of_everywhere(w: World, where: str, way: str, when: str) -> None:
    """StopUser ends the user, StopTest and sys.exit the run as well; all of them quietly, with on_stop called."""
    w.serve(closes_when_told)
    if when == "again" and where in ("on_start", "on_stop", "task"):
        pytest.skip("happens once")
    stopped: list[bool] = []

    def leave(here: str) -> None:
        if here == where and (when == "first" or w.opened == (1 if here == "on_opening" else 2)):
            raise {
                "StopUser": StopUser(),
                "StopTest": StopTest("enough"),
                "exit": SystemExit(3),
                "interrupt": KeyboardInterrupt(),
            }[way]

    class User(Hooked):
        async def at(self, where: str) -> None:
            if where == "on_stop":
                stopped.append(True)
            leave(where)

        @task
        async def talk(self) -> None:
            leave("task")
            if when == "again":
                await self.send("1012")
                await w.until(lambda: self._socket.state is not State.OPEN)
                return
            raise StopUser

    w.live(User)
    assert set(w.failures()) <= {"close: closed 1012"}
    assert w.reported == []
    assert bool(w.quits) == (way != "StopUser")
    assert len(stopped) == (0 if when == "first" and where in ("on_opening", "on_connect") else 1)
    assert w.engine.users == w.engine.connections == 0


@pytest.mark.parametrize("hook", ["on_message", "on_close", "on_error", "key_of", "check", "match"])
@pytest.mark.parametrize("way", ["StopUser", "StopTest", "exit", "interrupt", "bug"])
def test_there_is_a_way_out_of_every_plain_hook(w: World, hook: str, way: str) -> None:
    w.serve(closes_when_told)
    stopped: list[bool] = []

    def leave(*_: Any) -> Any:
        raise {
            "StopUser": StopUser(),
            "StopTest": StopTest("enough"),
            "exit": SystemExit(3),
            "interrupt": KeyboardInterrupt(),
            "bug": RuntimeError("a bug"),
        }[way]

    class User(Quiet):
        async def on_stop(self) -> None:
            stopped.append(True)

        @task
        async def talk(self) -> None:
            if hook == "on_error":
                with contextlib.suppress(OpenError):
                    await self.close()
                    await self.connect("ws://127.0.0.1:1/")
            elif hook == "on_close":
                await self.send("1012")
            elif hook in ("check", "match"):
                with contextlib.suppress(MessageTimeout):
                    await self.round_trip("hello", timeout=0.05, **{hook: leave})
            else:
                await self.send("hello")
            await asyncio.sleep(0.01)
            if way == "bug":
                raise StopUser

    if hook not in ("check", "match"):
        setattr(User, hook, leave)
        leave.__name__ = hook
    w.live(User)
    assert stopped == [True]
    assert bool(w.quits) == (way in ("StopTest", "exit", "interrupt"))
    assert any(kind.endswith(": RuntimeError") for kind in w.failures()) == (way == "bug")
    assert bool(w.reported) == (way == "bug")


class OfMyOwn(BaseException):
    pass


async def awaits_what_it_cancelled() -> None:
    task = asyncio.ensure_future(asyncio.sleep(9))
    task.cancel()
    await task


@pytest.mark.parametrize("what", ["CancelledError", "GeneratorExit", "Timeout", "OfMyOwn", "StopIteration"])
@pytest.mark.parametrize(
    "where", ["on_opening", "on_connect", "on_start", "task", "on_stop", "on_message", "check"]
)
def test_whatever_user_code_raises_is_a_failure_of_that_code_and_ends_no_user_silently(
    w: World, where: str, what: str
) -> None:
    """Among them what isn't an `Exception`, such as gevent's timeout."""
    w.serve()
    kinds = {"Timeout": gevent.Timeout, "OfMyOwn": OfMyOwn, "GeneratorExit": GeneratorExit}
    raised: list[str] = []

    def leave(here: str) -> None:
        if here == where and not raised:
            raised.append(here)
            raise {**kinds, "StopIteration": StopIteration, "CancelledError": asyncio.CancelledError}[what]

    async def leave_from_coroutine(here: str) -> None:
        if here == where and not raised and what == "CancelledError":
            raised.append(here)
            await awaits_what_it_cancelled()
        leave(here)

    class User(Hooked):
        done = 0

        async def at(self, where: str) -> None:
            await leave_from_coroutine(where)

        def on_message(self, message: Any) -> None:
            leave("on_message")

        @task
        async def talk(self) -> None:
            await self.send("pushed")
            with contextlib.suppress(MessageTimeout):
                await self.round_trip("hello", match=lambda m: m == "hello", check=lambda _: leave("check"))
            await leave_from_coroutine("task")
            self.done += 1
            if self.done == 3:
                raise StopUser

    user = w.live(User)
    assert raised == [where]
    kind = "RuntimeError" if what == "StopIteration" and where not in ("on_message", "check") else what
    name = {"task": "task talk", "check": "message"}.get(where, where)
    assert w.failures()[f"{name}: {kind}"] == 1
    assert user.done == (0 if where == "on_start" else 3)
    assert w.engine.users == w.engine.connections == 0


def test_what_was_counted_already_is_not_counted_again_by_a_hook_that_lets_it_pass(w: World) -> None:
    w.serve(closes_when_told)

    class User(Quiet):
        def on_close(self, code: int, reason: str) -> None:
            self.send_nowait("too late")

        @task
        async def talk(self) -> None:
            await self.send("1012")
            await w.until(lambda: self._socket.connection is None)
            raise StopUser

    w.live(User)
    assert w.failures() == {"close: closed 1012": 1, "message: not connected": 1}
    assert w.reported == []


# Calls that fail at once


FAILING = {
    "connect, connected": "connect",
    "connect, bad URL": "bad",
    "receive twice": "receive",
    "close, bad code": "bad close",
    "receive, on_message": "hooked",
    "receive, closed": "closed receive",
    "send, closed": "closed send",
    "round_trip, closed": "closed round_trip",
    "messages, closed": "closed messages",
    "messages, on_message": "hooked messages",
    "request, key in flight": "key in flight",
    "request, no key_of": "no key_of",
    "request, no key": "no key",
    "request, further connection": "further",
    "request, bad time limit": "limit",
    "round_trip, bad name": "name",
    "round_trip, no message": "number",
    "send, no message": "dict",
    "receive, bad time limit": "receive limit",
    "http, bad URL": "http",
    "http, bad name": "http name",
    "http, bad time limit": "http limit",
}
KEYED = ("key in flight", "no key", "limit")
"""Those that need a key_of in the user class."""


@pytest.mark.parametrize("call", FAILING.values(), ids=FAILING)
def test_a_loop_around_a_call_that_fails_leaves_the_thread_to_others(w: World, call: str) -> None:
    w.serve()
    fails = 20

    class User(Quiet):
        async def failing(self) -> None:
            match call.removeprefix("closed "):
                case "connect":
                    await self.connect()
                case "bad close":
                    await self.close(42)
                case "bad":
                    await self.connect("http://[")
                case "receive":
                    await self.receive()
                case "hooked":
                    await self.open("/", on_message=print).receive()
                case "hooked messages":
                    async for _ in self.open("/", on_message=print).messages():
                        pass
                case "send":
                    await self.send("x")
                case "round_trip":
                    await self.round_trip("x")
                case "messages":
                    async for _ in self.messages():
                        pass
                case "key in flight" | "no key_of":
                    await self.request("x", key=1)
                case "no key":
                    await self.request("x", key=None)
                case "further":
                    await self.open("/").request("x", key=1)
                case "limit":
                    await self.request("x", key=1, timeout=-1)
                case "name":
                    await self.round_trip("x", name="open")
                case "number":
                    await self.round_trip(7)
                case "dict":
                    await self.send({"a": 1})
                case "receive limit":
                    await self.receive(timeout=math.inf)
                case "http":
                    await self.http.get("http://[")
                case "http name":
                    await self.http.get("/", name="open")
                case "http limit":
                    await self.http.get("/", timeout=math.nan)

        @task
        async def talk(self) -> None:
            if call == "key in flight":
                self.request("nobody answers this", key=1)
            other = asyncio.create_task(self.receive(timeout=100))
            await asyncio.sleep(0)
            if call.startswith("closed") or call == "bad":
                await self.close()
            began = time.monotonic()
            for _ in range(fails):
                with contextlib.suppress(WorkloadError, UsageError):
                    await self.failing()
            spent = time.monotonic() - began
            assert spent >= fails * PAUSE_NS / 1e9
            other.cancel()
            with contextlib.suppress(WorkloadError, asyncio.CancelledError):
                await other
            await self.close()  # waits for no answer
            raise StopUser

    if call in KEYED:
        User.key_of = lambda _, message: None
    w.live(User)
    assert w.reported == []
