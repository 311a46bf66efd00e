"""A small world: wsload's engine, its users and their connections, and a server of a few lines, all on one loop.

Real sockets and real clocks; what a test waits for is an event, never a time that should be enough.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from argparse import Namespace
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from locust import constant
from locust.env import Environment
from websockets.asyncio.server import ServerConnection, serve

from wsload.load.engine.engine import Engine
from wsload.load.engine.pacer import Pacer
from wsload.load.engine.watched import told
from wsload.load.options.settings import Settings
from wsload.load.users.context.feed import Rows
from wsload.load.users.context.process import ProcessContext
from wsload.load.users.websocket import WebSocketUser
from wsload.load.ws.opening import Opener
from wsload.measure.interval import Totals

T = TypeVar("T")
Handler = Callable[[ServerConnection], Awaitable[None]]

TIME_LIMIT_S = 20.0


async def echo(connection: ServerConnection) -> None:
    """Answers each message with itself."""
    async for message in connection:
        await connection.send(message)


async def mute(connection: ServerConnection) -> None:
    """Answers nothing."""
    async for _ in connection:
        pass


class Quiet(WebSocketUser):
    """One that never waits between tasks."""

    abstract = True
    wait_time = constant(0)


class Hooked(Quiet):
    """One whose hooks all call `at`."""

    abstract = True

    async def at(self, where: str) -> None:
        """``where`` is the hook's name."""
        raise NotImplementedError

    async def on_opening(self) -> None:
        await self.at("on_opening")

    async def on_connect(self) -> None:
        await self.at("on_connect")

    async def on_start(self) -> None:
        await self.at("on_start")

    async def on_stop(self) -> None:
        await self.at("on_stop")


class World:
    """One process's engine on the test's own thread; ``options`` are wsload's, such as ``ws_rate="10"``."""

    def __init__(self, **options: Any) -> None:
        self.engine = Engine()
        self.loop = self.engine.loop
        self.loop.set_exception_handler(self._uncaught)
        self.complaints: list[dict[str, Any]] = []
        """What the loop had to complain of: exceptions that nobody caught, and that are no user's."""
        self.forgotten: list[tuple[str, str]] = []
        """Calls of `open` that were never awaited, each with its place."""
        self.reported: list[BaseException] = []
        """Errors of user classes that were shown."""
        self.texts: list[str] = []
        """How they were shown."""
        self.quits: list[str] = []
        """Why the run was ended."""
        self.port = 0
        self.opened = 0
        """Connections that the server has seen."""
        self.totals = Totals()
        self._stack = contextlib.AsyncExitStack()
        settings = Settings.of(Namespace(ws_ping="off", **options))
        self.context: Any = SimpleNamespace(
            engine=self.engine,
            settings=settings,
            opener=Opener(settings.opening, self.engine.recorder, self.engine.timers),
            clock="clock000",
            nonce="nonce0",
            rows=Rows(),
            next_number=iter(range(1, 1_000_000)).__next__,
            report_user_error=self._report,
            on_forgotten=lambda call, place: self.forgotten.append((call, place)),
            quit=lambda reason, error=None: self.quits.append(reason),
            refused=False,
            long_looks=0,
        )
        self.context.pacer = Pacer(
            self.engine.timers, lambda ready: settings.rate if ready else 0.0, poisson=False, seed=1
        )
        self.engine.begin(lambda snapshot: self.totals.add(snapshot.interval()))

    def _uncaught(self, _: Any, context: dict[str, Any]) -> None:
        if not told(context, self.engine.call):
            self.complaints.append(context)

    def _report(self, user: Any, error: BaseException, text: str) -> None:
        self.reported.append(error)
        self.texts.append(text)

    # The server

    def serve(self, handler: Handler = echo, **settings: Any) -> None:
        """Starts the server on a free loopback port."""

        async def handle(connection: ServerConnection) -> None:
            self.opened += 1
            await handler(connection)

        async def start() -> int:
            server = await self._stack.enter_async_context(
                serve(handle, "127.0.0.1", self.port, compression=None, ping_interval=None, **settings)
            )
            return int(next(iter(server.sockets)).getsockname()[1])

        self.port = self.run(start())

    # The users

    def user(self, user_class: type[WebSocketUser], *, catch_exceptions: bool = True) -> Any:
        """A user of the class, not yet alive."""
        user_class.host = f"ws://127.0.0.1:{self.port}"  # as Locust's runner does
        environment = Environment(user_classes=[user_class], catch_exceptions=catch_exceptions)
        ProcessContext._of[environment] = self.context
        return user_class(environment)

    def live(self, *user_classes: type[WebSocketUser], **settings: Any) -> Any:
        """Lives one user's life of each class to its end; returns the (first) user."""
        users = [self.user(each, **settings) for each in user_classes]

        async def lives() -> None:
            await asyncio.gather(*(user._life.live(time.monotonic_ns()) for user in users))

        self.run(lives())
        for error in self.reported:
            if isinstance(error, AssertionError | pytest.fail.Exception):  # a test's own, in a task or hook
                raise error
        return users[0]

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result; one that does not end fails the test."""

        async def limited() -> T:
            async with asyncio.timeout(TIME_LIMIT_S):
                return await coroutine

        return self.loop.run_until_complete(limited())

    async def until(self, condition: Callable[[], Any]) -> None:
        """Returns as soon as the condition holds."""
        while not condition():  # noqa: ASYNC110  # conditions of all kinds
            await asyncio.sleep(0.001)

    # What was recorded

    def record(self) -> Totals:
        """Everything recorded so far."""
        self.engine._freeze()
        return self.totals

    def failures(self) -> dict[str, int]:
        """Failures recorded so far, ``what: kind`` by number."""
        return {f"{what}: {kind}": number for (what, kind), number in self.record().failures.items()}

    def counter(self, name: str) -> int:
        """A counter recorded so far."""
        return self.record().counters.get(name, 0)

    def count(self, metric: str) -> int:
        """How many values of a metric were recorded so far."""
        found = self.record().histograms.get(metric)
        return 0 if found is None else found.total

    def close(self) -> None:
        """Ends the server and the loop."""
        self.engine.end()

        async def end() -> None:
            ours = asyncio.current_task()
            others = [task for task in asyncio.all_tasks() if task is not ours]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await self._stack.aclose()

        self.run(end())
        self.engine.timers.close()
        self.loop.close()


@contextlib.contextmanager
def world(**options: Any) -> Iterator[World]:
    """A world that ends with the block; what nobody caught in it fails the test."""
    made = World(**options)
    try:
        yield made
    finally:
        made.close()
    assert made.complaints == []
