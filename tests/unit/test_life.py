"""A user's life: its tasks, in closed and open workloads, its steps and further connections, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from locust import SequentialTaskSet, TaskSet, constant, constant_pacing, constant_throughput
from locust.exception import StopTest, StopUser
from websockets.asyncio.server import ServerConnection
from world import Quiet, World, world

from wsload import (
    ConnectionLost,
    NotConnected,
    OpenError,
    UsageError,
    WebSocketUser,
    WorkloadError,
    constant_rate,
    task,
)
from wsload.judge.run.processes import ProcessFigures
from wsload.judge.run.trust import Bounds
from wsload.judge.run.verdict import judge
from wsload.load.users import due_tasks
from wsload.load.users.life import Phase
from wsload.load.users.sockets.states import State
from wsload.load.users.sockets.tally import PAUSE_NS
from wsload.load.users.steps import UNFINISHED
from wsload.load.ws.connection import TimedConnection
from wsload.measure.names import TOO_LATE, WAITED


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


async def delayed_echo(connection: ServerConnection) -> None:
    """Answers with the message itself after as many ms as it says, messages side by side."""

    async def answer(message: Any) -> None:
        await asyncio.sleep(float(message) / 1000)
        await connection.send(message)

    async with asyncio.TaskGroup() as tasks:
        async for message in connection:
            tasks.create_task(answer(message))


async def closes_when_told(connection: ServerConnection) -> None:
    """Answers with the message itself, but closes if it is 1012."""
    async for message in connection:
        if message == "1012":
            await connection.close(1012)
        await connection.send(message)


# Before the first task


PACING_S = 0.2


@pytest.mark.parametrize(
    "wait_time", [constant_pacing(PACING_S), constant_throughput(1 / PACING_S)], ids=["pacing", "throughput"]
)
@pytest.mark.parametrize("in_a_set", [False, True])
@pytest.mark.parametrize("held_up_by", ["its arrival", "its opening", "on_start", "a second on_start"])
def test_pacing_counts_from_the_users_own_start(
    w: World, wait_time: Any, in_a_set: bool, held_up_by: str
) -> None:
    """Locust's counts from when the user was created, so all users that it creates at once would be in step."""
    w.serve()
    began: list[float] = []
    starts = 0

    async def only(self: Any) -> None:
        began.append(time.monotonic())
        if len(began) == 2:
            getattr(self, "user", self)._life.stop()

    class User(WebSocketUser):
        async def on_opening(self) -> None:
            await asyncio.sleep(PACING_S * (held_up_by == "its opening"))

        async def on_start(self) -> None:
            nonlocal starts
            starts += 1
            await asyncio.sleep(PACING_S * (held_up_by == "on_start"))
            if held_up_by == "a second on_start" and starts == 1:
                raise WorkloadError("once")

    job = type("Room", (TaskSet,), {"tasks": [only]}) if in_a_set else only
    user = w.user(type("Paced", (User,), {"tasks": [job], "wait_time": wait_time}))
    w.run(user._life.live(time.monotonic_ns() + int(PACING_S * 1e9) * (held_up_by == "its arrival")))
    first, second = began
    assert second - first >= PACING_S - 0.02


def test_a_user_that_is_stopped_before_it_is_due_never_comes(w: World) -> None:
    w.serve()

    class User(Quiet):
        @task
        async def talk(self) -> None:
            raise AssertionError("it never comes")

    user = w.user(User)

    async def stopped() -> None:
        living = asyncio.create_task(user._life.live(time.monotonic_ns() + 10**12))
        await asyncio.sleep(0)
        user._life.stop()
        await living

    w.run(stopped())
    assert user._life.phase is Phase.GONE and w.opened == 0 and w.engine.users == 0
    w.run(user._life.live(0))
    assert w.opened == 0


@pytest.mark.parametrize("wait_time", [constant(0), constant_rate(50)], ids=["closed", "open"])
@pytest.mark.parametrize("kill", [False, True])
def test_a_user_that_is_stopped_in_on_start_does_no_task(w: World, wait_time: Any, kill: bool) -> None:
    w.serve()
    did: list[str] = []

    class User(Quiet):
        async def on_start(self) -> None:
            self._life.stop(kill=kill)
            await asyncio.sleep(0.01)
            did.append("on_start")

        async def on_stop(self) -> None:
            assert await self.round_trip("bye") == "bye"
            did.append("on_stop")

        @task
        async def talk(self) -> None:
            did.append("task")

    User.wait_time = wait_time
    w.live(User)
    assert did == (["on_stop"] if kill else ["on_start", "on_stop"])
    assert w.failures() == {}


