"""The probe's conversation with servers that are right, wrong, or gone."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from support import hostile
from support.serving import Serving
from support.waiting import until
from websockets.asyncio.server import ServerConnection

from wsload.errors import UsageError
from wsload.protocols.chat.probe.options import ProbeOptions
from wsload.protocols.chat.probe.result import ProbeResult, added
from wsload.protocols.chat.probe.talk import Probe
from wsload.protocols.chat.probe.wire import Stopped, Waiter


class Talking:
    """A probe at work in a thread of its own; `stop` it."""

    def __init__(self, url: str, **options: Any) -> None:
        self.parts: list[ProbeResult] = []
        self._order, watched = socket.socketpair()
        self._ends = [self._order, watched]
        settings = {"rate": 100.0, "drain_s": 0.2, "open_timeout_s": 0.5, "message_timeout_s": 0.5, **options}
        self.probe = Probe(ProbeOptions(url=url, **settings), Waiter([watched.fileno()]), self.parts.append)
        self._thread = threading.Thread(target=self.probe.run)
        self._thread.start()

    def until(self, condition: Callable[[ProbeResult], bool]) -> None:
        """Returns once this is true of what it has seen so far."""
        until(lambda: condition(added(self.parts)), what=f"{added(self.parts)}")

    def stop(self) -> ProbeResult:
        self._order.send(b"!")
        self._thread.join(20)
        assert not self._thread.is_alive()
        for end in self._ends:
            end.close()
        result = added(self.parts)
        assert [part.ended for part in self.parts] == [False] * (len(self.parts) - 1) + [True]
        assert result.sent == result.echoed + result.lost
        assert result.histogram.total == result.echoed
        return result


@contextmanager
def talking(serving: Serving, handler: Any, **options: Any) -> Iterator[Talking]:
    """A probe and the server it talks to."""
    port = serving.websocket(handler, subprotocols=["json"])
    probe = Talking(f"ws://127.0.0.1:{port}/", **options)
    try:
        yield probe
    finally:
        if probe._thread.is_alive():
            probe.stop()


def test_it_posts_and_hears_its_own(serving: Serving) -> None:
    with talking(serving, hostile.chat(hostile.echo)) as probe:
        probe.until(lambda seen: seen.echoed >= 50)
        result = probe.stop()
        assert (result.opens, result.failures, result.lost, result.unsent) == (1, 0, 0, 0)
        assert result.problem == ""


def test_a_slow_echo_delays_no_post(serving: Serving) -> None:
    seen: list[float] = []

    async def slowly(connection: ServerConnection, echo: str) -> None:
        seen.append(time.monotonic())
        if len(seen) == 40:
            await connection.send(echo)

    with talking(serving, hostile.chat(slowly), message_timeout_s=20.0, drain_s=0.01) as probe:
        probe.until(lambda seen: seen.sent >= 60)
        result = probe.stop()
        assert result.echoed == 1 and result.lost >= 59


@pytest.mark.parametrize(
    "on_post",
    [
        hostile.besides(*hostile.NOT_CHAT, *hostile.UNKNOWN, b"binary"),
        hostile.fragmented,
        hostile.dribbled,
        hostile.huge(200_000),
    ],
    ids=["nonsense", "fragments", "dribble", "huge"],
)
def test_odd_servers_are_put_up_with(serving: Serving, on_post: hostile.OnPost) -> None:
    with talking(serving, hostile.chat(on_post), rate=20.0) as probe:
        probe.until(lambda seen: seen.echoed >= 5)
        result = probe.stop()
        assert result.failures == 0, result.problem


def test_others_posts_are_no_echoes(serving: Serving) -> None:
    others = json.dumps({"type": "message", "text": "hi ~ws.", "name": "bob"})
    with talking(serving, hostile.chat(hostile.besides(*[others] * 50))) as probe:
        probe.until(lambda seen: seen.echoed >= 20)
        assert probe.stop().lost == 0


def test_echoes_that_never_come_are_lost(serving: Serving) -> None:
    with talking(serving, hostile.chat(hostile.ignore), message_timeout_s=0.1) as probe:
        probe.until(lambda seen: seen.lost >= 20)
        result = probe.stop()
        assert result.echoed == 0
        assert "stopped answering" in result.problem, "nothing at all came: the connection was opened anew"


def test_a_dropped_connection_is_opened_again_and_what_was_owed_is_lost(serving: Serving) -> None:
    left = iter(range(10))

    async def drop_ten_times(connection: ServerConnection, echo: str) -> None:
        if next(left, None) is None:
            await connection.send(echo)
        else:
            connection.transport.abort()

    with talking(serving, hostile.chat(drop_ten_times)) as probe:
        probe.until(lambda seen: seen.echoed >= 10)
        result = probe.stop()
        assert result.opens >= 2 and result.failures >= result.opens - 1
        assert result.lost >= 10 and result.unsent > 0


@pytest.mark.parametrize(
    ("on_post", "problem"),
    [
        (hostile.raw(hostile.close_frame(1011)), "closed 1011"),
        (hostile.raw(hostile.MASKED), "protocol error: a server's frame is masked"),
        (hostile.raw(hostile.TERABYTE), "protocol error: a message of more than"),
    ],
)
def test_what_ended_a_connection_is_told(serving: Serving, on_post: hostile.OnPost, problem: str) -> None:
    with talking(serving, hostile.chat(on_post)) as probe:
        probe.until(lambda seen: seen.failures >= 2)
        assert probe.stop().problem.startswith(problem)


def test_a_server_that_pings_is_answered(serving: Serving) -> None:
    answered = threading.Event()

    async def ping(connection: ServerConnection, echo: str) -> None:
        pong = await connection.ping()
        await connection.send(echo)
        pong.add_done_callback(lambda _: answered.set())

    with talking(serving, hostile.chat(ping)) as probe:
        assert answered.wait(20)
        assert probe.stop().failures == 0


@pytest.mark.parametrize(
    ("handler", "problem"),
    [(hostile.never_id, "login"), (hostile.never_confirms, "login"), (hostile.closes_at_once, "closed 1013")],
)
def test_a_login_that_comes_to_nothing_is_a_failure(serving: Serving, handler: Any, problem: str) -> None:
    with talking(serving, handler, open_timeout_s=0.1) as probe:
        probe.until(lambda seen: seen.failures >= 2)
        result = probe.stop()
        assert result.opens == 0 and result.problem.startswith(problem)


@pytest.mark.parametrize(
    ("handler", "problem"),
    [
        (hostile.status(503), "bad status 503"),
        (hostile.raw_garbage, "bad handshake"),
        (hostile.wrong_accept, "bad handshake"),
        (hostile.cut_response, "the server hung up"),
        (hostile.endless_headers, "bad handshake: an endless response"),
        (hostile.silent, "the handshake took too long"),
    ],
)
def test_an_opening_that_comes_to_nothing_is_a_failure(serving: Serving, handler: Any, problem: str) -> None:
    probe = Talking(f"ws://127.0.0.1:{serving.tcp(handler)}/", open_timeout_s=0.2)
    probe.until(lambda seen: seen.failures >= 2)
    assert probe.stop().problem.startswith(problem)


def test_a_port_nobody_listens_on_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    probe = Talking(f"ws://127.0.0.1:{port}/")
    probe.until(lambda seen: seen.failures >= 2)
    assert probe.stop().problem == "Connection refused"


def test_it_stops_in_the_middle_of_an_opening(serving: Serving) -> None:
    accepted = threading.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        await reader.read(-1)

    probe = Talking(f"ws://127.0.0.1:{serving.tcp(silent)}/", open_timeout_s=3600.0)
    assert accepted.wait(20)
    assert probe.stop().sent == 0


def test_options_that_can_not_work_end_it_at_once() -> None:
    with pytest.raises(UsageError, match="URL"):
        Probe(ProbeOptions(url="http://host/"), Waiter([]), print).run()


def test_the_order_to_stop_is_said_once() -> None:
    read, write = os.pipe()
    watch = Waiter([read])
    soon = time.monotonic_ns() + 1
    assert not watch.wait(None, until_ns=soon)
    os.close(write)
    with pytest.raises(Stopped):
        watch.wait(None, until_ns=time.monotonic_ns() + 20_000_000_000)
    assert not watch.wait(None, until_ns=soon)
    os.close(read)
