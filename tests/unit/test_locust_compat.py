"""Canaries: what wsload needs of Locust and gevent beyond their documentation is still there, and does that.

Each failure names the dependency, the version installed, and what wsload would lose.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import logging
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Any, Final

import gevent
import gevent.event
import gevent.monkey
import gevent.queue
import pytest
from canary import needed
from gevent.pool import Group
from locust import LoadTestShape, User, argument_parser, stats
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.event import EventHook, Events
from locust.rpc import Message
from locust.runners import MasterRunner, WorkerNode, WorkerNodes, WorkerRunner
from locust.stats import RequestStats

import wsload
from wsload.load.locust import compat, statistics_compat
from wsload.load.locust.threads import start_real_thread, thread_id


class Someone(User):
    abstract = True
    tasks = [lambda _: gevent.sleep(0.01)]  # noqa: RUF012  # as Locust has it


@pytest.fixture
def environment() -> Iterator[Environment]:
    environment = Environment(user_classes=[Someone], stop_timeout=1)
    yield environment
    if environment.runner is not None:
        environment.runner.quit()


def test_a_runner_says_whether_it_is_ending(environment: Environment) -> None:
    with needed("locust", "Runner.state", "so that a worker is not stopped twice"):
        runner, states = environment.create_local_runner(), []
        environment.events.test_stop.add_listener(lambda **_: states.append(compat.is_ending(runner)))
        assert not compat.is_ending(runner)
        runner.stop()
        assert states == [True]


@pytest.mark.parametrize(("state", "loading"), [("spawning", True), ("running", True), ("stopped", False)])
def test_a_runner_says_whether_it_is_loading(environment: Environment, state: str, loading: bool) -> None:
    with needed("locust", "Runner.state", "to tell a run's first order from those that change it"):
        runner = environment.create_local_runner()
        assert not compat.is_loading(runner)
        runner.update_state(state)
        assert compat.is_loading(runner) is loading


def test_a_runner_s_methods_can_be_replaced(environment: Environment) -> None:
    with needed("locust", "the methods of a runner", "so that they can be called from any thread"):
        runner, called = environment.create_local_runner(), []

        def noted(method: Any) -> Any:
            def call(*args: Any, **settings: Any) -> Any:
                called.append(method.__name__)
                return method(*args, **settings)

            return call

        compat.wrap_switching(runner, noted)
        runner.start(1, 100)
        runner.spawning_greenlet.join()
        runner.stop()
        assert called == ["start", "spawn_users", "stop_users", "stop", "stop_users"]


def test_a_replaced_start_is_called_by_locust_itself(environment: Environment) -> None:
    with needed("locust", "Runner.start", "so that both sides of a comparison start together"):

        class Shape(LoadTestShape):
            def tick(self) -> tuple[int, float] | None:
                return (3, 1.0) if not orders else None

        orders: list[dict[str, Any]] = []
        environment.shape_class = Shape()
        environment.shape_class.runner = runner = environment.create_local_runner()
        compat.replace_start(runner, lambda **order: orders.append(order))
        runner.start_shape()
        gevent.sleep(0.1)
        assert [(order["user_count"], order["spawn_rate"]) for order in orders] == [(3, 1.0)]


def test_a_runner_says_how_many_users_it_wants(environment: Environment) -> None:
    with needed("locust", "Runner.target_user_count", "to spread --ws-rate over the users"):
        runner = environment.create_local_runner()
        assert compat.wanted_users(runner, Someone) == 0
        compat.expect_users(runner, 7)
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


def test_a_master_says_from_which_workers_it_orders_users() -> None:
    with needed("locust", "MasterRunner.clients", "so that a worker that never begins is missed"):
        master = MasterRunner.__new__(MasterRunner)
        master.clients = WorkerNodes()
        master.greenlet = Group()
        states = {"a": "ready", "b": "spawning", "c": "running", "d": "missing", "e": "stopped"}
        for worker, state in states.items():
            master.clients[worker] = WorkerNode(worker, state)
        assert compat.workers_at_hand(master) == ["a", "b", "c"]
        nodes = [WorkerNode("a"), WorkerNode("b")]
        dispatcher = UsersDispatcher(worker_nodes=nodes, user_classes=[Someone])
        dispatcher.new_dispatch(1, 1)
        (order,) = dispatcher
        assert order.keys() == {"a", "b"}, "one without users is ordered none"


def test_a_message_says_who_sent_it() -> None:
    with needed("locust", "Message.node_id", "to know whose interval it is"):
        assert (
            compat.sender_of(Message.unserialize(Message("interval", {}, "worker-1").serialize()))
            == "worker-1"
        )


def test_a_worker_can_send_its_statistics_at_once() -> None:
    with needed("locust", "WorkerRunner._send_stats", "so that Ctrl-C loses no statistics of a worker"):
        worker, sent = WorkerRunner.__new__(WorkerRunner), []
        worker.environment, worker.client_id, worker.greenlet = Environment(), "w", Group()
        worker.client = type("Client", (), {"send": staticmethod(sent.append)})()
        compat.send_last_statistics(worker)
        assert [message.type for message in sent] == ["stats"]


def test_locust_finds_out_its_defaults_once_and_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wsload.ChatUser is not None  # its import installs wsload
    with needed("locust", "argument_parser.default_args_dict", "so that a ramp leaves workers their time"):
        uncached = argument_parser.default_args_dict.__wrapped__
        monkeypatch.setattr(argument_parser, "default_args_dict", uncached)
        compat.cache_option_defaults()
        once = argument_parser.default_args_dict()
        assert argument_parser.default_args_dict() is once
        assert uncached() == once
        assert "expect_workers" in once and "ws_url" not in once


def test_events_are_known_by_name() -> None:
    with needed("locust", "the attributes of Events", "to fire them from any thread, and for a comparison"):
        events = Events()
        compat.event_hook(events, "own").add_listener(print)
        hooks = compat.event_hooks(events)
        assert hooks["request"] is events.request and hooks["quitting"] is events.quitting
        assert compat.event_hook(events, "own") is hooks["own"] is events.own  # type: ignore[attr-defined]
        assert compat.listeners(hooks["own"]) == [print]


def test_a_replaced_fire_is_called_by_locust_itself(environment: Environment) -> None:
    with needed("locust", "EventHook.fire", "so that events can be fired from any thread"):
        fired = []
        compat.replace_fire(environment.events.test_stop, lambda **told: fired.append(told.keys()))
        environment.create_local_runner().stop()
        assert fired == [{"environment"}]


def test_an_events_listeners_are_known_and_locusts_own_among_them(environment: Environment) -> None:
    with needed("locust", "EventHook._handlers and runners.on_request", "to add up statistics in aggregate"):
        event = EventHook()
        event.add_listener(print)
        assert compat.listeners(event) == [print]
        environment.create_local_runner()
        (own,) = compat.listeners(environment.events.request)
        assert statistics_compat.is_locusts_own(own) and not statistics_compat.is_locusts_own(needed)
        assert [compat.is_the_locustfiles(each) for each in (own, compat.listeners, needed)] == [
            False,
            False,
            True,
        ]


def test_a_runner_that_has_stopped_heeds_stops_again(environment: Environment) -> None:
    with needed("locust", "Runner.state and .update_state", "to heed a stop before the users are there"):
        runner = environment.create_local_runner()
        runner.update_state("stopped")
        compat.allow_stop(runner)
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
    with needed("locust", "the options --json and --json-file", "to forget old seconds"):
        assert statistics_compat.shows_seconds(argument_parser.get_parser().parse_args(words)) is shown
        assert statistics_compat.shows_seconds(None)
        library = Namespace(host="ws://127.0.0.1")  # made by a library's user
        assert not statistics_compat.shows_seconds(library)


HEADLESS: Final = Namespace(headless=True)


def test_charts_that_nobody_looks_at_are_forgotten(environment: Environment) -> None:
    with needed("locust", "RequestStats.history", "to forget charts"):
        runner = environment.create_local_runner()
        for _ in range(3):
            stats.update_stats_history(runner)
            statistics_compat.forget_unread(environment.stats, HEADLESS)
            assert environment.stats.history == []


def test_current_percentiles_stay_known_without_charts_and_take_no_more_with_time(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Load shapes and stop conditions are made of them, in headless runs above all."""
    with needed("locust", "StatsEntry.response_times_cache", "to be kept for current percentiles"):
        rows = [environment.stats.total, environment.stats.get("buy", "WS")]
        sizes = []
        for second in range(1_700_000_000, 1_700_000_100):
            monkeypatch.setattr(time, "time", lambda now=float(second): now)
            for row in rows:
                statistics_compat.log_many(row, [(5 if second % 100 < 60 else 9) * 1_000_000], 0)
            statistics_compat.forget_unread(environment.stats, HEADLESS)
            sizes.append([len(row.response_times_cache or ()) for row in rows])
        assert [row.get_current_response_time_percentile(0.95) for row in rows] == [9, 9]
        assert sizes[-1] == sizes[30] and max(map(max, sizes)) <= 20


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
    with needed("locust", "the options --headless, --html and --csv", "to forget charts"):
        options, rows = argument_parser.get_parser().parse_args(words), RequestStats()
        rows.history.append({})
        assert statistics_compat.shows_charts(options) is shown
        statistics_compat.forget_unread(rows, options)
        assert bool(rows.history) is shown
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


