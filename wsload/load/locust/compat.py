"""Everything that wsload uses of Locust, gevent and ``logging`` without their documentation promising it.

No other file uses such a name. Each function says what it relies on and why. Each has a canary in
``tests/unit/test_locust_compat.py``, which names the dependency and version when a release changes it.
"""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

import gevent
import gevent.hub
import gevent.monkey
import numpy as np
from locust import User, argument_parser, stats
from locust.event import EventHook
from locust.runners import (
    STATE_CLEANUP,
    STATE_INIT,
    STATE_MISSING,
    STATE_STOPPED,
    MasterRunner,
    Runner,
    WorkerRunner,
)
from locust.stats import RequestStats, StatsEntry, StatsError
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_STOPPING

# Locust's users


def mark_running(user: User) -> None:
    """Sets the user's ``_state`` to running: Locust refuses to stop a user in an unknown state."""
    user._state = LOCUST_STATE_RUNNING


def mark_stopping(user: User) -> None:
    """Sets the user's ``_state`` to stopping: Locust then waits for the user without asking it to stop again."""
    user._state = LOCUST_STATE_STOPPING


def join_group(user: User, group: Any, handle: Any) -> None:
    """Adds the user's handle to Locust's group of users, where `User.start` would put a greenlet.

    ``_greenlet`` and ``_group`` back ``User.greenlet`` and ``User.group``. Of a group's members gevent only uses
    ``rawlink``, ``dead`` and ``kill``, and Locust ``args`` and ``name``.
    """
    user._group, user._greenlet = group, handle
    group.add(handle)


# Locust's runners


def is_ending(runner: Runner) -> bool:
    """Whether the runner is stopping its users, or has stopped them."""
    return runner.state in (STATE_CLEANUP, STATE_STOPPED)


def heed_stops(runner: Runner) -> None:
    """Makes a runner that begins its next run heed a stop: while its ``state`` is stopped, it ignores them."""
    if runner.state == STATE_STOPPED:
        runner.update_state(STATE_INIT)


def wanted_users(runner: Runner | None, kind: type[User]) -> int:
    """The target number of users of a kind, over all processes; known from the start of the ramp on.

    Until the ramp is over Locust does not tell how many users of each class it starts. Then this computes it as the
    dispatcher does, fixed counts first and the rest by weight. ``run_single_user`` has no runner.
    """
    if runner is None:
        return 1
    total, classes = runner.target_user_count, runner.user_classes
    if all(issubclass(each, kind) for each in classes):
        return int(total)
    counts = runner.target_user_classes_count
    ours = [each for each in classes if issubclass(each, kind)]
    if sum(counts.values()) == total:
        return int(sum(counts.get(each.__name__, 0) for each in ours))
    fixed, fixed_ours = (sum(each.fixed_count for each in group) for group in (classes, ours))
    if total <= fixed:
        return round(total * fixed_ours / fixed)
    weight, weight_ours = (
        sum(each.weight for each in group if not each.fixed_count) for group in (classes, ours)
    )
    return int(fixed_ours + (round((total - fixed) * weight_ours / weight) if weight else 0))


def worker_is_gone(runner: MasterRunner) -> Callable[[str], bool]:
    """A function that tells, by worker id, whether the worker has quit or the master has given it up."""

    def gone(worker: str) -> bool:
        node = runner.clients.get(worker)
        return node is None or node.state == STATE_MISSING

    return gone


def send_last_statistics(runner: WorkerRunner) -> None:
    """Sends the worker's statistics now, because after Ctrl-C its master does not wait for the next report."""
    runner._send_stats()


def cache_option_defaults() -> None:
    """Makes Locust compute the defaults of its options only once.

    A worker builds a parser of all options for each of some hundred options whenever the master tells it how
    many users to run. That takes 0.3 s, once a second during a ramp, in which the users' loop gets half of the
    interpreter (Locust 2.47, ``WorkerRunner.handle_message``). The defaults are those without a locustfile's
    options, so they don't change.
    """
    if defaults := getattr(argument_parser, "default_args_dict", None):
        argument_parser.default_args_dict = functools.cache(defaults)


