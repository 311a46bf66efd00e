"""The kinds of user classes whose figures are held to the server's account, each in every workload.

TRUTH_BEHAVIOUR names the server's behaviour. What the classes tried, and what they got for it, is written to
``attempts.json``: it tells which requests never reached the server, and whether a reply was the caller's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import time
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import Any

from locust import SequentialTaskSet, TaskSet, constant, events

from wsload import WebSocketUser, WorkloadError, constant_rate, poisson_rate, task
from wsload.load.users.context.here import current_due

BEHAVIOUR = os.environ["TRUTH_BEHAVIOUR"]
USERS = 2
RATE = 15
WAIT_S = 0.04
Entry = dict[str, Any]
ATTEMPTS: list[Entry] = []
NUMBERS = itertools.count(1)


def answers(message: str, number: int | None = None) -> bool:
    """Whether it answers any request, or this one."""
    found = json.loads(message).get("id")
    return found is not None and number in (None, found)


def refused(message: str) -> str | None:
    """For ``check``."""
    return "refused" if json.loads(message).get("status") == "refused" else None


class Cell(WebSocketUser):
    """A user of one cell; its task is what its kind is about."""

    abstract = True
    cell = ""

    @contextlib.contextmanager
    def attempt(
        self, name: str = "", kind: str = "request", **more: object
    ) -> Iterator[tuple[int, str, Entry]]:
        """A request that is about to be made, and what comes of it."""
        number = next(NUMBERS)
        entry = self.entry(kind, name or self.cell, id=number)
        try:
            yield number, json.dumps({"id": number, "sent": entry["sent"], **more}), entry
        except BaseException as error:
            entry["outcome"] = getattr(error, "kind", type(error).__name__)
            raise

    def entry(self, kind: str, name: str, **more: object) -> Entry:
        """Notes something that must stand in the figures under this name: a request, a step, a value."""
        entry: Entry = {"cell": self.cell, "kind": kind, "name": name, "outcome": "unknown", **more}
        entry["sent"] = time.monotonic_ns()
        entry["due"] = current_due.get().due_ns or entry["sent"]
        ATTEMPTS.append(entry)
        return entry

    async def answer(self, entry: Entry, asked: Awaitable[Any]) -> dict[str, Any]:
        """Awaits what was just asked. Somewhere between two stamps it was sent, however long that took."""
        entry["asked"] = time.monotonic_ns()
        return self.got(entry, await asked)

    @staticmethod
    def got(entry: Entry, reply: str) -> dict[str, Any]:
        """Notes what came back; whether it was its own answer is told by the value."""
        found: dict[str, Any] = json.loads(reply)
        entry["outcome"] = "answered"
        entry["value"] = found.get("value")
        return found


class Asking(Cell):
    """Can ask by `request`, and has a value and a counter of its own."""

    abstract = True

    def key_of(self, message: str) -> int | None:
        return json.loads(message).get("id")

    def on_message(self, message: str) -> None:
        self.count(f"{self.cell} pushes")

    async def ask(self, name: str = "") -> int:
        with self.attempt(name, "keyed") as (number, text, entry):
            asked = self.request(text, key=number, name=entry["name"], check=refused)
            found = await self.answer(entry, asked)
        self.entry("value", f"{self.cell} value", value=found["value"])
        self.record(f"{self.cell} value", seconds=found["value"] / 1e9)
        return number


class Keyed(Asking):
    """`request`."""

    abstract = True

    @task
    async def act(self) -> None:
        await self.ask()


class Turn(Cell):
    """`round_trip` without a match: the answer is told by its turn."""

    abstract = True

    @task
    async def act(self) -> None:
        with self.attempt() as (_, text, entry):
            await self.answer(entry, self.round_trip(text, name=self.cell, check=refused))


class Opaque(Cell):
    """The same on a service whose answers do not say what they answer."""

    abstract = True

    @task
    async def act(self) -> None:
        with self.attempt(opaque=True) as (_, text, entry):
            await self.answer(entry, self.round_trip(text, name=self.cell, check=refused))


class Matched(Cell):
    """`round_trip` with a match that accepts any answer."""

    abstract = True

    @task
    async def act(self) -> None:
        with self.attempt() as (_, text, entry):
            await self.answer(entry, self.round_trip(text, name=self.cell, match=answers, check=refused))


class Exact(Cell):
    """`round_trip` with a match that accepts only its own answer."""

    abstract = True

    @task
    async def act(self) -> None:
        with self.attempt() as (number, text, entry):
            asked = self.round_trip(
                text, name=self.cell, match=lambda message: answers(message, number), check=refused
            )
            await self.answer(entry, asked)


class Hooked(Cell):
    """`round_trip` in a class that looks at pushed messages."""

    abstract = True

    def on_message(self, message: str) -> None:
        """What is pushed is of no further interest."""

    @task
    async def act(self) -> None:
        with self.attempt() as (_, text, entry):
            await self.answer(entry, self.round_trip(text, name=self.cell, check=refused))


class Cancelled(Cell):
    """`round_trip` that is given up after 40 ms by the task itself."""

    abstract = True

    @task
    async def act(self) -> None:
        with contextlib.suppress(TimeoutError), self.attempt() as (_, text, entry):
            async with asyncio.timeout(0.04):
                await self.answer(entry, self.round_trip(text, name=self.cell, check=refused))


class ByHand(Cell):
    """`send` and `receive`, with the time recorded by the class."""

    abstract = True
    overlap = False

    @task
    async def act(self) -> None:
        with self.attempt(kind="by hand") as (number, text, entry):
            await self.send(text)
            while not answers(reply := await self.receive(), number):
                pass
            self.record(self.cell, seconds=(time.monotonic_ns() - entry["sent"]) / 1e9)
            self.got(entry, reply)


class Step(Asking):
    """Two requests measured as one."""

    abstract = True

    @task
    async def act(self) -> None:
        entry = self.entry("step", self.cell)
        try:
            with self.measure(self.cell):
                await self.ask(f"{self.cell} part")
                entry["last"] = await self.ask(f"{self.cell} part")
                entry["outcome"] = "done"
        except WorkloadError:
            entry["outcome"] = "failed"
            raise


class StepByTurn(Cell):
    """Two requests by `round_trip` without a match, measured as one."""

    abstract = True

    @task
    async def act(self) -> None:
        step = self.entry("step", self.cell)
        try:
            with self.measure(self.cell):
                for _ in range(2):
                    with self.attempt(f"{self.cell} part") as (number, text, entry):
                        await self.answer(entry, self.round_trip(text, name=entry["name"], check=refused))
                    step["last"] = number
                step["outcome"] = "done"
        except WorkloadError:
            step["outcome"] = "failed"
            raise


class Serial(Keyed):
    """Requests of an open workload that wait their turn in the user."""

    abstract = True
    overlap = False


class Session(SequentialTaskSet):
    """One request, then a nested set for a while, then another."""

    @task
    async def first(self) -> None:
        await self.user.ask()

    @task
    class Browsing(TaskSet):
        @task(3)
        async def look(self) -> None:
            await self.user.ask()

        @task
        async def leave(self) -> None:
            await self.user.ask()
            self.interrupt(reschedule=False)

    @task
    async def last(self) -> None:
        await self.user.ask()


class InSets(Asking):
    """Tasks in a SequentialTaskSet with another nested in it."""

    abstract = True
    tasks = [Session]  # noqa: RUF012 so it is with Locust


class Sockets(Asking):
    """A second connection beside the first, with the requests on both."""

    abstract = True

    async def on_start(self) -> None:
        self.second = await self.open(
            self.url, name=f"{self.cell} second", key_of=self.key_of, on_message=self.on_message
        )

    @task
    async def act(self) -> None:
        await self.ask()
        with self.attempt(f"{self.cell} second", "keyed") as (number, text, entry):
            asked = self.second.request(text, key=number, name=entry["name"], check=refused)
            await self.answer(entry, asked)


KINDS = {
    "request": Keyed,
    "request-serial": Serial,
    "turn": Turn,
    "turn-opaque": Opaque,
    "turn-hooked": Hooked,
    "turn-cancelled": Cancelled,
    "match-any": Matched,
    "match-own": Exact,
    "by-hand": ByHand,
    "measure": Step,
    "measure-turn": StepByTurn,
    "task-sets": InSets,
    "two-sockets": Sockets,
}
WORKLOADS = {
    "closed": lambda: constant(WAIT_S),
    "constant": lambda: constant_rate(RATE),
    "poisson": lambda: poisson_rate(RATE),
}

for (kind, base), (workload, wait) in itertools.product(KINDS.items(), WORKLOADS.items()):
    cell = f"{kind} {workload}"
    name = f"{base.__name__}{workload.title()}"
    globals()[name] = type(
        name,
        (base,),
        {
            "cell": cell,
            "url": f"/{BEHAVIOUR}?{kind}.{workload}",
            "wait_time": wait(),
            "fixed_count": USERS,
            "__module__": __name__,
        },
    )


@events.quit.add_listener
def write(**_: object) -> None:
    """At the very end."""
    Path("attempts.json").write_text(json.dumps(ATTEMPTS))