def test_another_thread_wakes_the_hub() -> None:
    with needed("gevent", "loop.async_ and its watcher's send", "to bring figures from the loop to Locust"):
        woken = gevent.event.Event()
        start_real_thread(compat.waker(woken.set), ())
        assert woken.wait(10)


def test_an_exception_reaches_the_main_greenlet() -> None:
    with needed("gevent", "Hub.handle_system_error", "so that Ctrl-C ends the run in order"):
        gevent.spawn(compat.raise_in_main_greenlet, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            gevent.sleep(5)


def test_how_far_locusts_main_has_come_is_known() -> None:
    with needed(
        "locust", "main.main and its sig_term_handler", "so that SIGTERM ends a run before Locust heeds it"
    ):
        code = ast.parse(inspect.getsource(importlib.import_module("locust.main")))
        (main,) = (node for node in code.body if isinstance(node, ast.FunctionDef) and node.name == "main")
        steps = [ast.unparse(step) for step in main.body]
        (defined,) = (at for at, step in enumerate(steps) if step.startswith("def sig_term_handler"))
        (handled,) = (
            at for at, step in enumerate(steps) if step.startswith("gevent.signal_handler(signal.SIGTERM")
        )
        between = main.body[defined + 1 : handled]
        assert all(isinstance(step, ast.FunctionDef) for step in between)
    with needed("gevent", "Hub.parent and greenlet.gr_frame", "to look at what the main greenlet does"):
        found = gevent.spawn(lambda: (compat.is_in_locusts_main(), compat.locust_ends_at_sigterm()))
        assert found.get(timeout=5) == (False, False)
        for handler, ends in (("", False), ("sig_term_handler = 1\n    ", True)):
            scope: dict[str, Any] = {"__name__": "locust.main", "wait": lambda each: each.get(timeout=5)}
            exec(f"def main(found):\n    {handler}return wait(found)", scope)
            found = gevent.spawn(lambda: (compat.is_in_locusts_main(), compat.locust_ends_at_sigterm()))
            assert scope["main"](found) == (True, ends)


def test_locust_leaves_real_threads_to_be_had() -> None:
    with needed("gevent", "monkey.get_original", "to start the thread of the users' loop"):
        assert gevent.monkey.get_original("_thread", "start_new_thread").__module__ == "_thread"


def test_running_users_are_those_of_the_group(environment: Environment) -> None:
    with needed("locust", "Runner.user_greenlets", "to drop users that do not end"):
        runner, greenlet = environment.create_local_runner(), gevent.spawn(gevent.sleep)
        runner.user_greenlets.add(greenlet)
        assert compat.running_users(runner) == [greenlet]
        greenlet.join()
        assert compat.running_users(runner) == []


def test_logging_takes_other_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    with needed("CPython", "logging._lock and Handler.createLock", "so that tasks and threads can log"):
        monkeypatch.setattr(logging, "_lock", logging._lock)  # type: ignore[attr-defined]
        monkeypatch.setattr(logging.Handler, "createLock", logging.Handler.createLock)
        earlier, lock = logging.NullHandler(), object()
        earlier.lock = lock  # type: ignore[assignment]
        monkeypatch.setattr(logging.getLogger("wsload.canary"), "handlers", [earlier])
        assert earlier in compat.log_handlers()
        compat.give_logging_real_locks()
        real = type(gevent.monkey.get_original("_thread", "RLock")())
        later = logging.StreamHandler()
        assert type(logging._lock) is type(later.lock) is real  # type: ignore[attr-defined]
        assert earlier.lock is not lock
        logging.getLogger("wsload.canary.of.a.new.name").warning("said once")


def test_a_greenlet_of_a_thread_with_a_loop_of_its_own_is_refused() -> None:
    found: list[Any] = []

    def starts() -> None:
        compat.refuse_greenlets(lambda: ValueError("never"), lambda: ValueError("no timeout"))
        for start in (
            lambda: gevent.spawn(found.append, 0),
            lambda: gevent.spawn_later(0.01, found.append, 0),
            lambda: gevent.Greenlet(found.append, 0).start(),
            lambda: gevent.Timeout(0.01).start(),
            lambda: gevent.Timeout(0.01).__enter__(),
            lambda: gevent.Timeout.start_new(0.01),
        ):
            try:
                start()
            except ValueError as error:
                found.append(str(error))
        began = time.monotonic()
        gevent.sleep(0.02)  # what time.sleep is there
        gevent.event.Event().wait(0.02)
        with contextlib.suppress(gevent.queue.Empty):
            gevent.queue.Queue().get(timeout=0.02)
        found.append(0.06 <= time.monotonic() - began < 10)
        compat.forget_hub()

    what = "loop.run_callback, loop.timer and Timeout._one_shot"
    with needed("gevent", what, "to refuse greenlets and timeouts that would never run"):
        thread = threading.Thread(target=starts)
        thread.start()
        thread.join()
        assert found == [*["never"] * 3, *["no timeout"] * 3, True]
        assert gevent.spawn(int).get(timeout=10) == 0  # elsewhere they run
