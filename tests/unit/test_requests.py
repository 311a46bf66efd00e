"""Requests, round trips, messages and their figures: a user on a real connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import time
import warnings
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from world import Quiet, World, echo, mute, world

from wsload import (
    ConnectionLost,
    MessageTimeout,
    NotConnected,
    UsageError,
    WebSocketUser,
    WorkloadError,
    constant_rate,
    task,
)
from wsload.load.users.sockets import inbox
from wsload.load.users.sockets.requests import LINGER_NS, LONG_LOOK_NS
from wsload.load.users.sockets.states import State
from wsload.load.users.sockets.tally import PAUSE_NS


class Keyed(Quiet):
    """Speaks to `numbered`: a request is a JSON object with an id, which its answer repeats."""

    abstract = True
    number = 0

    def key_of(self, message: Any) -> Any:
        return json.loads(message).get("id")

    def ask(self, delay_ms: float = 0, **more: Any) -> Awaitable[Any]:
        self.number += 1
        settings = {name: more.pop(name) for name in ("name", "check", "timeout", "key") if name in more}
        data = json.dumps({"id": self.number, "delay_ms": delay_ms, **more})
        return self.request(data, **{"key": self.number, **settings})


async def numbered(connection: ServerConnection) -> None:
    """Answers with the message itself, after its ``delay_ms``, ``times`` times, with "refused" if so asked."""

    async def answer(message: Any) -> None:
        await asyncio.sleep(message["delay_ms"] / 1000)
        for _ in range(message.get("times", 1)):
            await connection.send(json.dumps(message))

    async with asyncio.TaskGroup() as tasks:
        async for data in connection:
            message = json.loads(data)
            if message.get("close"):
                await connection.close(message["close"])
            else:
                tasks.create_task(answer(message))


def run(
    w: World, body: Callable[[Any], Awaitable[None]], base: type[WebSocketUser] = Quiet, **attributes: Any
) -> Any:
    """Lives a user of the base whose only task is this, once."""

    async def only(self: Any) -> None:
        try:
            await body(self)
        finally:
            self._life.stop()

    return w.live(type("User", (base,), {"tasks": [only], **attributes}))


# What is recorded of a request


def test_answers_come_in_any_order_each_with_its_own_time(w: World) -> None:
    w.serve(numbered)

    async def body(user: Any) -> None:
        slow, fast = user.ask(60, name="slow one"), user.ask(5, name="fast one")
        assert w.engine.in_flight == 2
        assert json.loads(await slow)["delay_ms"] == 60
        assert fast.done()
        assert json.loads(await fast)["delay_ms"] == 5
        assert w.engine.in_flight == 0

    run(w, body, Keyed)
    found = w.record().histograms
    assert 55e6 <= found["slow one"].percentile(100) < 1e9
    assert 4e6 <= found["fast one"].percentile(100) < 55e6
    assert found["slow one.service"].total == found["fast one.service"].total == 1
    assert w.failures() == {} and w.counter("requests") == 2


def test_a_request_is_sent_when_it_is_made_and_recorded_whoever_awaits_it(w: World) -> None:
    w.serve(numbered)

    async def body(user: Any) -> None:
        for _ in range(3):
            user.ask()
        await w.until(lambda: not w.engine.in_flight)

    run(w, body, Keyed)
    assert w.count("message") == 3 and w.failures() == {}


def test_every_outcome_is_counted_once_under_the_name(w: World) -> None:
    w.serve(numbered)

    async def body(user: Any) -> None:
        refused = await user.ask(20, name="buy", check=lambda answer: "sold out")
        assert json.loads(refused)["id"] == 1
        with pytest.raises(MessageTimeout):
            await user.ask(80, name="buy", timeout=0.02)
        await w.until(lambda: w.engine.recorder.count.late)
        await user.ask(name="buy", times=2)
        await w.until(lambda: w.engine.recorder.count.duplicates)
        with pytest.raises(ConnectionLost):
            await user.ask(name="buy", close=1012)
        with pytest.raises(NotConnected):
            await user.ask(name="buy")

    run(w, body, Keyed)
    assert w.failures() == {
        "buy: sold out": 1,
        "buy: timeout": 1,
        "buy: closed 1012": 1,
        "buy: not connected": 1,
        "close: closed 1012": 1,
    }
    assert [w.count(metric) for metric in ("buy", "buy.service", "buy.failed", "buy.lost")] == [1, 1, 1, 2]
    assert 18e6 <= w.totals.histograms["buy.failed"].percentile(100) < 1e9
    counts = {name: w.counter(name) for name in ("requests", "lost", "timeouts", "refused", "unsent")}
    assert counts == {"requests": 4, "lost": 2, "timeouts": 1, "refused": 1, "unsent": 1}
    assert {name: w.counter(f"buy.{name}") for name in ("late", "duplicates")} == {"late": 1, "duplicates": 1}
    assert w.engine.in_flight == 0


def test_answers_that_are_late_for_all_are_timed_out_by_the_engines_visits() -> None:
    with world(ws_message_timeout="50ms") as w:
        w.serve(numbered)

        async def body(user: Any) -> None:
            w.engine._periodic["flush"].cancel()
            w.engine._flush()
            outcomes = [user.ask(500), user.ask(500, timeout=10)]
            with pytest.raises(MessageTimeout):
                await outcomes[0]
            assert not outcomes[1].done(), "it has a time-out of its own"
            await outcomes[1]

        run(w, body, Keyed)
        assert w.failures() == {"message: timeout": 1}


def test_what_would_exceed_the_most_in_flight_is_unsent() -> None:
    with world(ws_max_in_flight="2") as w:
        w.serve(numbered)

        async def body(user: Any) -> None:
            first, second, third = user.ask(30), user.ask(30), user.ask(30)
            with pytest.raises(NotConnected, match="too many in flight"):
                await third
            await asyncio.gather(first, second)
            await user.ask()

        run(w, body, Keyed)
        assert w.failures() == {"message: too many in flight": 1}
        assert w.counter("unsent") == 1 and w.count("message") == 3


def test_what_is_outstanding_at_the_end_is_waited_for_and_what_has_no_answer_then_is_lost() -> None:
    with world(ws_drain="150ms") as w:
        w.serve(numbered)

        async def body(user: Any) -> None:
            user.ask(30)
            user.ask(5_000)

        run(w, body, Keyed)
        assert w.failures() == {"message: no answer by the end": 1}
        assert w.count("message") == 1 and w.engine.in_flight == 0


# Mistakes


MISTAKES: dict[str, tuple[type[WebSocketUser], Callable[[Any], Awaitable[Any]], str]] = {
    "no key_of": (Quiet, lambda user: user.request("x", key=1), r"User\.request\(\) needs key_of"),
    "no key": (Keyed, lambda user: user.request("x", key=None), r"key can't be None"),
    "no key on a second connection": (
        Keyed,
        lambda user: user.open("/control").request("x", key=None),
        r"key can't be None",
    ),
    "no key on a second connection with a key_of of its own": (
        Quiet,
        lambda user: user.open("/control", key_of=len).request("x", key=None),
        r"key can't be None",
    ),
    "a name of wsload's": (
        Quiet,
        lambda user: user.round_trip("x", name="open"),
        r"'open' is reserved by wsload",
    ),
    "a name that ends like one": (Quiet, lambda user: user.round_trip("x", name="a.lost"), r"'a\.lost'"),
    "an empty name": (Quiet, lambda user: user.round_trip("x", name=" \n"), r"at least one printable"),
    "a dict": (
        Quiet,
        lambda user: user.round_trip({"a": 1}),
        r"a message must be a str or bytes, not dict: use json\.dumps",
    ),
    "a number": (Keyed, lambda user: user.request(7, key=1), r"a str or bytes, not int"),
    "nothing": (Quiet, lambda user: user.send(None), r"a str or bytes, not NoneType"),
    "a time limit that is a text": (
        Keyed,
        lambda user: user.request("x", key=1, timeout="5"),
        r"timeout is a number of seconds, 0 or more, not '5'",
    ),
}
"""The user class, the call, and how the mistake is said."""
NO_LIMITS = (-1, -(10**400), math.nan, math.inf, -math.inf, "5", b"5", (1,), timedelta(seconds=1), 1j)
"""What is no time limit."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_said_where_it_is_awaited_and_sends_nothing(w: World, mistake: str) -> None:
    w.serve()
    base, call, text = MISTAKES[mistake]

    async def body(user: Any) -> None:
        began = time.monotonic()
        with pytest.raises(UsageError, match=text):
            await call(user)
        assert time.monotonic() - began >= PAUSE_NS / 1e9
        assert w.engine.in_flight == 0 and user._socket._pairing.outstanding == 0

    run(w, body, base)
    assert w.counter("sent") == 0 and w.counter("requests") == 0
    assert w.reported == [] and w.failures() == {}, "who awaits it decides what becomes of it"


