"""Canaries: what wsload needs of Locust's users beyond their documentation is still there, and does that."""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from canary import needed
from gevent.pool import Group
from locust import SequentialTaskSet, TaskSet, between, constant, constant_pacing, constant_throughput, debug
from locust.env import Environment

from wsload.errors import UsageError
from wsload.load.users.locust_compat import (
    LocustUser,
    new_task_set,
    next_task,
    restart_pacing,
    scheduled_task,
    wait_time_text,
)


class Handle:
    """A member of Locust's group as wsload's is: no greenlet."""

    name, dead = "someone-1", False

    def __init__(self, user: LocustUser) -> None:
        self.args = (user,)
        self.links: list[Any] = []
        self.kills = 0

    def rawlink(self, link: Any) -> None:
        self.links.append(link)

    def unlink(self, link: Any) -> None:
        self.links.remove(link)

    def kill(self, *_: Any, **__: Any) -> None:
        self.kills += 1
        self.dead = True
        for link in list(self.links):
            link(self)

    def join(self, timeout: float | None = None) -> None:
        self.dead = True


class Someone(LocustUser):
    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.handle: Any = Handle(self)
        self.asked = 0
        self.ended = False

    def _begin(self) -> Any:
        return self.handle

    def _stop_soon(self) -> None:
        self.asked += 1
        gevent.spawn_later(0.01, self.handle.kill)

    def _single_user_ended(self) -> None:
        self.ended = True


def started(environment: Environment) -> tuple[Any, Someone]:
    """A runner, and the user that it has started."""
    runner = environment.create_local_runner()
    runner.spawn_users({"Someone": 1})
    (handle,) = runner.user_greenlets
    (user,) = handle.args
    return runner, user


@pytest.fixture
def environment() -> Environment:
    return Environment(user_classes=[Someone], stop_timeout=1)


def test_a_user_is_started_and_counted_without_a_greenlet(environment: Environment) -> None:
    with needed("locust", "User.start and greenlet.args[0]", "so that a user costs no greenlet: 8 KiB"):
        runner, user = started(environment)
        assert runner.user_classes_count == {"Someone": 1} and runner.user_count == 1
        assert user.greenlet is user.handle and user.group is runner.user_greenlets
        user.handle.kill()
        assert runner.user_count == 0


def test_a_user_is_known_to_be_at_work_and_asked_to_stop_only_once(environment: Environment) -> None:
    with needed("locust", "User.stop and ._state", "so that a graceful stop asks each user, once"):
        runner, user = started(environment)
        for _ in range(2):
            runner.stop_users({"Someone": 1})
            assert user.asked == 1
            user.handle.dead = False
            runner.user_greenlets.add(user.handle)
            gevent.spawn_later(0.01, user.handle.kill)


def test_a_user_without_time_to_stop_is_killed(environment: Environment) -> None:
    with needed("locust", "User.stop, ._group and ._greenlet", "so that Locust can kill a user"):
        environment.stop_timeout = 0
        runner, user = started(environment)
        runner.stop_users({"Someone": 1})
        assert (user.handle.kills, user.asked, runner.user_count) == (1, 0, 0)


def test_a_user_that_was_told_before_is_waited_for(environment: Environment) -> None:
    """A group does not wait for a member that it is killing already."""
    environment.stop_timeout = 0
    runner, user = started(environment)
    user.group.killone(user.handle, block=False)
    user.handle.dead, joined = False, []
    user.handle.join = lambda: joined.append(user)
    runner.user_greenlets.add(user.handle)
    runner.user_greenlets.dying.add(user.handle)
    user.stop(force=True)
    assert len(joined) == 1


def test_a_group_takes_a_member_that_is_no_greenlet(environment: Environment) -> None:
    with needed("gevent", "Group.add", "so that a user costs no greenlet: 8 KiB"):
        group = Group()
        first, second = (Someone(environment).start(group) for _ in range(2))
        assert len(group) == 2
        group.killone(first, block=False)
        gevent.sleep(0.01)
        assert first.kills == 1 and len(group) == 1  # type: ignore[attr-defined]
        group.kill(block=False)
        gevent.sleep(0.01)
        assert second.kills == 1 and len(group) == 0  # type: ignore[attr-defined]


def test_a_single_user_is_run_to_its_end(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    with needed("locust", "User.run", "for run_single_user"):
        monkeypatch.setattr(debug, "_env", environment)
        debug.run_single_user(Someone, loglevel=None)
        user = environment.single_user_instance  # type: ignore[attr-defined]
        assert user.handle.dead and user.ended


def test_a_task_set_says_what_comes_next(environment: Environment) -> None:
    def first(_: object) -> None: ...
    def second(_: object) -> None: ...

    with needed("locust", "TaskSet.get_next_task", "to run TaskSets, whatever order they have"):
        ordered: Any = type("Ordered", (SequentialTaskSet,), {"tasks": [first, second]})
        holder = ordered(Someone(environment))
        assert [next_task(holder) for _ in range(3)] == [first, second, first]


def test_a_task_set_says_what_was_scheduled(environment: Environment) -> None:
    class Room(TaskSet):
        def method(self) -> None: ...

    def first(_: object) -> None: ...

    with needed("locust", "TaskSet._task_queue", "to run what schedule_task() was given"):
        holder: Any = Room(Someone(environment))
        assert scheduled_task(holder) is None
        holder.schedule_task(Room)
        holder.schedule_task(holder.method)
        holder.schedule_task(first, first=True)
        assert [scheduled_task(holder) for _ in range(4)] == [first, Room, Room.method, None]


def test_wait_can_be_refused(environment: Environment) -> None:
    class Own(TaskSet):
        def wait(self) -> str:  # type: ignore[override]
            return "mine"

    with needed("locust", "User.wait and TaskSet.wait", "so that no task stops the thread of all users"):
        user = Someone(environment)
        for holder in (user, new_task_set(TaskSet, user)):
            with pytest.raises(UsageError, match="use await"):
                holder.wait()
        assert new_task_set(Own, user).wait() == "mine"


def test_pacing_counts_from_a_time_of_ones_own(environment: Environment) -> None:
    with needed("locust", "User._cp_last_run and ._cp_last_wait_time", "so that users don't go on in step"):
        user, wait = Someone(environment), constant_pacing(1_000)
        wait(user)
        restart_pacing(user)
        assert 999 < wait(user) <= 1_000
        gevent.sleep(0.05)
        restart_pacing(user)
        assert wait(user) > 999.96


def test_a_wait_time_says_how_it_was_made() -> None:
    with needed(
        "locust", "the closures of between and constant", "to write and compare wait times by their arguments"
    ):
        assert wait_time_text(between(1, 2)) == "between(max_wait=2, min_wait=1)"
        assert wait_time_text(constant(3)) == "constant(wait_time=3)"
        made = {wait_time_text(constant_pacing(number)) for number in (4, 4, 5)}
        made |= {wait_time_text(constant_throughput(number)) for number in (4, 5)}
        assert len(made) == 4, "equal arguments, and only those, have equal texts"