# Locust's web UI


def options_in_the_form() -> frozenset[str]:
    """The options that are fields of the start form, besides Locust's own fields."""
    return frozenset(argument_parser.ui_extra_args_dict())


def element_tab(title: str, key: str, element: str) -> dict[str, str]:
    """An extended tab of the web UI that shows an HTML element instead of a table.

    Locust's page renders a tab as ``component``, a React component, of which React takes a string for an element's
    name. Its documentation only tells of tables.
    """
    return {"title": title, "key": key, "component": element}


# Locust's statistics


def listeners(event: EventHook) -> list[Any]:
    """The listeners of an event, in order."""
    return list(event._handlers)


def is_locusts_own(listener: Any) -> bool:
    """Whether a ``request`` listener is the one with which a runner keeps its statistics."""
    return bool(listener.__module__ == "locust.runners" and listener.__name__ == "on_request")


_locusts_rounding: Final = stats.bucket_response_time
SECONDS_KEPT: Final = 60
_FEW: Final = 100
"""Up to this many values a loop is faster than numpy."""


def log_many(entry: StatsEntry, values: list[int], content_length: int) -> None:
    """Does for many response times (ns) at once what ``StatsEntry.log`` does for one."""
    now = time.time()
    second = int(now)
    last = entry.last_request_timestamp
    if entry.use_response_times_cache and last and second > int(last):
        entry._cache_response_times(second - 1)  # the charts of percentiles need it
    entry.num_requests += len(values)
    entry.num_reqs_per_sec[second] += len(values)
    entry.last_request_timestamp = now
    entry.total_response_time += sum(values) / 1e6  # type: ignore[assignment]  # ms with fractions
    least, most = min(values) / 1e6, max(values) / 1e6
    known = entry.min_response_time
    entry.min_response_time = least if known is None else min(known, least)  # type: ignore[assignment]
    entry.max_response_time = max(entry.max_response_time, most)  # type: ignore[assignment]
    entry.total_content_length += content_length
    for value, number in _rounded(values):
        entry.response_times[value] += number


def fail_many(stats: RequestStats, kind: str, name: str, error: Exception, ages: list[int]) -> None:
    """Does for many requests that failed alike what Locust does for one; ``ages`` are in ns, -1 if unknown."""
    entries, timed = (stats.total, stats.get(name, kind)), [age for age in ages if age >= 0]
    for entry in entries:
        if timed:
            log_many(entry, timed, 0)
        if untimed := len(ages) - len(timed):
            entry.log(None, 0)  # type: ignore[arg-type]  # as Locust itself does
            entry.num_requests += untimed - 1
            entry.num_none_requests += untimed - 1
            entry.num_reqs_per_sec[int(time.time())] += untimed - 1
    stats.log_error(kind, name, error)
    further = len(ages) - 1
    stats.errors[StatsError.create_key(kind, name, error)].occurrences += further
    for entry in entries:
        entry.num_failures += further
        entry.num_fail_per_sec[int(time.time())] += further


def shows_seconds(options: Any) -> bool:
    """Whether Locust's statistics are shown second by second in the end: ``--json``. A library's user may, too."""
    return options is None or any(getattr(options, name, None) for name in ("json", "json_file"))


def forget_seconds(stats: RequestStats) -> None:
    """Drops the counts of old seconds: Locust keeps all, 0.4 MB an hour for each row, and looks at twelve."""
    for entry in (stats.total, *stats.entries.values()):
        for counts in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
            if len(counts) > 2 * SECONDS_KEPT:
                for second in sorted(counts)[:-SECONDS_KEPT]:
                    del counts[second]


