"""Canaries: what wsload needs of Locust and gevent beyond their documentation is still there, and does that.

Each failure names the dependency, the version installed, and what wsload would lose.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import gevent.monkey
import locust
import pytest
from canary import needed
from gevent.pool import Group
from locust import User, argument_parser, stats
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.event import EventHook
from locust.runners import MasterRunner, WorkerNode, WorkerNodes, WorkerRunner
from locust.stats import RequestStats

import wsload
from wsload.load.locust import compat, statistics_compat
from wsload.load.locust.threads import thread_id


class Someone(User):
    abstract = True


class Handle:
    """A member of Locust's group as wsload's is: no greenlet."""

    name, dead = "someone-1", False

    def __init__(self, user: User) -> None:
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


@pytest.fixture
def environment() -> Iterator[Environment]:
    environment = Environment(user_classes=[Someone], stop_timeout=1)
    yield environment
    if environment.runner is not None:
        environment.runner.quit()


def test_a_user_is_known_to_be_at_work_and_asked_to_stop_only_once(environment: Environment) -> None:
    with needed("locust", "User._state", "so that a graceful stop asks each user, once"):
        runner, user, asked = environment.create_local_runner(), Someone(environment), []
        user.stop = lambda force=False: (asked.append(force), compat.mark_stopping(user))  # type: ignore[method-assign]
        compat.mark_running(user)
        handle = Handle(user)
        compat.join_group(user, runner.user_greenlets, handle)
        for _ in range(2):
            gevent.spawn_later(0.01, handle.kill)
            runner.stop_users({"Someone": 1})
            handle.dead = False
            runner.user_greenlets.add(handle)
        assert asked == [False]
        handle.kill()


def test_a_group_takes_a_member_that_is_no_greenlet(environment: Environment) -> None:
    with needed("gevent", "Group.add", "so that a user costs no greenlet: 8 KiB"):
        group, user = Group(), Someone(environment)
        first, second = Handle(user), Handle(user)
        compat.join_group(user, group, first)
        group.add(second)
        assert len(group) == 2
        group.killone(first, block=False)
        gevent.sleep(0.01)
        assert first.kills == 1 and len(group) == 1
        group.kill(block=False)
        gevent.sleep(0.01)
        assert second.kills == 1 and len(group) == 0
    with needed("locust", "User._greenlet and User._group", "so that Locust can kill a user"):
        assert user.greenlet is first and user.group is group


def test_users_are_counted_by_their_handles(environment: Environment) -> None:
    with needed("locust", "greenlet.args[0]", "so that users are counted by class without greenlets"):
        runner, user = environment.create_local_runner(), Someone(environment)
        handle = Handle(user)
        compat.join_group(user, runner.user_greenlets, handle)
        assert runner.user_classes_count == {"Someone": 1} and runner.user_count == 1
        handle.kill()


def test_a_runner_says_whether_it_is_ending(environment: Environment) -> None:
    with needed("locust", "Runner.state", "so that a worker is not stopped twice"):
        runner, states = environment.create_local_runner(), []
        environment.events.test_stop.add_listener(lambda **_: states.append(compat.is_ending(runner)))
        assert not compat.is_ending(runner)
        runner.stop()
        assert states == [True]


def test_a_runner_says_how_many_users_it_wants(environment: Environment) -> None:
    with needed("locust", "Runner.target_user_count", "to spread --ws-rate over the users"):
        runner = environment.create_local_runner()
        assert compat.wanted_users(runner, Someone) == 0
        runner.target_user_count = 7
        assert compat.wanted_users(runner, Someone) == 7
        assert compat.wanted_users(None, Someone) == 1


@pytest.mark.parametrize("users", [0, 1, 3, 10, 100])
@pytest.mark.parametrize("settings", [(1, 0, 1, 0), (3, 0, 1, 0), (1, 2, 1, 0), (1, 0, 1, 4), (1, 2, 5, 3)])
def test_how_many_of_a_kind_are_wanted_is_what_the_dispatcher_starts(
    users: int, settings: tuple[int, int, int, int]
) -> None:
    with needed("locust", "Runner.target_user_classes_count and UsersDispatcher", "to spread --ws-rate"):
        weight, fixed, others_weight, others_fixed = settings
        ours = type("Ours", (Someone,), {"weight": weight, "fixed_count": fixed})
        others = type("Others", (User,), {"weight": others_weight, "fixed_count": others_fixed})
        environment = Environment(user_classes=[ours, others])
        dispatcher = UsersDispatcher(worker_nodes=[WorkerNode("only")], user_classes=[ours, others])
        dispatcher.new_dispatch(users, max(users, 1))
        started = [*dispatcher][-1]["only"] if users else {"Ours": 0, "Others": 0}
        runner = environment.create_local_runner()
        runner.target_user_count = users
        assert abs(compat.wanted_users(runner, Someone) - started["Ours"]) <= 1  # while the ramp goes on
        runner.target_user_classes_count = started
        assert compat.wanted_users(runner, Someone) == started["Ours"]
        runner.quit()


def test_a_master_says_which_workers_are_gone() -> None:
    with needed("locust", "MasterRunner.clients", "so that nobody waits for a worker that was killed"):
        master = MasterRunner.__new__(MasterRunner)  # it would listen on a port
        master.clients = WorkerNodes()
        master.greenlet = Group()
        master.clients["here"], master.clients["silent"] = WorkerNode("here"), WorkerNode("silent", "missing")
        gone = compat.worker_is_gone(master)
        assert [gone(worker) for worker in ("here", "silent", "quit")] == [False, True, True]


def test_a_worker_can_send_its_statistics_at_once() -> None:
    with needed("locust", "WorkerRunner._send_stats", "so that Ctrl-C loses no statistics of a worker"):
        worker, sent = WorkerRunner.__new__(WorkerRunner), []
        worker.environment, worker.client_id, worker.greenlet = Environment(), "w", Group()
        worker.client = type("Client", (), {"send": staticmethod(sent.append)})()
        compat.send_last_statistics(worker)
        assert [message.type for message in sent] == ["stats"]


def test_locust_finds_out_its_defaults_once_and_finds_the_same() -> None:
    assert wsload.ChatUser is not None  # its import installs wsload
    with needed("locust", "argument_parser.default_args_dict", "so that a ramp leaves workers their time"):
        once = argument_parser.default_args_dict()
        assert argument_parser.default_args_dict() is once
        assert argument_parser.default_args_dict.__wrapped__() == once
        assert "expect_workers" in once and "ws_url" not in once


def test_an_events_listeners_are_known_and_locusts_own_among_them(environment: Environment) -> None:
    with needed("locust", "EventHook._handlers and runners.on_request", "to add up statistics in aggregate"):
        event = EventHook()
        event.add_listener(print)
        assert compat.listeners(event) == [print]
        environment.create_local_runner()
        (own,) = compat.listeners(environment.events.request)
        assert statistics_compat.is_locusts_own(own) and not statistics_compat.is_locusts_own(needed)


def test_a_runner_that_has_stopped_heeds_stops_again(environment: Environment) -> None:
    with needed("locust", "Runner.state and .update_state", "to heed a stop before the users are there"):
        runner = environment.create_local_runner()
        runner.update_state("stopped")
        compat.heed_stops(runner)
        said = []
        environment.events.test_stopping.add_listener(lambda **_: said.append(runner.state))
        runner.stop()
        assert said == ["ready"] and runner.state == "stopped"


def test_an_entry_remembers_a_second_for_the_chart(environment: Environment) -> None:
    with needed("locust", "StatsEntry._cache_response_times", "for the percentiles in Locust's charts"):
        entry = environment.stats.get("message", "WS")
        entry.use_response_times_cache = True
        entry.response_times_cache = (
            entry.response_times_cache or type(entry.stats.total.response_times_cache)()
        )
        entry.log(5, 0)
        entry.last_request_timestamp -= 2
        second = int(time.time())
        statistics_compat.log_many(entry, [5_000_000], 0)
        assert {second - 1, second} & entry.response_times_cache.keys()


def test_many_requests_are_logged_as_one_by_one(environment: Environment) -> None:
    with needed("locust", "the fields of StatsEntry and StatsError", "to log many requests at once"):
        one, many = (RequestStats() for _ in range(2))
        for value in (5, 7):
            one.log_request("WS", "buy", value, 0)
            one.log_error("WS", "buy", ValueError("no"))
        statistics_compat.fail_many(many, "WS", "buy", ValueError("no"), [5_000_000, 7_000_000])
        statistics_compat.log_many(many.get("sell", "WS"), [5_000_000], 3)
        assert many.get("buy", "WS").response_times == one.get("buy", "WS").response_times
        assert many.get("buy", "WS").num_failures == one.get("buy", "WS").num_failures == 2
        assert [each.occurrences for each in many.errors.values()] == [2]
        assert many.get("sell", "WS").total_content_length == 3


def test_seconds_that_nobody_looks_at_are_forgotten(environment: Environment) -> None:
    with needed("locust", "StatsEntry.num_reqs_per_sec and .num_fail_per_sec", "to forget old seconds"):
        now, few = int(time.time()), statistics_compat.SECONDS_KEPT
        rows = [environment.stats.total, environment.stats.get("buy", "WS")]
        for entry in rows:
            for second in range(now - 3_000, now + 1):
                entry.num_reqs_per_sec[second] = 7
                entry.num_fail_per_sec[second] = 1
        environment.stats.total.start_time = now - 3_000
        environment.stats.total.last_request_timestamp = now
        rates = [(entry.current_rps, entry.current_fail_per_sec) for entry in rows]
        statistics_compat.forget_seconds(environment.stats)
        assert [(entry.current_rps, entry.current_fail_per_sec) for entry in rows] == rates == [(7, 1)] * 2
        for entry in rows:
            assert sorted(entry.num_reqs_per_sec) == list(range(now - few + 1, now + 1))
            assert len(entry.num_fail_per_sec) == few


@pytest.mark.parametrize(("words", "shown"), [([], False), (["--json"], True), (["--json-file", "x"], True)])
def test_with_json_locust_shows_every_second(words: list[str], shown: bool) -> None:
    assert statistics_compat.shows_seconds(argument_parser.get_parser().parse_args(words)) is shown
    assert statistics_compat.shows_seconds(None)
    assert not statistics_compat.shows_seconds(Namespace(host="ws://127.0.0.1"))  # made by a library's user


def test_charts_that_nobody_looks_at_are_forgotten(environment: Environment) -> None:
    with needed("locust", "RequestStats.history and .use_response_times_cache", "to forget charts"):
        runner = environment.create_local_runner()
        entry = environment.stats.get("buy", "WS")
        for _ in range(3):
            stats.update_stats_history(runner)
        statistics_compat.forget_charts(environment.stats)
        assert environment.stats.history == []
        stats.stats_history(runner)  # does not go on
        later = environment.stats.get("sell", "WS")
        for row in (entry, later):
            statistics_compat.log_many(row, [5_000_000], 0)
            row.log(5, 0)
            assert row.num_requests == 2 and not row.response_times_cache


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ([], True),
        (["--autostart"], True),
        (["--headless"], False),
        (["--headless", "--html", "x.html"], True),
        (["--headless", "--csv", "x"], True),
    ],
)
def test_with_a_page_locust_shows_charts(words: list[str], shown: bool) -> None:
    assert statistics_compat.shows_charts(argument_parser.get_parser().parse_args(words)) is shown
    assert statistics_compat.shows_charts(None)
    assert statistics_compat.shows_charts(Namespace(host="ws://127.0.0.1"))  # made by a library's user


def test_locusts_rounding_can_be_replaced(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    with needed("locust", "stats.bucket_response_time", "to round as Locust does"):
        entry = environment.stats.get("message", "WS")
        monkeypatch.setattr(stats, "bucket_response_time", lambda _: 7)
        statistics_compat.log_many(entry, [5_000_000], 0)
        assert entry.response_times == {7: 1}


def test_the_frame_of_a_thread_is_known_by_its_real_id() -> None:
    with needed("CPython", "sys._current_frames", "to say what blocks the loop"):
        assert compat.current_frames()[thread_id()] is sys._getframe()


def test_an_exception_reaches_the_main_greenlet() -> None:
    with needed("gevent", "Hub.handle_system_error", "so that Ctrl-C ends the run in order"):
        gevent.spawn(compat.raise_in_main_greenlet, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            gevent.sleep(5)


def test_locust_leaves_real_threads_to_be_had() -> None:
    with needed("gevent", "monkey.get_original", "to start the thread of the users' loop"):
        assert gevent.monkey.get_original("_thread", "start_new_thread").__module__ == "_thread"


def test_the_options_that_the_start_form_has_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wsload.ChatUser is not None  # its import adds wsload's options
    with needed("locust", "argument_parser.ui_extra_args_dict", "to take only what the start form has"):
        monkeypatch.setattr(sys, "argv", ["locust"])
        found = compat.options_in_the_form()
        assert {"ws_build", "ws_bearer"} <= found and not {"ws_results", "ws_header", "html_file"} & found


def test_a_tab_can_be_any_element() -> None:
    with needed("locust", "a tab's component in its web UI", "to show the live page in a tab"):
        (script,) = (Path(locust.__file__).parent / "webui" / "dist" / "assets").glob("*.js")
        # Every tab, the extended ones among them, is rendered as its component, and as a table without one.
        assert re.search(r"\.map\(\(\{component:\w+=\w+\},", script.read_text("utf-8"))
        assert compat.element_tab("Live", "live", "my-element")["component"] == "my-element"


def test_running_users_are_those_of_the_group(environment: Environment) -> None:
    with needed("locust", "Runner.user_greenlets", "to drop users that do not end"):
        runner, user = environment.create_local_runner(), Someone(environment)
        handle = Handle(user)
        compat.join_group(user, runner.user_greenlets, handle)
        assert compat.running_users(runner) == [handle]
        handle.kill()


def test_logging_takes_other_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    with needed("CPython", "logging._lock and Handler.createLock", "so that tasks and threads can log"):
        monkeypatch.setattr(logging, "_lock", logging._lock)  # type: ignore[attr-defined]
        monkeypatch.setattr(logging.Handler, "createLock", logging.Handler.createLock)
        earlier, lock = logging.NullHandler(), object()
        earlier.lock = lock  # type: ignore[assignment]
        monkeypatch.setattr(logging.getLogger("wsload.canary"), "handlers", [earlier])
        compat.give_logging_real_locks()
        real = type(gevent.monkey.get_original("_thread", "RLock")())
        later = logging.StreamHandler()
        assert type(logging._lock) is type(later.lock) is real  # type: ignore[attr-defined]
        assert earlier.lock is not lock
        logging.getLogger("wsload.canary.of.a.new.name").warning("said once")


def test_a_greenlet_of_a_thread_with_a_loop_of_its_own_is_refused() -> None:
    found: list[Any] = []

    def starts() -> None:
        compat.refuse_greenlets(lambda: ValueError("never"))
        for start in (
            lambda: gevent.spawn(found.append, 0),
            lambda: gevent.spawn_later(0.01, found.append, 0),
            lambda: gevent.Greenlet(found.append, 0).start(),
        ):
            try:
                start()
            except ValueError as error:
                found.append(str(error))
        began = time.monotonic()
        gevent.sleep(0.02)  # what time.sleep is there
        with gevent.Timeout(0.02, False):
            gevent.event.Event().wait(20)
        found.append(0.04 <= time.monotonic() - began < 10)
        compat.forget_hub()

    with needed("gevent", "loop.run_callback and loop.timer", "to refuse greenlets that would never run"):
        thread = threading.Thread(target=starts)
        thread.start()
        thread.join()
        assert found == ["never", "never", "never", True]
        assert gevent.spawn(int).get(timeout=10) == 0  # elsewhere they run
