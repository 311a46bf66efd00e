"""wsload's listeners of Locust's events, which pass each event to the environment's `Lifecycle`."""

from __future__ import annotations

import functools
import gc
import logging
import weakref
from collections.abc import Callable
from typing import Any, Final

import gevent
from locust import events
from locust.event import EventHook, Events
from locust.runners import MasterRunner, WorkerRunner

from wsload.errors import UsageError
from wsload.exit_codes import ExitCode
from wsload.load.beside import add_other_side
from wsload.load.engine.limits import raise_file_limit
from wsload.load.lifecycle import Lifecycle, refuse
from wsload.load.locust import output
from wsload.load.locust.compat import (
    cache_option_defaults,
    is_in_locusts_main,
    is_loading,
    raise_in_main_greenlet,
)
from wsload.load.locust.exit import remember_exit_code
from wsload.load.locust.mistakes import show_in_one_line
from wsload.load.locust.quitting import fire_once
from wsload.load.locust.signals import EndSignals
from wsload.load.locust.starting import fire_around
from wsload.load.options.settings import Settings
from wsload.load.options.table import OwnOptions, add_options
from wsload.load.targets import settings_of, targets_of
from wsload.load.users.context.process import ProcessContext, context_listeners
from wsload.load.watch.ending_page import keep_polling
from wsload.load.watch.live_page import add_live_page
from wsload.load.watch.observers import watch_from_outside
from wsload.load.watch.page_secrets import PageSecrets
from wsload.load.watch.start_form import StartForm, refuse_a_busy_port, warn_of_an_open_page
from wsload.load.watch.web_ui_compat import is_serving

logger = logging.getLogger("wsload")

ALONE: Final = (
    "wsload as a library only generates load from its own process, with create_local_runner(): "
    "for a master and workers, use the locust command"
)
INIT_STEP_S: Final = 0.01
_own_options: Final = OwnOptions()
_refused: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
_lifecycles: dict[int, Lifecycle] = {}
"""Those of environments with Locust's global events, which are the ``locust`` command's and ``run_single_user``'s, and
the other side of a comparison."""


def _hurry() -> None:
    for lifecycle in _lifecycles.values():
        lifecycle.hurry()


def _end() -> None:
    """Ends the process at a signal that Locust doesn't handle."""
    if any(lifecycle.is_ending for lifecycle in _lifecycles.values()):
        return
    begun = any(lifecycle.is_running or lifecycle.is_starting for lifecycle in _lifecycles.values())
    if begun or not is_in_locusts_main():
        raise_in_main_greenlet(KeyboardInterrupt())
        return
    if any(lifecycle.run is not None for lifecycle in _lifecycles.values()):
        return  # it has ended, and Locust is about to leave
    logger.error("Ended before the run began")
    for lifecycle in _lifecycles.values():
        if isinstance(lifecycle.runner, MasterRunner):
            lifecycle.runner.quit()  # so that connected workers quit too
    raise_in_main_greenlet(SystemExit(ExitCode.NOTHING_MEASURED))


def _is_unjudged() -> bool:
    return any(each.is_starting or each.is_running or each.is_ending for each in _lifecycles.values())


_signals = EndSignals(on_unhandled=_end, on_again=_hurry, is_unjudged=_is_unjudged)


def _of(environment: Any) -> Lifecycle:
    key = id(environment)
    if key not in _lifecycles:
        _lifecycles[key] = Lifecycle(environment)
        _lifecycles[key].on_end = _signals.run_ended
    return _lifecycles[key]


def _on_init(environment: Any, **_: Any) -> None:
    try:
        # The host may come later, from an embedded server, the start form or the master.
        settings = settings_of(environment, host_known=False)
        if environment.web_ui is not None and not is_serving(environment.web_ui):
            refuse_a_busy_port(environment.web_ui)
        watch_from_outside(environment, settings, lambda: _of(environment).run)
    except UsageError as error:
        refuse(error)
    if isinstance(environment.runner, WorkerRunner):
        _own_options.remember(environment.parsed_options)
    raise_file_limit()
    output.install()
    _signals.take()
    _update_clock()
    lifecycle = _of(environment)
    fire_once(events, functools.partial(_before_quitting, lifecycle), lifecycle.set_exit_code)
    if getattr(environment.parsed_options, "ws_beside", ""):
        try:
            partner = add_other_side(lifecycle, _listen_for)
        except UsageError as error:
            refuse(error)
        _lifecycles[id(partner.environment)] = partner
    if environment.web_ui is not None:
        add_live_page(environment, lambda: lifecycle.run)
        if environment.parsed_options is not None:
            PageSecrets(environment)
            keep_polling(environment)
            StartForm(
                environment,
                lambda options, **how: targets_of(environment, Settings.of(options), **how),
                lambda: lifecycle.is_ending,
            )
            warn_of_an_open_page(environment.parsed_options)


