"""What wsload uses of Locust's runners and events, gevent and ``logging`` without their documentation promising it.

Locust's statistics are in ``statistics_compat.py``, its users in `wsload.load.users.locust_compat`, its web page in
`wsload.load.watch.web_ui_compat`. Each function says what it relies on and why, and has a canary in
tests/unit/test_locust_compat.py, which names the dependency and version when a release changes it.
"""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import gevent
import gevent.hub
import gevent.monkey
from locust import User, argument_parser
from locust.event import EventHook, Events
from locust.rpc import Message
from locust.runners import (
    STATE_CLEANUP,
    STATE_INIT,
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    MasterRunner,
    Runner,
    WorkerRunner,
)

# Locust's runners


def is_loading(runner: Runner) -> bool:
    """Whether the runner is starting its users, or has started them."""
    return runner.state in (STATE_SPAWNING, STATE_RUNNING)


def is_ending(runner: Runner) -> bool:
    """Whether a local or worker's runner is stopping its users, or has stopped them; a master's has another state."""
    return runner.state in (STATE_CLEANUP, STATE_STOPPED)


def allow_stop(runner: Runner) -> None:
    """Makes a runner that begins its next run obey a stop, which it would ignore while its ``state`` is stopped."""
    if runner.state == STATE_STOPPED:
        runner.update_state(STATE_INIT)


def replace_start(runner: Runner, start: Callable[..., None]) -> None:
    """Replaces the runner's ``start``, which is called to start users or to change their number."""
    runner.start = start  # type: ignore[method-assign]


def wrap_switching(runner: Runner, wrapped: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Replaces the methods of a runner that switch greenlets, each by what ``wrapped`` makes of it."""
    for name in ("start", "start_shape", "stop", "quit", "spawn_users", "stop_users", "send_message"):
        setattr(runner, name, wrapped(getattr(runner, name)))


def expect_users(runner: Runner, number: int) -> None:
    """Sets the target number of users of a runner that is started a little later, for `wanted_users`."""
    runner.target_user_count = number


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


def sender_of(message: Message) -> str:
    """The id of the worker that sent the message to its master."""
    worker: str = message.node_id
    return worker


def worker_is_gone(runner: MasterRunner) -> Callable[[str], bool]:
    """A function that tells, by worker id, whether the worker has quit or the master has given it up."""

    def gone(worker: str) -> bool:
        node = runner.clients.get(worker)
        return node is None or node.state == STATE_MISSING

    return gone


def workers_at_hand(runner: MasterRunner) -> list[str]:
    """The ids of the workers from which the master orders users when it starts: all that it has not given up."""
    nodes = runner.clients
    return [node.id for node in (*nodes.ready, *nodes.spawning, *nodes.running)]


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


def running_users(runner: Runner) -> list[Any]:
    """The handles or greenlets of the users that have not ended."""
    return list(runner.user_greenlets)


# Locust's events


def event_hooks(events: Events) -> dict[str, EventHook]:
    """The events by name, those that a locustfile has added among them."""
    return {name: event for name, event in vars(events).items() if isinstance(event, EventHook)}


def event_hook(events: Events, name: str) -> EventHook:
    """The event of this name, which is added if there is none."""
    hook: EventHook = vars(events).setdefault(name, EventHook())
    return hook


def listeners(event: EventHook) -> list[Any]:
    """The listeners of an event, in order."""
    return list(event._handlers)


def is_the_locustfiles(listener: Any) -> bool:
    """Whether a listener belongs to neither Locust, whose own are in its modules, nor wsload."""
    return not getattr(listener, "__module__", "").startswith(("locust.", "wsload."))


def replace_fire(event: EventHook, fire: Callable[..., None]) -> None:
    """Replaces the event's ``fire``."""
    event.fire = fire  # type: ignore[method-assign]


# Locust's main function


def is_in_locusts_main() -> bool:
    """Whether this process is a ``locust`` command that has begun; called off the main greenlet."""
    return _main_frame() is not None


def locust_ends_at_sigterm() -> bool:
    """Whether Locust's ``main`` has come to the point where it handles SIGTERM; called off the main greenlet."""
    frame = _main_frame()
    return frame is not None and "sig_term_handler" in frame.f_locals


def _main_frame() -> FrameType | None:
    frame: FrameType | None = gevent.get_hub().parent.gr_frame
    while frame is not None and (frame.f_globals.get("__name__"), frame.f_code.co_name) != (
        "locust.main",
        "main",
    ):
        frame = frame.f_back
    return frame


# gevent and CPython


def waker(callback: Callable[[], object]) -> Callable[[], None]:
    """A function for any thread, after which this thread's hub calls ``callback`` soon, perhaps once for several calls.

    It is the ``send`` of a gevent ``async`` watcher, which it keeps alive.
    """
    watcher = gevent.get_hub().loop.async_(ref=False)
    watcher.start(callback)
    send: Callable[[], None] = watcher.send
    return send


def refuse_greenlets(refusal: Callable[[], Exception], no_timeout: Callable[[], Exception]) -> None:
    """Makes starting a greenlet on this thread raise ``refusal()``, be it ``gevent.spawn`` or ``threading.Thread``.

    A greenlet only runs while its thread's hub does. On a thread with another loop it would silently wait forever, and
    a ``gevent.Timeout`` would never end an await: starting one raises ``no_timeout()``. Blocking functions that gevent
    has replaced (``time.sleep``, sockets) still work; their own timeouts are one-shot. `forget_hub` undoes it.
    """

    def checked(callback: Any) -> None:
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, gevent.Greenlet):
            raise refusal()
        if isinstance(owner, gevent.Timeout) and not owner._one_shot:
            raise no_timeout()

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