def test_on_start_is_tried_again_while_the_server_is_not_there(w: World) -> None:
    tries: list[int] = []

    class User(Quiet):
        auto_connect = False

        async def on_start(self) -> None:
            tries.append(1)
            if len(tries) == 2:
                await self.close()
                return
            await self.connect("ws://127.0.0.1:1/")

        @task
        async def talk(self) -> None:
            raise StopUser

    w.live(User)
    assert len(tries) == 2 and w.failures() == {"open: refused": 1}


@pytest.mark.parametrize("wait_time", [constant(0), constant_rate(200)], ids=["closed", "open"])
@pytest.mark.parametrize("auto_connect", [True, False])
@pytest.mark.parametrize("way", ["timeout", "receive", "lost", "http"])
def test_no_task_begins_before_on_start_has_succeeded(
    w: World, wait_time: Any, auto_connect: bool, way: str
) -> None:
    """What failed was counted; it is tried again from the beginning, whatever it had opened."""
    w.serve(closes_when_told)
    tries: list[int] = []
    sockets: list[int] = []

    class User(Quiet):
        async def on_start(self) -> None:
            tries.append(1)
            if not self.auto_connect:
                await self.connect()
            await self.open("/control")
            if len(tries) < 3:
                if way == "timeout":
                    await self.round_trip("mute", match=lambda _: False, timeout=0.01)
                elif way == "receive":
                    await self.receive(timeout=0.01)
                elif way == "lost":
                    await self.round_trip("1012")
                raise WorkloadError("status 503", "as self.http raises it")
            sockets.append(w.engine.connections)

        @task
        async def talk(self) -> None:
            assert len(tries) == 3
            raise StopUser

    User.wait_time, User.auto_connect = wait_time, auto_connect
    user = w.live(User)
    assert len(tries) == 3 and sockets == [2] and w.counter("users_ended") == 0
    assert user._life.phase is Phase.GONE


@pytest.mark.parametrize("way", ["timeout", "lost"])
def test_on_start_that_fails_ends_a_user_that_does_not_reconnect(w: World, way: str) -> None:
    w.serve(closes_when_told)
    stopped: list[bool] = []

    class User(Quiet):
        reconnect = False

        async def on_start(self) -> None:
            if way == "timeout":
                await self.receive(timeout=0.01)
            await self.round_trip("1012")

        @task
        async def talk(self) -> None:
            raise AssertionError("on_start has failed")

        async def on_stop(self) -> None:
            stopped.append(True)

    w.live(User)
    assert stopped == [True] and w.counter("users_ended") == 1


def test_on_start_that_fails_ends_the_user_and_is_said(w: World) -> None:
    w.serve()

    class User(Quiet):
        async def on_start(self) -> None:
            raise ValueError("a bug")

        @task
        async def talk(self) -> None:
            raise AssertionError

    w.live(User)
    assert w.failures() == {"on_start: ValueError": 1} and w.counter("users_ended") == 1


# Tasks


def test_a_failing_task_is_a_failure_with_its_name_and_the_user_goes_on(w: World) -> None:
    w.serve()

    class User(Quiet):
        times = 0

        @task
        async def talk(self) -> None:
            self.times += 1
            if self.times == 4:
                raise StopUser
            if self.times == 3:
                raise NotConnected("counted already")
            if self.times < 3:
                raise KeyError("not yet")

    w.live(User)
    assert w.failures() == {"task talk: KeyError": 2}
    assert "not yet" in w.texts[0]


@pytest.mark.parametrize("wait_time", [constant(0), constant_rate(100)], ids=["closed", "open"])
def test_where_locust_is_not_to_catch_exceptions_they_come_out(w: World, wait_time: Any) -> None:
    w.serve()

    class User(Quiet):
        @task
        async def talk(self) -> None:
            raise ValueError("a bug")

    User.wait_time = wait_time
    with pytest.raises(ValueError, match="a bug"):
        w.live(User, catch_exceptions=False)
    assert w.failures() == {"task talk: ValueError": 1}
    assert w.counter("users_ended") == 1 and len(w.reported) == 1