def _before_quitting(lifecycle: Lifecycle) -> None:
    _signals.leave()
    lifecycle.settle()


def _before_test_start(lifecycle: Lifecycle) -> None:
    _own_options.restore(lifecycle.environment.parsed_options)
    lifecycle.before_test_start()


def _ramped_up(lifecycle: Lifecycle) -> None:
    if lifecycle.environment.reset_stats:
        lifecycle.reset()
    lifecycle.ramped_up()
    # Users live as long as the run, so the garbage collector need not traverse them. The last one arrives within a
    # second.
    gevent.spawn_later(1, _freeze)


def _freeze() -> None:
    # Collects the two youngest generations, which is fast; the oldest was collected at the start.
    gc.collect(1)
    gc.freeze()


def _on_quit(exit_code: int = 1, **_: Any) -> None:
    """Locust's command ends, and both sides of a comparison with it."""
    remember_exit_code(exit_code)
    for lifecycle in _lifecycles.values():
        lifecycle.quit(exit_code)
    _signals.release()


def _adopt(environment: Any) -> None:
    """Listens to the events of an environment that was created by hand, from its first user on."""
    if not _can_be_loaded(environment):
        ProcessContext.of(environment).refused = True
        gevent.spawn(environment.runner.quit)
    elif environment.events is not events:
        own = functools.cache(lambda: Lifecycle(environment))  # not yet: its runner may be created later
        _listen(environment.events, lambda _: [own()])
        environment.events.quit.add_listener(lambda exit_code=1, **_: own().quit(exit_code))
        if environment.runner is not None and is_loading(environment.runner):
            own().before_test_start()
            own().test_start()


def _listen_for(lifecycle: Lifecycle) -> None:
    """Listens to an environment's own events."""
    _listen(lifecycle.environment.events, lambda _: [lifecycle])


def _can_be_loaded(environment: Any) -> bool:
    """Whether this process can take part in a run; if not, says why."""
    alone = not isinstance(environment.runner, MasterRunner | WorkerRunner)
    if alone or hasattr(environment.parsed_options, "ws_results"):
        return True
    if environment not in _refused:
        _refused.add(environment)
        logger.error("The run was not started: %s", ALONE)
    return False


def _await_init(environment: Any) -> None:
    """Waits until a worker is complete: one that joins a run gets its users' number while its runner is being made."""
    while id(environment) not in _lifecycles and getattr(environment.parsed_options, "worker", False):
        gevent.sleep(INIT_STEP_S)


def _of_global_events(environment: Any) -> list[Lifecycle]:
    if environment is not None:
        _await_init(environment)
        return [_of(environment)] if id(environment) in _lifecycles or _can_be_loaded(environment) else []
    return [each for each in _lifecycles.values() if each.environment.events is events]


def _listen(to: Events, concerned: Callable[[Any], list[Lifecycle]]) -> None:
    """``concerned`` says which lifecycles an event is about, given its environment; some events don't name one."""

    def listener(what: Callable[[Lifecycle], object]) -> Callable[..., None]:
        def listen(environment: Any = None, **_: Any) -> None:
            for lifecycle in concerned(environment):
                what(lifecycle)

        return listen

    def tell(hook: EventHook, what: Callable[[Lifecycle], object]) -> None:
        hook.add_listener(listener(what))

    fire_around(to.test_start, listener(_before_test_start), listener(Lifecycle.test_start))
    tell(to.test_stopping, Lifecycle.test_stopping)
    tell(to.test_stop, Lifecycle.test_stop)
    tell(to.quitting, Lifecycle.quitting)
    tell(to.spawning_complete, _ramped_up)
    tell(to.reset_stats, Lifecycle.reset)


def _update_clock() -> None:
    # gevent's timers count from the hub's cached time, which is from before the imports: without this a run with
    # --run-time 2s ends after one second.
    gevent.get_hub().loop.update_now()


@functools.cache
def install() -> None:
    """Adds wsload to Locust's events, once, when a locustfile first imports a user class."""
    show_in_one_line()
    cache_option_defaults()
    events.init_command_line_parser.add_listener(lambda parser, **_: add_options(parser, labelled=True))
    events.init.add_listener(_on_init)
    _listen(events, _of_global_events)
    events.quit.add_listener(_on_quit)
    context_listeners.append(_adopt)
    _update_clock()
