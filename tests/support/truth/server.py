"""A server that answers numbered requests, misbehaves in one way, and keeps its own account.

    python -m support.truth.server ACCOUNT

Prints "listening PORT"; at SIGTERM it writes its account to that file. The path of a connection names the
behaviour and the query the cell: ``/repeats?keyed.poisson``. A request is ``{"id": n, "sent": ns}``,
its answer ``{"id": n, "status": "ok", "value": ns}`` where ``value`` is any number (without the id if the
request has ``"opaque": true``), and a push is ``{"push": n}``. All times are CLOCK_MONOTONIC in ns, which
client and server share.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import State

BEHAVIOURS: Final = {
    "plain": "answers in order, after 5 to 25 ms",
    "greets": "sends a message as soon as the connection is open",
    "greets-late": "sends a message 15 ms after the connection is open",
    "pushes": "pushes a message every 20 ms",
    "any-order": "answers each request after 2 to 60 ms, whatever came before",
    "stalls": "answers nothing during 200 ms of every 2 s",
    "drops": "never answers one request in ten",
    "late": "answers one request in thirty after 1.6 s, when the client has given up",
    "repeats": "sends one answer in ten twice",
    "refuses": "refuses one request in five, at once",
    "closes": "closes the connection at every twentieth request, which stays unanswered",
    "follows": "sends a push in the same segment as each answer, after 20 ms",
}
IN_ORDER: Final = BEHAVIOURS.keys() - {"any-order", "late"}
STALL_S: Final = 0.2
PERIOD_S: Final = 2.0
PUSH_EVERY_S: Final = 0.02
CLOSE_EVERY: Final = 20
LATE_S: Final = 1.6
DROPPED: Final = 1 / 10
REPEATED: Final = 1 / 10
REFUSED: Final = 1 / 5
LATE: Final = 1 / 30


class Account:
    """What happened to each request, as the server saw it."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.others: list[dict[str, Any]] = []
        """Pushes and greetings, by cell."""

    def received(self, cell: str, request: dict[str, Any]) -> dict[str, Any]:
        entry = {
            "cell": cell,
            "id": request["id"],
            "sent": request["sent"],
            "received": time.monotonic_ns(),
            "answered": 0,
            "copies": 0,
            "status": "ok",
            "value": random.randrange(1_000_000, 1_000_000_000),
            "opaque": request.get("opaque", False),
        }
        self.requests.append(entry)
        return entry

    def write(self, path: Path) -> None:
        path.write_text(json.dumps({"requests": self.requests, "others": self.others}))


class Conversation:
    """One connection."""

    def __init__(self, connection: ServerConnection, account: Account) -> None:
        assert connection.request is not None
        behaviour, _, self.cell = connection.request.path.lstrip("/").partition("?")
        self.behaviour = behaviour
        self.connection = connection
        self.account = account
        self.seen = 0
        self.turn = asyncio.Lock()
        """Held by the answer that is next, where answers keep their order."""

    def write(self, *messages: dict[str, Any]) -> None:
        """All of them in one segment, unless the client is gone."""
        if self.connection.transport.is_closing():
            return
        frames = (Frame(Opcode.TEXT, json.dumps(each).encode()).serialize(mask=False) for each in messages)
        self.connection.transport.write(b"".join(frames))

    def push(self, what: str = "push") -> dict[str, Any]:
        self.account.others.append({"cell": self.cell, "what": what, "at": time.monotonic_ns()})
        return {what: len(self.account.others)}

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            beside = tasks.create_task(self.speak())
            with contextlib.suppress(ConnectionClosed):
                async for data in self.connection:
                    entry = self.account.received(self.cell, json.loads(data))
                    self.seen += 1
                    if self.behaviour == "closes" and self.seen % CLOSE_EVERY == 0:
                        await self.connection.close(1012, "restart")
                    tasks.create_task(self.answer(entry))
            beside.cancel()

    async def speak(self) -> None:
        """What nobody asked for."""
        if self.behaviour == "greets":
            self.write(self.push("greeting"))
        if self.behaviour == "greets-late":
            await asyncio.sleep(0.015)
            self.write(self.push("greeting"))
        while self.behaviour == "pushes":
            await asyncio.sleep(PUSH_EVERY_S)
            if self.connection.state is State.OPEN:
                self.write(self.push())

    async def answer(self, entry: dict[str, Any]) -> None:
        chance = random.random()
        if self.behaviour == "refuses" and chance < REFUSED:
            entry["status"] = "refused"
            self.say(entry, chance)
        elif self.behaviour in IN_ORDER:
            async with self.turn:
                await asyncio.sleep(self.delay_s(chance))
                self.say(entry, chance)
        else:
            await asyncio.sleep(self.delay_s(chance))
            self.say(entry, chance)

    def delay_s(self, chance: float) -> float:
        match self.behaviour:
            case "any-order":
                return random.uniform(0.002, 0.06)
            case "late" if chance < LATE:
                return LATE_S
            case "follows":
                return 0.02
            case "stalls":
                into_s = time.monotonic() % PERIOD_S
                return PERIOD_S - into_s if into_s > PERIOD_S - STALL_S else random.uniform(0.001, 0.005)
        return random.uniform(0.005, 0.025)

    def say(self, entry: dict[str, Any], chance: float) -> None:
        gone = self.connection.state is not State.OPEN or self.connection.transport.is_closing()
        if gone or (self.behaviour == "drops" and chance < DROPPED):
            return
        message = {key: entry[key] for key in ("id", "status", "value")}
        if entry["opaque"]:
            del message["id"]
        messages = [message]
        if self.behaviour == "repeats" and chance < REPEATED:
            messages.append(message)
        entry["copies"] = len(messages)
        if self.behaviour == "follows":
            messages.append(self.push())
        entry["answered"] = time.monotonic_ns()
        self.write(*messages)


async def main(path: Path) -> None:
    account = Account()
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)

    async def handle(connection: ServerConnection) -> None:
        await Conversation(connection, account).run()

    async with serve(handle, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print("listening", next(iter(server.sockets)).getsockname()[1], flush=True)
        await stopped.wait()
    account.write(path)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