def test_send_nowait_says_a_mistake_at_once(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        with pytest.raises(UsageError, match="a str or bytes, not NoneType"):
            user.send_nowait(None)

    run(w, body)
    assert w.counter("sent") == 0


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_that_nobody_awaits_is_reported(w: World, mistake: str) -> None:
    w.serve()
    base, call, text = MISTAKES[mistake]

    async def body(user: Any) -> None:
        call(user)
        await w.until(lambda: w.reported)

    run(w, body, base)
    assert [type(error) for error in w.reported] == [UsageError]
    assert re.search(text, w.texts[0])
    assert sum(w.failures().values()) == 1 and w.counter("sent") == 0


def test_a_mistake_that_is_gathered_is_raised_there_alone(w: World) -> None:
    w.serve(numbered)

    async def body(user: Any) -> None:
        answer, *mistakes = await asyncio.gather(
            user.ask(), user.request("x", key=None), user.send(7), return_exceptions=True
        )
        assert json.loads(answer)["id"] == 1
        assert [type(each) for each in mistakes] == [UsageError] * 2

    run(w, body, Keyed)
    assert w.reported == [] and w.failures() == {}


@pytest.mark.parametrize("way", ["an unhashable key", "an unhashable name", "a text that is no Unicode"])
def test_whatever_python_raises_before_the_send_is_raised_where_it_is_awaited(w: World, way: str) -> None:
    w.serve()
    data = "\ud800" if "text" in way else "x"
    key: Any = ["a"] if "key" in way else 1
    name: Any = ["a"] if "name" in way else "ask"

    async def body(user: Any) -> None:
        asked = user.request(data, key=key, name=name)
        with pytest.raises((TypeError, ValueError), match=r"unhashable|surrogates"):
            await asked
        assert w.engine.in_flight == 0 and user._socket._pairing.outstanding == 0

    run(w, body, Keyed)
    assert w.counter("sent") == 0 and w.counter("requests") == 0


def test_a_key_in_flight_is_refused_and_the_first_goes_on(w: World) -> None:
    w.serve(numbered)

    async def body(user: Any) -> None:
        first = user.ask(10, key=1)
        with pytest.raises(UsageError, match="key 1 is still in flight: give each request a key of its own"):
            await user.ask(key=1)
        await first

    run(w, body, Keyed)
    assert w.counter("requests") == w.count("message") == w.counter("unsent") == 1
    assert w.failures() == {"message: key in flight": 1} and w.reported == []


@pytest.mark.parametrize("way", ["awaited", "not awaited"])
def test_what_is_due_while_its_key_is_in_flight_is_counted_though_the_task_lets_it_pass(
    w: World, way: str
) -> None:
    """An answer that takes as long as many tasks must not hide them."""

    async def stalls(connection: ServerConnection) -> None:
        async for message in connection:
            await w.until(lambda: user[0].tries >= 10)
            await connection.send(message)

    w.serve(stalls)
    user: list[Any] = []

    class Careless(Keyed):
        wait_time = constant_rate(50)
        tries = 0

        @task
        async def talk(self) -> None:
            user[:] = [self]
            self.tries += 1
            asked = self.request('{"id": 1}', key=1, name="ask")
            if self.tries >= 10:
                self._life.stop()
            if way == "awaited":
                with contextlib.suppress(Exception):
                    await asked

    w.live(Careless)
    failures, requests = w.failures(), w.counter("requests")
    in_flight = failures.pop("ask: key in flight")
    assert in_flight >= 9 and in_flight + requests == user[0].tries
    assert w.counter("unsent") == in_flight + failures.pop("task: load generator too late", 0)
    assert w.count("ask") == requests and failures == {} and w.reported == []


CALLS: dict[str, Callable[[Any, Any], Awaitable[Any]]] = {
    "request": lambda user, limit: user.request('{"id": 1}', key=1, timeout=limit),
    "round_trip": lambda user, limit: user.round_trip("{}", timeout=limit),
    "receive": lambda user, limit: user.receive(limit),
    "http": lambda user, limit: user.http.get("/", timeout=limit),
}
"""Calls with a time limit."""


@pytest.mark.parametrize("limit", NO_LIMITS, ids=lambda each: f"{each!r:.8}")
@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_time_limit_is_refused_before_anything_is_sent(w: World, call: str, limit: Any) -> None:
    w.serve()

    async def body(user: Any) -> None:
        began = time.monotonic()
        with pytest.raises(UsageError) as raised:
            await CALLS[call](user, limit)
        assert str(raised.value) == f"timeout is a number of seconds, 0 or more, not {limit!r:.40}"
        assert time.monotonic() - began >= PAUSE_NS / 1e9
        assert w.engine.in_flight == 0 and user._socket._pairing.outstanding == 0

    run(w, body, Keyed)
    assert w.counter("sent") == w.counter("requests") == w.counter("lost") == 0 and w.failures() == {}


@pytest.mark.parametrize(
    "limit", [1e300, 10**400, 30, Fraction(30), Decimal(30)], ids=lambda each: f"{each!r:.8}"
)
@pytest.mark.parametrize("call", ["request", "round_trip", "receive"])
def test_a_time_limit_may_be_long_and_any_kind_of_number(w: World, call: str, limit: Any) -> None:
    async def answers(connection: ServerConnection) -> None:
        if call == "receive":
            await connection.send("{}")
        async for message in connection:
            await connection.send(message)

    w.serve(answers)

    async def body(user: Any) -> None:
        assert await CALLS[call](user, limit) in ('{"id": 1}', "{}")

    run(w, body, Keyed)
    assert w.failures() == {}


def test_keys_that_do_not_meet_are_counted(w: World) -> None:
    w.serve(numbered)

    async def body(user: Any) -> None:
        with pytest.raises(MessageTimeout):
            await user.ask(key="1", timeout=0.05)
        await user.ask()

    run(w, body, Keyed)
    assert w.counter("unknown_keys") == w.counter("pushes") == 1


def test_key_of_that_raises_or_gives_no_key_hides_nothing(w: World) -> None:
    async def odd(connection: ServerConnection) -> None:
        await connection.recv()
        for message in ("not JSON", '{"id": []}', '{"id": 1}'):
            await connection.send(message)
        await connection.wait_closed()

    w.serve(odd)
    pushes: list[str] = []

    async def body(user: Any) -> None:
        assert await user.ask() == '{"id": 1}'

    run(w, body, Keyed, on_message=lambda user, message: pushes.append(message))
    assert pushes == ["not JSON", '{"id": []}']
    assert w.failures() == {"key_of: JSONDecodeError": 1, "key_of: TypeError": 1}
    assert w.opened == 1 and w.counter("pushes") == 2


def test_a_check_that_raises_is_a_failure_of_the_request_and_shown(w: World) -> None:
    w.serve(numbered)

    def check(answer: str) -> str | None:
        raise KeyError("status")

    async def body(user: Any) -> None:
        await user.ask(name="buy", check=check)

    run(w, body, Keyed)
    assert w.failures() == {"check: KeyError": 1, "buy: KeyError": 1}
    assert w.count("buy") == 0 and w.count("buy.failed") == 1


@pytest.mark.parametrize("found", [True, False, 0, b"no"])
def test_a_check_says_how_it_failed_not_whether(w: World, found: object) -> None:
    w.serve(numbered)

    async def body(user: Any) -> None:
        await user.ask(name="buy", check=lambda answer: found)

    run(w, body, Keyed)
    assert w.failures() == {"check: UsageError": 1, "buy: UsageError": 1}
    assert f"check returns None or the kind of failure as a str, not {found!r}" in w.texts[0]


class Typed(Quiet):
    """Uses the type of a message as its key, again and again."""

    abstract = True

    def key_of(self, message: Any) -> Any:
        return message.split()[0]


def test_a_push_taken_for_the_answer_to_a_key_used_again_is_noticed_at_the_end(w: World) -> None:
    """From then on each request gets the answer of the one before, and something is always outstanding."""

    async def quotes(connection: ServerConnection) -> None:
        async for number, _ in aenumerate(connection):
            if not number:
                await connection.send("quote of nobody")
            await asyncio.sleep(LINGER_NS / 4e9)
            await connection.send("quote")

    w.serve(quotes)

    async def body(user: Any) -> None:
        for _ in range(5):
            await user.request("get", key="quote", name="quote")

    run(w, body, Typed)
    assert w.counter("quote.unpaired") >= 1


@pytest.mark.parametrize("key", ["quote", None])
def test_a_request_that_could_not_be_sent_leaves_no_trace(w: World, key: str | None) -> None:
    """The server has sent its close frame, and keeps the TCP connection."""

    async def closes(connection: ServerConnection) -> None:
        await connection.send("quote")
        connection.transport.pause_reading()
        connection.transport.write(b"\x88\x02\x03\xe8")
        await asyncio.sleep(0)
        await closed.wait()
        connection.transport.abort()

    w.serve(closes)
    closed = asyncio.Event()

    async def body(user: Any) -> None:
        await w.until(lambda: user._socket.connection.state.name != "OPEN")
        for _ in range(2):
            with pytest.raises(NotConnected):
                await user._socket.request("get", key=key, name="quote")
        pairing = user._socket._pairing
        assert not pairing.outstanding and not pairing.by_turn
        closed.set()

    run(w, body, Typed, reconnect=False)
    assert w.counter("unpaired") == 0 and w.failures()["quote: not connected"] == 2


# Told by their turn


def test_a_cancelled_wait_never_shifts_the_pairing(w: World) -> None:
    async def stalls_once(connection: ServerConnection) -> None:
        async for number, message in aenumerate(connection):
            await asyncio.sleep(0.1 if number == 2 else 0.001)
            await connection.send(message)

    w.serve(stalls_once)

    async def body(user: Any) -> None:
        given_up = 0
        for number in range(10):
            try:
                async with asyncio.timeout(0.05):
                    assert await user.round_trip(str(number)) == str(number)
            except TimeoutError:
                given_up += 1
        assert given_up >= 1
        await w.until(lambda: not w.engine.in_flight)

    run(w, body)
    assert w.count("message") == 10 and w.counter("unpaired") == 0
    assert w.totals.histograms["message"].percentile(100) >= 95e6


async def aenumerate(items: Any) -> Any:
    number = 0
    async for item in items:
        yield number, item
        number += 1


def test_after_a_time_out_the_connection_is_opened_anew_at_once(w: World) -> None:
    async def stalls_first(connection: ServerConnection) -> None:
        if w.opened == 1:
            await mute(connection)
        else:
            await echo(connection)

    w.serve(stalls_first)

    async def body(user: Any) -> None:
        beside = user.round_trip("b")
        with pytest.raises(MessageTimeout):
            await user.round_trip("a", timeout=0.02)
        with pytest.raises(ConnectionLost):
            await beside
        assert user._socket.state is not State.OPEN
        await user._socket.when_settled()
        assert await user.round_trip("c") == "c"

    run(w, body)
    assert w.opened == 2 and w.counter("reconnects") == 1
    assert w.failures()["message: timeout"] == 1
    assert "close: closed 1006" not in w.failures(), "wsload dropped it itself"


@pytest.mark.parametrize("matches", [True, False])
def test_a_late_answer_is_never_given_to_another_request_while_the_connection_is_closing(
    w: World, matches: bool
) -> None:
    late = asyncio.Event()

    async def answers_late(connection: ServerConnection) -> None:
        await connection.recv()
        await late.wait()
        with contextlib.suppress(ConnectionClosed):
            await connection.send("answer 1")
        await connection.wait_closed()

    w.serve(answers_late)
    w.context.long_looks = 1

    async def body(user: Any) -> None:
        def ask(text: str, **more: Any) -> Awaitable[Any]:
            match = (lambda message, begins="answer": message.startswith(begins)) if matches else None
            return user.round_trip(text, match=match, **more)

        first, second = ask("ask 1", timeout=0.02), ask("ask 2")
        closing = asyncio.ensure_future(user.close())
        with pytest.raises(MessageTimeout):
            await first
        late.set()
        with pytest.raises(ConnectionLost):
            await second
        await closing

    run(w, body)
    assert w.opened == 1 and w.count("message") == 0
    assert w.failures()["message: timeout"] == 1 and w.count("message.lost") == 2


def test_a_match_of_ones_own_needs_no_new_connection_after_a_time_out(w: World) -> None:
    w.serve(numbered)

    def fits(number: int) -> Callable[[Any], bool]:
        return lambda message: json.loads(message)["id"] == number

    async def body(user: Any) -> None:
        for number, delay_ms in enumerate((0, 0, 100, 0)):
            sent = user.round_trip(
                json.dumps({"id": number, "delay_ms": delay_ms}), match=fits(number), timeout=0.05
            )
            if delay_ms:
                with pytest.raises(MessageTimeout):
                    await sent
            else:
                assert json.loads(await sent)["id"] == number

    run(w, body)
    assert w.opened == 1 and w.counter("unpaired") == 0


def test_an_answer_that_came_late_is_never_given_to_a_later_request_with_the_same_match(w: World) -> None:
    async def holds_the_first_add(connection: ServerConnection) -> None:
        held: list[str] = []
        async for message in connection:
            if message in ("add 1", "add 2"):
                held.append(f"{message} done")
            if message != "add 1":
                await connection.send(held.pop(0) if held else f"{message} done")

    w.serve(holds_the_first_add)
    numbers = iter(range(9))

    async def body(user: Any) -> None:
        async def call(verb: str, timeout: float = 10) -> Any:
            data = f"{verb} {next(numbers)}"
            return await user.round_trip(
                data, match=lambda message: message.startswith(verb), timeout=timeout
            )

        assert await call("pay") == "pay 0 done"
        with pytest.raises(MessageTimeout):
            await call("add", timeout=0.02)
        with pytest.raises(ConnectionLost):
            await call("add")
        await user._socket.when_settled()
        assert await call("add") == "add 3 done"

    run(w, body)
    assert w.opened == 2 and w.count("message") == 2
    assert w.counter("message.late") == 1 and w.counter("unpaired") == 0


def test_an_answer_that_came_late_is_never_given_to_a_request_that_takes_any_message(w: World) -> None:
    async def late(connection: ServerConnection) -> None:
        async for message in connection:
            if message == "ping":
                await connection.send("2 done")
            if message != "2":
                await connection.send(f"{message} done")

    w.serve(late)

    async def body(user: Any) -> None:
        for number in range(3):
            sent = user.round_trip(
                str(number),
                match=lambda message, number=number: message.startswith(str(number)),
                timeout=None if number < 2 else 0.02,
            )
            if number < 2:
                await sent
        with pytest.raises(MessageTimeout):
            await sent
        with pytest.raises(ConnectionLost):
            await user.round_trip("ping", name="any")

    run(w, body)
    assert w.count("any") == 0 and w.counter("message.late") == 1


def test_a_late_answer_that_a_match_of_its_own_tells_is_counted(w: World) -> None:
    w.serve(numbered)

    async def body(user: Any) -> None:
        for number, delay_ms in enumerate((0, 50, 0)):
            data, wanted = json.dumps({"id": number, "delay_ms": delay_ms}), number
            sent = user.round_trip(
                data,
                match=lambda message, wanted=wanted: json.loads(message)["id"] == wanted,
                timeout=0.02 if delay_ms else None,
            )
            if not delay_ms:
                await sent
                continue
            with pytest.raises(MessageTimeout):
                await sent
            await w.until(lambda: w.engine.recorder.count.late)

    run(w, body)
    assert w.opened == 1 and w.counter("message.late") == 1 and w.counter("pushes") == 0


def greets_after(delay_s: float, answers_after_s: float) -> Callable[[ServerConnection], Awaitable[None]]:
    async def handle(connection: ServerConnection) -> None:
        async def greet() -> None:
            await asyncio.sleep(delay_s)
            await connection.send("welcome")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(greet())
            async for message in connection:
                await asyncio.sleep(answers_after_s)
                await connection.send(message)

    return handle


def test_a_surplus_answer_that_went_to_another_kind_of_request_is_noticed_for_both(w: World) -> None:
    """A push is taken for the answer to A, which then goes to B, whose own comes when nobody asks for one."""

    async def pushes(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send("ok ready")
        await connection.recv()
        await connection.send("ok A")
        await connection.send("B")
        await connection.wait_closed()

    w.serve(pushes)

    async def body(user: Any) -> None:
        assert await user.round_trip("A", name="a", match=starts_ok) == "ok ready"
        assert await user.round_trip("B", name="b") == "ok A"
        await w.until(lambda: w.engine.recorder.count.received == 3)

    run(w, body)
    assert w.counter("a.unpaired") == w.counter("b.unpaired") == 1 == w.counter("unpaired")


def starts_ok(message: str) -> bool:
    return message.startswith("ok")


@pytest.mark.parametrize("looks", [0, 3])
def test_a_greeting_taken_for_the_only_answer_of_a_connection_is_noticed(w: World, looks: int) -> None:
    """Open, ask, close: the answer comes when nobody asks for one any more."""
    answers_after_s = 0.1 if looks else LINGER_NS / 4e9
    w.context.long_looks = looks
    w.serve(greets_after(0.005, answers_after_s))

    async def body(user: Any) -> None:
        await user.connect()
        with user.measure("the answer"), contextlib.suppress(WorkloadError):
            assert await user.round_trip("hello") == "welcome"
            await user.close()

    run(w, body, auto_connect=False)
    assert w.counter("message.unpaired") == 1
    assert w.context.long_looks == max(0, looks - 1)
    # Its wait is no part of what the user class measures.
    assert w.record().histograms["the answer"].percentile(100) < LONG_LOOK_NS / 4


def test_only_the_first_closings_wait_for_long(w: World) -> None:
    w.context.long_looks = 1
    w.serve()

    async def body(user: Any) -> None:
        spent = []
        for _ in range(3):
            await user.connect()
            await user.round_trip("hello")
            began = time.monotonic_ns()
            await user.close()
            spent.append(time.monotonic_ns() - began)
        assert spent[0] >= LONG_LOOK_NS > spent[1] >= LINGER_NS

    run(w, body, auto_connect=False)
    assert w.count("close") == 3
    assert w.record().histograms["close"].min_ns < LINGER_NS  # a busy machine may make one of them slow


def first_word(message: str) -> str:
    return message.split()[0]


BACKLOG: dict[str, dict[str, Any]] = {
    "by order": {},
    "by a match": {"match": lambda message: message.startswith("time")},
    "by a match that captures": {"match": lambda message, begins="time": message.startswith(begins)},
    "by a key": {"key": "time"},
}


@pytest.mark.parametrize("told", BACKLOG)
@pytest.mark.parametrize("before", [0, 1])
def test_a_message_that_arrived_before_the_send_is_never_the_answer(w: World, told: str, before: int) -> None:
    """One read with more messages than are handled in one turn: a task that the first one wakes sends in between."""
    texts = [b"push", *[b"push"] * 118, b"time 12:00", *[b"push"] * 30]

    async def bursts(connection: ServerConnection) -> None:
        async for number, message in aenumerate(connection):
            if message == "go":
                connection.transport.write(b"".join(b"\x81%c%b" % (len(text), text) for text in texts))
            else:
                await connection.send(f"time {number}")

    w.serve(bursts)

    async def body(user: Any) -> None:
        def ask() -> Awaitable[Any]:
            return user._socket.request("time?", **BACKLOG[told])

        for number in range(before):
            assert await ask() == f"time {number}"
        user.send_nowait("go")
        await user.receive()
        assert w.engine.recorder.count.received < before + len(texts), "the rest is to come"
        assert await ask() == f"time {before + 1}"

    run(w, body, **({"key_of": staticmethod(first_word)} if told == "by a key" else {}))
    assert w.counter("pushes") + w.counter("duplicates") == len(texts)
    assert w.counter("out_of_range") == 0 and w.count("message") == 1 + before
    if not before:
        assert w.counter("unpaired") == 0


# Sending and receiving without answers


def test_what_is_sent_in_vain_is_unsent_and_said(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        await user.close()
        with pytest.raises(NotConnected):
            user.send_nowait("x")
        with pytest.raises(NotConnected):
            await user.send("x")

    run(w, body)
    assert w.failures() == {"message: not connected": 2} and w.counter("unsent") == 2


def test_sending_while_the_server_closes_is_unsent_too(w: World) -> None:
    async def close(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.close()

    w.serve(close)
    tried: list[str] = []

    async def body(user: Any) -> None:
        await user.send("go")
        connection = user._socket.connection
        await w.until(lambda: connection.protocol.state.name != "OPEN")
        if user._socket.state is State.OPEN:
            with pytest.raises(NotConnected):
                user.send_nowait("x")
            tried.append("nowait")

    run(w, body)
    assert w.counter("unsent") == len(tried)


def test_sending_needs_no_await_even_when_the_buffer_is_full(w: World) -> None:
    hold = asyncio.Event()

    async def reads_nothing(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await hold.wait()
        connection.transport.resume_reading()
        await connection.wait_closed()

    w.serve(reads_nothing)

    async def body(user: Any) -> None:
        while user._socket.connection.writable:
            user.send(b"x" * 1_000_000)
        user.send(b"x")
        user._socket.connection.abort()
        hold.set()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(w, body)


def test_receive_gives_pushes_in_order_each_with_its_stamp_and_times_out_counted(w: World) -> None:
    async def push(connection: ServerConnection) -> None:
        for number in range(3):
            await connection.send(str(number))
            await asyncio.sleep(0.02)
        await connection.wait_closed()

    w.serve(push)

    async def body(user: Any) -> None:
        stamps = []
        await asyncio.sleep(0.05)
        for number in range(3):
            assert await user.receive() == str(number)
            stamps.append(user.received_at)
        assert stamps[1] - stamps[0] >= 0.015 and stamps[2] - stamps[1] >= 0.015
        with pytest.raises(MessageTimeout):
            await user.receive(timeout=0.02)
        with pytest.raises(MessageTimeout):
            await user.receive(timeout=0)

    run(w, body)
    assert w.failures() == {"receive: timeout": 2}
    assert w.counter("timeouts") == 2 and w.counter("pushes") == 3


def test_messages_end_with_the_connection_and_what_came_before_is_given(w: World) -> None:
    async def push(connection: ServerConnection) -> None:
        for number in range(3):
            await connection.send(str(number))
        await connection.close()

    w.serve(push)

    async def body(user: Any) -> None:
        await w.until(lambda: user._socket.connection is None)
        found = [message async for message in user.messages()]
        assert found == ["0", "1", "2"]
        await user.close()
        assert [message async for message in user.messages()] == []

    run(w, body, expected_closes=frozenset({1000}))
    assert w.failures() == {} and w.counter("unread") == 0


def test_two_tasks_can_not_receive_from_one_connection_at_once(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        first = asyncio.ensure_future(user.receive())
        await asyncio.sleep(0)
        with pytest.raises(UsageError, match="two tasks of a user can't receive"):
            await user.receive()
        await user.send("for the first")
        assert await first == "for the first"

    run(w, body)


def test_a_cancelled_receive_loses_nothing(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await user.receive()
        await user.send("a")
        assert await user.receive() == "a"
        waiting = asyncio.ensure_future(user.receive())
        await asyncio.sleep(0)
        user._socket.inbox.put("b", 0, 1)
        waiting.cancel()  # in the same turn of the loop
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await user.receive() == "b"

    run(w, body)
    assert w.failures() == {}


@pytest.mark.parametrize("asked", [True, False])
def test_what_nobody_reads_is_dropped_and_counted(
    w: World, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MOST", 400)
    pushed = 1_000

    async def push(connection: ServerConnection) -> None:
        await connection.recv()
        for number in range(pushed):
            await connection.send(str(number))
        await connection.wait_closed()

    w.serve(push)
    kept = 400 if asked else inbox.MAX_UNASKED

    async def body(user: Any) -> None:
        if asked:
            with pytest.raises(MessageTimeout):
                await user.receive(timeout=0)
        await user.send("go")
        await w.until(lambda: w.engine.recorder.count.pushes == pushed)
        assert w.engine.recorder.count.unread == pushed - kept
        assert await user.receive() == str(pushed - kept)

    run(w, body)


def test_messages_are_dropped_by_their_size_too_but_never_the_last(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MAX_BYTES", 1_000)
    w.serve()

    async def body(user: Any) -> None:
        for text in ("a" * 600, "b" * 600, "c" * 5_000):
            await user.send(text)
        await w.until(lambda: w.engine.recorder.count.pushes == 3)
        assert w.engine.recorder.count.unread == 2
        assert (await user.receive())[0] == "c"

    run(w, body)


def test_on_message_is_given_the_pushes_and_round_trip_its_answers(w: World) -> None:
    w.serve(greets_after(0, 0.005))
    pushes: list[str] = []

    async def body(user: Any) -> None:
        await w.until(lambda: pushes)
        for number in range(3):
            assert await user.round_trip(str(number)) == str(number)
        with pytest.raises(UsageError, match="on_message gets every message"):
            await user.receive()

    run(w, body, on_message=lambda user, message: pushes.append(message))
    assert pushes == ["welcome"] and w.count("message") == 3
    assert w.failures() == {} and w.counter("unpaired") == 0