def test_task_sets_are_entered_left_and_interrupted_with_their_hooks(w: World) -> None:
    w.serve()
    did: list[str] = []

    class Inner(SequentialTaskSet):
        async def on_start(self) -> None:
            did.append("in")

        async def on_stop(self) -> None:
            did.append("out")

        @task
        async def first(self) -> None:
            did.append(await self.user.round_trip("1"))

        @task
        async def second(self) -> None:
            with self.user.measure("step"):
                self.interrupt()

    class Outer(TaskSet):
        @task
        class nested(Inner):  # noqa: N801
            pass

        @task
        async def done(self) -> None:
            if did.count("out") >= 2:
                raise StopUser

    class User(Quiet):
        tasks = [Outer]  # noqa: RUF012

    w.live(User)
    whole = ["in", "1", "out"]
    assert did == whole * (len(did) // 3) and len(did) >= 6
    assert w.failures() == {}
    assert w.counter(f"step: {UNFINISHED}") == len(did) // 3


def test_a_user_in_a_task_set_leaves_it_at_its_end(w: World) -> None:
    w.serve()
    did: list[str] = []

    class User(Quiet):
        @task
        class Room(TaskSet):
            def on_stop(self) -> None:
                did.append("out")

            @task
            async def stay(self) -> None:
                self.user._life.stop()

        async def on_stop(self) -> None:
            did.append("on_stop")

    w.live(User)
    assert did == ["out", "on_stop"]


def test_a_task_that_never_suspends_starves_nobody(w: World) -> None:
    w.serve()
    turns = 0

    class Busy(Quiet):
        @task
        async def spin(self) -> None:
            if turns > 100:
                raise StopUser

    async def other() -> None:
        nonlocal turns
        while turns <= 100:
            turns += 1
            await asyncio.sleep(0)

    user = w.user(Busy)

    async def both() -> None:
        await asyncio.gather(user._life.live(time.monotonic_ns()), other())

    w.run(both())


# Open workloads


class Due(WebSocketUser):
    abstract = True
    wait_time = constant_rate(50)


def test_due_tasks_begin_when_they_are_due_and_count_from_then(w: World) -> None:
    w.serve(delayed_echo)

    class User(Due):
        number = 0

        @task
        async def talk(self) -> None:
            self.number += 1
            if self.number == 10:
                raise StopUser
            await asyncio.sleep(0.03)  # a pause before the request: charged from the due time
            await self.round_trip("100", match=lambda message: message == "100")

    began = time.monotonic()
    w.live(User)
    assert time.monotonic() - began < 0.9, "one after the other would take longer"
    found = w.record().histograms
    assert found["message"].percentile(0) >= 125e6
    assert found["message.service"].percentile(0) >= 95e6
    assert found["send_lag"].total == 10


def test_tasks_that_must_not_overlap_wait_and_the_server_is_charged(w: World) -> None:
    w.serve(delayed_echo)

    class User(Due):
        overlap = False
        number = running = 0

        @task
        async def talk(self) -> None:
            assert not self.running
            self.running += 1
            await self.round_trip("50")
            self.running -= 1
            self.number += 1
            if self.number == 5:
                self._life.stop()

    began_ns = time.monotonic_ns()
    w.live(User)
    late_ns = w.engine.recorder.lateness.within(began_ns, time.monotonic_ns())
    found = w.record().histograms
    assert found["message"].total == 5
    assert found["message"].percentile(100) >= 150e6, "the fifth was due long before it could begin"
    assert found["message.service"].percentile(100) < 150e6
    assert found["send_lag"].percentile(50) < 10e6 + late_ns, "the load generator was no later than its loop"
    missed = {kind for kind in w.failures() if kind.startswith("task")}
    assert missed <= {f"task: {WAITED}", f"task: {TOO_LATE}"}


def test_tasks_that_wait_for_one_that_lingers_are_marked_and_those_left_at_the_end_are_the_load_generators(
    w: World,
) -> None:
    """Without the wait for surplus answers they would not queue."""
    w.serve(delayed_echo)

    class User(Due):
        wait_time = constant_rate(8)
        overlap = False
        number = 0

        @task
        async def talk(self) -> None:
            self.number += 1
            async with self.open("/") as connection:
                await connection.round_trip("100")
            if self.number == 10:
                self._life.stop()

    w.live(User)
    found = Bounds.of("message", w.record())
    assert found.high.total == 10
    assert found.high.percentile(100) >= 600e6, "it waited for the lingering of those before"
    assert found.low.percentile(50) < 250e6, "no more than the server and a late loop take"
    missed = {kind for kind in w.failures() if kind.startswith("task")}
    assert missed <= {f"task: {TOO_LATE}"}
    waited_ns, lag = w.counter("late_surplus_ns"), w.record().histograms["send_lag"]
    assert 0.5 * lag.mean_ns * lag.total < waited_ns < 1.01 * lag.mean_ns * lag.total
    assert verdict_of(w).count("waited for surplus answers") == 1


def verdict_of(w: World) -> str:
    """What the run would have said."""
    watch = ProcessFigures("", of=lambda: w.totals)
    return judge(w.record(), [watch]).trust.verdict


def test_tasks_that_wait_for_a_late_loop_or_the_server_have_not_waited_for_surplus_answers(w: World) -> None:
    w.serve(delayed_echo)

    class User(Due):
        wait_time = constant_rate(20)
        overlap = False
        number = 0

        @task
        async def talk(self) -> None:
            self.number += 1
            await self.round_trip("30")
            time.sleep(0.05)  # noqa: ASYNC251  # that is what is tested
            if self.number == 12:
                self._life.stop()

    w.live(User)
    assert w.record().histograms["send_lag"].max_ns > 50e6
    assert w.counter("late_surplus_ns") == 0
    assert "held it up" in verdict_of(w) and "surplus answers" not in verdict_of(w)


def test_tasks_that_wait_for_the_pause_of_a_failed_call_are_told_from_those_that_wait_for_surplus_answers(
    w: World,
) -> None:
    w.serve(delayed_echo)

    class User(Due):
        wait_time = constant_rate(200)
        overlap = False
        number = 0

        @task
        async def talk(self) -> None:
            self.number += 1
            with contextlib.suppress(UsageError):
                await self.connect()  # it is connected
            if self.number == 20:
                self._life.stop()

    w.live(User)
    lag = w.record().histograms["send_lag"]
    assert 0.2 * lag.mean_ns * lag.total < w.counter("late_pause_ns") < 1.01 * lag.mean_ns * lag.total
    assert w.counter("late_surplus_ns") == 0


def test_what_would_exceed_the_most_in_flight_is_unsent_and_the_rest_goes_on() -> None:
    with world(ws_max_in_flight="3") as w:
        w.serve(delayed_echo)

        class User(Due):
            number = 0

            @task
            async def talk(self) -> None:
                self.number += 1
                if self.number == 6:
                    self._life.stop()
                await self.round_trip("300", match=lambda message: message == "300")

        w.live(User)
        failures = w.failures()
        assert failures.keys() == {"task: too many in flight"}
        assert w.counter("unsent") == failures["task: too many in flight"] > 3


def test_a_stopped_user_finishes_what_has_begun_and_waits_for_no_further_due_time(w: World) -> None:
    w.serve(delayed_echo)
    done: list[bool] = []

    class User(Due):
        wait_time = constant_rate(0.05)

        @task
        async def talk(self) -> None:
            raise AssertionError("due in 20 s")

    class Other(Due):
        wait_time = constant_rate(200)

        @task
        async def talk(self) -> None:
            self._life.stop()
            await self.round_trip("100", match=lambda message: message == "100")
            done.append(True)

    user = w.user(User)
    user._life.schedule = lambda: Later()

    async def lives() -> None:
        living = asyncio.create_task(user._life.live(time.monotonic_ns()))
        await w.until(lambda: user._life.phase is Phase.BUSY)
        user._life.stop()
        await living

    began = time.monotonic()
    w.run(lives())
    w.live(Other)
    assert time.monotonic() - began < 5 and done
    assert w.failures() == {}


class Later:
    """A schedule whose first due time is far away."""

    rate = 0.05

    def due_ns(self) -> int:
        return 20 * 10**9

    def skip(self, number: int) -> None:
        raise AssertionError


def test_what_a_blocked_loop_could_not_begin_in_time_is_too_late(
    w: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_tasks, "OVERDUE_NS", 50_000_000)
    monkeypatch.setattr(due_tasks, "PER_TURN", 10)
    w.serve()

    class User(Due):
        wait_time = constant_rate(1000)
        number = 0

        @task
        async def talk(self) -> None:
            self.number += 1
            if self.number == 1:
                time.sleep(0.3)  # noqa: ASYNC251  # the fault that is tried
            if self.number == 20:
                self._life.stop()

    w.live(User)
    missed = w.failures()[f"task: {TOO_LATE}"]
    assert missed == w.counter("unsent")
    assert 150 <= missed <= 320


def test_a_task_that_ends_its_user_ends_the_others_of_it(w: World) -> None:
    w.serve(delayed_echo)
    began: list[int] = []
    ended: list[int] = []

    class User(Due):
        wait_time = constant_rate(200)

        @task
        async def talk(self) -> None:
            number = len(began)
            began.append(number)
            if number == 4:
                raise StopUser
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(number)

    w.live(User)
    # Where the loop was late, more of them were due at once.
    assert sorted([*ended, 4]) == began and len(began) >= 5 and w.failures() == {}


def test_a_task_may_ask_for_the_end_of_the_run(w: World) -> None:
    w.serve()

    class User(Due):
        wait_time = constant_rate(100)

        @task
        async def talk(self) -> None:
            raise StopTest("enough")

    w.live(User)
    assert w.quits and w.reported == []


def test_a_reconnection_owes_nothing_to_the_task_that_opened_first(w: World) -> None:
    """What on_connect asks counts from when it asks, not from when a task was due long ago."""

    async def closes(connection: ServerConnection) -> None:
        async for message in connection:
            if message == "bye":
                await connection.close(1012)
            else:
                await connection.send(message)

    w.serve(closes)

    class User(Due):
        auto_connect = False
        number = 0

        async def on_connect(self) -> None:
            if w.opened > 1:
                await self.round_trip("hello", name="hello")
                raise StopUser

        @task
        async def talk(self) -> None:
            self.number += 1
            if self.number == 1:
                await self.connect()
            elif self.number == 8:
                await self.send("bye")

    w.live(User)
    assert w.record().histograms["hello"].percentile(100) < 100e6


# Steps, values and counters of a user class


@pytest.mark.parametrize("finishing", [False, True])
def test_a_step_is_one_figure_and_fails_by_what_is_raised_or_said(w: World, finishing: bool) -> None:
    """A time-out of the class's own is a failure, also in the last task of a user that was asked to stop."""
    w.serve(delayed_echo)

    async def body(user: Any) -> None:
        if finishing:
            user._life.stop()
        with user.measure("buy"):
            await user.round_trip("10")
            await user.round_trip("10")
        with user.measure("buy") as step:
            step.failed("sold out")
        for error in (ValueError("a bug"), NotConnected("not connected")):
            with contextlib.suppress(Exception), user.measure("buy"):
                raise error
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                with user.measure("buy"):
                    await user.round_trip("1000")

    run(w, body)
    assert w.count("buy") == 1 and w.count("buy.failed") == 4
    assert w.totals.histograms["buy"].percentile(100) >= 18e6
    failures = {kind: number for kind, number in w.failures().items() if kind.startswith("buy")}
    assert failures == {
        "buy: sold out": 1,
        "buy: ValueError": 1,
        "buy: not connected": 1,
        "buy: CancelledError": 1,
    }


@pytest.mark.parametrize("way", ["StopUser", "killed"])
def test_a_step_that_is_left_at_the_end_is_neither_good_nor_bad(w: World, way: str) -> None:
    w.serve()

    class User(Quiet):
        @task
        async def talk(self) -> None:
            with self.measure("buy"):
                if way == "StopUser":
                    raise StopUser
                self._life.stop(kill=True)
                await asyncio.Event().wait()

    w.live(User)
    assert w.failures() == {} and w.count("buy") == 0
    assert w.counter(f"buy: {UNFINISHED}") == 1


@pytest.mark.parametrize("where", ["in finally", "a further connection", "with a key"])
def test_a_task_that_closes_as_the_run_cuts_it_short_gets_its_answer(w: World, where: str) -> None:
    w.serve(delayed_echo)

    class Visitor(Quiet):
        auto_connect = False

        def key_of(self, message: str) -> str | None:
            return message if where == "with a key" else None

        @task
        async def visit(self) -> None:
            if where == "a further connection":
                async with self.open("/control") as further:
                    asked = further.round_trip("50")
                    self._life.stop(kill=True)
                    await asked
                return
            await self.connect()
            try:
                asked = self.request("50", key="50") if where == "with a key" else self.round_trip("50")
                self._life.stop(kill=True)
                await asked
            finally:
                await self.close()

    w.live(Visitor)
    assert (w.count("message"), w.counter("lost"), w.failures()) == (1, 0, {})


def test_a_task_that_closes_by_itself_loses_what_is_outstanding(w: World) -> None:
    w.serve(delayed_echo)

    class Visitor(Quiet):
        auto_connect = False

        @task
        async def visit(self) -> None:
            await self.connect()
            self.request("50", key="50")
            await self.close()
            raise StopUser

        def key_of(self, message: str) -> str:
            return message

    w.live(Visitor)
    assert w.failures() == {"message: closed 1000": 1}


def test_only_a_tasks_first_step_counts_from_when_it_was_due(w: World) -> None:
    w.serve(delayed_echo)

    class User(Due):
        wait_time = constant_rate(4)

        @task
        async def talk(self) -> None:
            await asyncio.sleep(0.05)
            with self.measure("first"):
                await asyncio.sleep(0.05)
            with self.measure("second"):
                await asyncio.sleep(0.01)
            self._life.stop()

    w.live(User)
    found = w.record().histograms
    assert found["first"].percentile(0) >= 98e6
    assert 9e6 <= found["second"].percentile(100) < 50e6


def test_a_name_stands_for_one_kind_of_figure(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        await user.round_trip("x", name="buy")
        with pytest.raises(
            UsageError, match="'buy' is already used for a request: choose another for the value"
        ):
            user.record("buy", 1.0)
        with pytest.raises(
            UsageError, match="'buy' is already used for a request: choose another for the step"
        ):
            user.measure("buy")
        user.record("think", 1.0)
        with pytest.raises(
            UsageError, match="'think' is already used for a value: choose another for the request"
        ):
            await user.round_trip("x", name="think")

    run(w, body)
    assert w.count("buy") == w.count("think") == 1


def test_own_counters_add_up_and_touch_none_of_wsloads(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        user.count("gaps")
        user.count("gaps", 4)
        for name in ("sent", "lost", "users", "buy.unpaired", "buy.late"):
            with pytest.raises(UsageError, match="is reserved by wsload"):
                user.count(name)
        with pytest.raises(TypeError):
            user.count("gaps", 1.5)

    run(w, body)
    assert w.counter("gaps") == 5 and w.counter("sent") == w.counter("lost") == 0


@pytest.mark.parametrize("number", [-1, -(2**70), 10**15 + 1, 2**63, 2**70])
def test_a_number_that_no_count_can_be_is_refused(w: World, number: int) -> None:
    """A negative one would make the stored run unreadable, one beyond 64 bits can't be stored at all."""
    w.serve()

    async def body(user: Any) -> None:
        with pytest.raises(
            UsageError, match=r"count\('gaps', -?\d+\): a number from 0 to 1,000,000,000,000,000"
        ):
            user.count("gaps", number)
        user.count("gaps", 10**15)

    run(w, body)
    assert w.counter("gaps") == 10**15


def test_a_time_that_is_none_is_refused_or_counted_as_out_of_range(w: World) -> None:
    w.serve()
    odd = [-0.5, -1e300, 5_000, 1e12, 1e300, math.inf, -math.inf, 10**400]

    async def body(user: Any) -> None:
        with pytest.raises(UsageError, match=r"record\('think', nan\)"):
            user.record("think", math.nan)
        for seconds in (*odd, 1.0):
            user.record("think", seconds)

    run(w, body)
    assert (w.count("think"), w.counter("out_of_range")) == (1, len(odd))


# Further connections


def test_a_further_connection_is_measured_and_closed_like_the_first(w: World) -> None:
    w.serve(delayed_echo)

    async def body(user: Any) -> None:
        async with user.open("/control", name="control") as control:
            assert len(w.engine.members) == 2 and w.engine.connections == 2
            assert await control.round_trip("5") == "5"
            assert await user.round_trip("1") == "1"
            await control.send("2")
            assert await control.receive() == "2"
            control.round_trip("30")
        assert w.engine.connections == 1

    run(w, body)
    assert w.count("control") == 2 and w.count("message") == 1
    assert w.count("open") == 2 and w.count("close") == 2
    assert w.failures() == {}


def test_a_further_connection_is_not_opened_again_and_leaves_nothing_behind(w: World) -> None:
    async def closes(connection: ServerConnection) -> None:
        async for _ in connection:
            await connection.close(1012)

    w.serve(closes)

    async def body(user: Any) -> None:
        for _ in range(5):
            control = await user.open("/control", name="control")
            with pytest.raises(ConnectionLost):
                await control.round_trip("x")
            with pytest.raises(NotConnected):
                await control.round_trip("x")
        assert len(user._extra) == 1 and len(w.engine.members) == 1

    run(w, body)
    assert w.failures() == {"close: closed 1012": 5, "control: closed 1012": 5, "control: not connected": 5}


@pytest.mark.parametrize("during", ["the block", "draining", "lingering"])
def test_a_further_connection_whose_task_is_cancelled_is_closed_with_its_block(w: World, during: str) -> None:
    async def answers_most(connection: ServerConnection) -> None:
        async for message in connection:
            if message != "unanswered":
                await connection.send(message)

    w.serve(answers_most)
    w.context.long_looks = 1 if during == "lingering" else 0

    async def body(user: Any) -> None:
        async def use() -> None:
            async with user.open("/") as connection:
                if during == "lingering":
                    await connection.round_trip("hello")
                else:
                    unanswered = connection.round_trip("unanswered")
                reached.set()
                if during == "the block":
                    await unanswered

        reached = asyncio.Event()
        using = asyncio.create_task(use())
        await reached.wait()
        await asyncio.sleep(0)
        assert w.engine.connections == 2
        using.cancel()
        await asyncio.wait([using])
        assert using.cancelled()
        assert w.engine.connections == 1 and not user._extra

    run(w, body)
    assert w.totals.closes == {} and w.record().closes == {1000: 2}


def test_what_is_left_open_is_closed_at_the_end(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        await user.open("/control")
        await user.open("/other")

    run(w, body)
    assert w.engine.connections == 0 and not w.engine.members and w.record().closes == {1000: 3}


@pytest.mark.parametrize("when", ["at the end", "before on_start is tried again"])
def test_the_connections_of_a_user_are_closed_at_the_same_time(
    w: World, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers no close frame costs each of them the whole close timeout."""
    w.serve()
    barrier, close = asyncio.Barrier(3), TimedConnection.close

    async def closes_with_the_others(self: TimedConnection, code: int = 1000, reason: str = "") -> None:
        async with asyncio.timeout(5):
            await barrier.wait()
        await close(self, code, reason)

    monkeypatch.setattr(TimedConnection, "close", closes_with_the_others)

    class User(Quiet):
        auto_connect = False
        tries = 0

        async def on_start(self) -> None:
            await self.connect()
            await self.open("/control")
            await self.open("/other")
            self.tries += 1
            if when != "at the end" and self.tries == 1:
                raise ConnectionLost("counted")

        @task
        async def talk(self) -> None:
            raise StopUser

    w.live(User)
    assert w.opened in (3, 6) and w.record().closes == {1000: w.opened}
    assert w.engine.connections == 0 and not w.engine.members


def test_a_further_connection_that_is_being_opened_at_the_end_is_given_up(w: World) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def slowly(connection: ServerConnection, request: Any) -> None:
        if request.path == "/slow":
            begun.set()
            await gate.wait()

    w.serve(process_request=slowly)
    opening: list[asyncio.Task[Any]] = []

    async def body(user: Any) -> None:
        async def use() -> None:
            async with user.open("/slow"):
                raise AssertionError

        opening.append(asyncio.create_task(use()))
        await begun.wait()

    run(w, body)
    gate.set()

    async def rest() -> None:
        with pytest.raises(ConnectionLost, match="while it was being opened"):
            await opening[0]

    w.run(rest())
    assert w.engine.connections == 0 and not w.engine.members


def test_a_further_connection_that_can_not_be_opened_says_so(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        with pytest.raises(OpenError):
            async with user.open("ws://127.0.0.1:1/"):
                raise AssertionError
        assert not user._extra and len(w.engine.members) == 1

    run(w, body)
    assert w.failures() == {"open: refused": 1}


def test_requests_on_a_further_connection_need_keys_of_their_own_or_the_classs(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        async with user.open("/a") as plain:
            with pytest.raises(UsageError, match="needs key_of"):
                await plain.request("1", key="1")
        async with user.open("/b", key_of=lambda message: message) as keyed:
            assert await keyed.request("1", key="1") == "1"

    run(w, body)


async def dropped(user: Any) -> None:
    user.open("/prices")


async def kept(user: Any) -> None:
    user.prices = user.open("/prices", on_message=print)


async def kept_in_a_list(user: Any) -> None:
    user.feeds = [user.open("/prices")]


async def replaced(user: Any) -> None:
    user.prices = user.open("/prices")
    user.prices = await user.open("/other")


async def given_to_create_task(user: Any) -> None:
    with pytest.raises(TypeError):
        asyncio.create_task(user.open("/prices"))  # noqa: RUF006  # refused


@pytest.mark.parametrize("where", ["on_start", "task", "due task", "on_stop"])
@pytest.mark.parametrize("way", [dropped, kept, kept_in_a_list, replaced, given_to_create_task])
def test_an_opening_whose_await_was_forgotten_is_counted_once_with_its_place(
    w: World, way: Callable[[Any], Awaitable[None]], where: str
) -> None:
    w.serve()

    class User(Quiet):
        async def on_start(self) -> None:
            if where == "on_start":
                await way(self)

        async def on_stop(self) -> None:
            if where == "on_stop":
                await way(self)

        @task
        async def talk(self) -> None:
            self._life.stop()
            if where.endswith("task"):
                await way(self)

    if where == "due task":
        User.wait_time = constant_rate(5)
    user = w.live(User)
    ((call, place),) = w.forgotten
    assert call == "WebSocketUser.open"
    assert place.startswith(f"{__file__}, line ") and place.endswith(f"in {way.__name__}")
    del user
    gc.collect()
    assert len(w.forgotten) == 1
    assert w.failures() == {}


async def in_a_block(user: Any) -> None:
    async with user.open("/prices"):
        pass


async def awaited(user: Any) -> None:
    user.prices = await user.open("/prices")


async def awaited_later_and_again(user: Any) -> None:
    prices = user.open("/prices")
    await asyncio.sleep(0)
    for _ in range(2):
        async with prices:
            pass


async def in_time(user: Any) -> None:
    await asyncio.wait_for(user.open("/prices"), 5)


async def on_a_stack(user: Any) -> None:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(user.open("/prices"))


async def in_vain(user: Any) -> None:
    with pytest.raises(OpenError):
        await user.open("ws://127.0.0.1:1/")


@pytest.mark.parametrize("way", [in_a_block, awaited, awaited_later_and_again, in_time, on_a_stack, in_vain])
def test_what_was_awaited_was_not_forgotten(w: World, way: Callable[[Any], Awaitable[None]]) -> None:
    w.serve()
    run(w, way)
    gc.collect()
    assert w.forgotten == []


def test_a_user_that_ends_before_it_comes_to_an_opening_kept_for_later_has_not_forgotten_it(w: World) -> None:
    w.serve()

    class User(Quiet):
        leaves = False

        async def on_start(self) -> None:
            self.control = self.open("/control")

        @task
        async def talk(self) -> None:
            self._life.stop()
            if not self.leaves:
                async with self.control:
                    pass

    w.live(User)
    w.live(type("Leaver", (User,), {"leaves": True}))
    assert w.forgotten == []


def test_what_was_never_opened_says_what_to_write(w: World) -> None:
    w.serve()

    async def body(user: Any) -> None:
        control = user.open("/control", key_of=lambda message: message)
        began = time.monotonic()
        with pytest.raises(UsageError, match=r"'async with' or 'await' before self\.open"):
            await control.receive()
        assert time.monotonic() - began >= PAUSE_NS / 1e9
        for call in (
            lambda: control.request("x", key="x"),
            lambda: control.round_trip("x"),
            lambda: control.send("x"),
            lambda: anext(control.messages()),
        ):
            with pytest.raises(UsageError, match=r"'async with' or 'await' before self\.open"):
                await call()
        for at_once in (lambda: control.send_nowait("x"), lambda: control.received_at):
            with pytest.raises(UsageError, match=r"'async with' or 'await' before self\.open"):
                at_once()
        await control.close()
        async with control:
            assert await control.request("1", key="1") == "1"
        with pytest.raises(NotConnected):
            await control.send("x")

    run(w, body)
    assert w.forgotten == [] and w.failures() == {"message: not connected": 1}


def test_only_the_first_connections_loss_concerns_the_hooks(w: World) -> None:
    async def closes(connection: ServerConnection) -> None:
        async for _ in connection:
            await connection.close(4000)

    w.serve(closes)
    codes: list[int] = []

    async def body(user: Any) -> None:
        control = await user.open("/control")
        await control.send("go")
        await w.until(lambda: control._socket.connection is None)
        assert user._socket.state is State.OPEN and codes == []

    run(w, body, on_close=lambda user, code, reason: codes.append(code))
    assert codes == [1000]


# The end


def test_on_stop_may_still_talk_and_what_it_raises_is_said(w: World) -> None:
    w.serve()
    answers: list[str] = []

    class User(Quiet):
        async def on_stop(self) -> None:
            answers.append(await self.round_trip("bye"))
            raise ValueError("a bug")

        @task
        async def talk(self) -> None:
            self._life.stop()

    w.live(User)
    assert answers == ["bye"] and w.failures() == {"on_stop: ValueError": 1}


def test_a_user_that_is_killed_twice_is_cut_off_whatever_it_waits_for(w: World) -> None:
    w.serve()

    class User(Quiet):
        async def on_stop(self) -> None:
            with contextlib.suppress(WorkloadError):
                await self.receive(timeout=100)

        @task
        async def talk(self) -> None:
            await self.receive(timeout=100)

    user = w.user(User)

    async def killed() -> None:
        living = asyncio.create_task(user._life.live(time.monotonic_ns()))
        await w.until(lambda: user._life.phase is Phase.BUSY)
        user._kill()
        await w.until(lambda: user._life.phase is Phase.LEAVING and user._socket.inbox._waiter)
        user._abort()
        await living

    w.run(killed())
    assert w.engine.users == w.engine.connections == 0