def _rounded(values: list[int]) -> Iterable[tuple[int, int]]:
    """Counts the values (ns) by ms as Locust rounds them: to two digits, or with a custom function."""
    if (round_one := stats.bucket_response_time) is not _locusts_rounding:
        return Counter(int(round_one(value / 1e6)) for value in values).items()
    if len(values) <= _FEW:
        return Counter(map(_rounded_one, values)).items()
    milliseconds = np.array(values, dtype=np.int64) / 1e6
    steps = np.select([milliseconds < 100, milliseconds < 1000, milliseconds < 10000], [1, 10, 100], 1000)
    found = np.unique(np.round(milliseconds / steps).astype(np.int64) * steps, return_counts=True)
    return zip(*(each.tolist() for each in found), strict=True)


def _rounded_one(value: int) -> int:
    milliseconds = value / 1e6
    step = 1 if milliseconds < 100 else 10 if milliseconds < 1000 else 100 if milliseconds < 10000 else 1000
    return round(milliseconds / step) * step


def running_users(runner: Runner) -> list[Any]:
    """The handles or greenlets of the users that have not ended."""
    return list(runner.user_greenlets)


# gevent and CPython


def refuse_greenlets(refusal: Callable[[], Exception]) -> None:
    """Makes starting a greenlet on this thread raise ``refusal()``, be it ``gevent.spawn`` or ``threading.Thread``.

    A greenlet only runs while its thread's hub does. On a thread with another loop it would silently wait forever.
    Blocking functions that gevent has replaced (``time.sleep``, sockets) still work. `forget_hub` undoes it.
    """

    def checked(callback: Any) -> None:
        if isinstance(getattr(callback, "__self__", None), gevent.Greenlet):
            raise refusal()

    class Timer:
        def __init__(self, timer: Any) -> None:
            self._timer = timer

        def __getattr__(self, name: str) -> Any:
            return getattr(self._timer, name)

        def __enter__(self) -> Timer:
            return self

        def __exit__(self, *error: object) -> None:
            self._timer.close()

        def start(self, callback: Any, *args: Any, **settings: Any) -> None:
            checked(callback)
            self._timer.start(callback, *args, **settings)

    class Loop(type(gevent.get_hub().loop)):  # type: ignore[misc]
        def run_callback(self, callback: Any, *args: Any) -> Any:
            checked(callback)
            return super().run_callback(callback, *args)

        def timer(self, *args: Any, **settings: Any) -> Timer:
            return Timer(super().timer(*args, **settings))

    gevent.hub.set_hub(gevent.hub.Hub(loop=Loop(default=False)))


def forget_hub() -> None:
    """Frees this thread's hub."""
    gevent.get_hub().destroy(destroy_loop=True)


current_frames: Final = sys._current_frames
"""The innermost frame of each thread, by its real id."""


def raise_in_main_greenlet(error: BaseException) -> None:
    """Raises the exception in the main greenlet, as gevent does with exceptions that end the process."""
    gevent.get_hub().handle_system_error(type(error), error)


def give_logging_real_locks() -> None:
    """Makes logging thread-safe again, after gevent has replaced its locks.

    If two threads want the same gevent lock, the loop's thread blocks forever, because it waits for a hub that
    does not run there. ``_lock`` guards logging's own tables; ``createLock`` makes that of a handler.
    """
    make_lock = gevent.monkey.get_original("_thread", "RLock")

    def create_lock(handler: logging.Handler) -> None:
        handler.lock = make_lock()

    logging._lock = make_lock()  # type: ignore[attr-defined]
    logging.Handler.createLock = create_lock  # type: ignore[method-assign,assignment]
    for handler in {*log_handlers(), logging.lastResort}:
        if handler is not None:
            handler.createLock()


def log_handlers() -> list[logging.Handler]:
    """The handlers of all loggers."""
    loggers = (logging.root, *logging.root.manager.loggerDict.values())
    return [handler for logger in loggers for handler in getattr(logger, "handlers", ())]
