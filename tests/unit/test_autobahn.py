"""In every class of the Autobahn testsuite the verdict is at least that of plain `websockets`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop
from support.autobahn import Case, Verdict, classes, judge
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from wsload.load.engine.timers import TimerQueue
from wsload.load.ws.opening import Opener, OpenOptions
from wsload.measure.recorder import Recorder

MOST = 4 << 20
CLASSES = dict(classes())
NON_STRICT = {"6"}
"""Text is judged when the message is whole, as plain `websockets` does."""


async def plain(url: str, deflate: bool) -> None:
    """A client of plain `websockets` that sends everything back."""
    compression = "deflate" if deflate else None
    try:
        async with connect(
            url, compression=compression, max_size=MOST, proxy=None, close_timeout=1
        ) as connection:
            async for message in connection:
                await connection.send(message)
    except (WebSocketException, OSError):
        pass


class Echo:
    """Sends everything back."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def receive_message(self, data: bytes, text: bool, at_ns: int) -> None:
        self.connection.send_now(data, text=text)

    def receive_close(self, code: int, reason: str) -> None:
        pass


async def ours(url: str, deflate: bool) -> None:
    """The same by wsload."""
    options = OpenOptions(
        compression=deflate, max_message_bytes=MOST, close_timeout_s=1, ping_interval_s=None
    )
    timers = TimerQueue(asyncio.get_running_loop(), timerfd=False)
    connection = await Opener(options, Recorder(), timers).open(url, subprotocols=(), intended_ns=0)
    connection.attach(Echo(connection))
    await connection.wait_closed()


async def verdict(case: Case, client: Callable[[str, bool], Awaitable[None]]) -> Verdict:
    """What the server makes of this client."""
    found: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            found.set_result(await judge(case, reader, writer))
        except OSError:
            found.set_result(Verdict.FAILED)
        except Exception as error:
            found.set_exception(error)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, limit=1 << 24)
    async with server:
        port = server.sockets[0].getsockname()[1]
        task = asyncio.ensure_future(client(f"ws://127.0.0.1:{port}/", case.deflate is not None))
        result = await found
        await task
    return result


@pytest.mark.parametrize("number", CLASSES)
def test_the_verdicts_are_at_least_those_of_plain_websockets(number: str) -> None:
    async def main() -> dict[str, tuple[Verdict, Verdict]]:
        return {
            name: (await verdict(case, ours), await verdict(case, plain))
            for name, case in CLASSES[number].items()
        }

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(main())
    assert {name: both for name, both in found.items() if both[0] < both[1]} == {}
    least = Verdict.NON_STRICT if number in NON_STRICT else Verdict.OK
    assert {name: mine.name for name, (mine, _) in found.items() if mine < least} == {}
