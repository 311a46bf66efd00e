"""wsload's listeners of Locust's events, which pass each event to the environment's `Lifecycle`."""

from __future__ import annotations

import functools
import gc
import logging
from typing import Any

import gevent
from locust import events
from locust.event import Events
from locust.runners import MasterRunner

from wsload.errors import UsageError
from wsload.exit_codes import ExitCode
from wsload.load.beside import add_other_side
from wsload.load.engine.limits import raise_file_limit
from wsload.load.lifecycle import Lifecycle, refuse, settings_of, targets_of
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
from wsload.load.options.settings import Settings
from wsload.load.options.table import add_options
from wsload.load.users.process import newcomers
from wsload.load.watch.ending_page import keep_polling
from wsload.load.watch.live_page import add_live_page
from wsload.load.watch.observers import watch_from_outside
from wsload.load.watch.page_secrets import PageSecrets
from wsload.load.watch.start_form import StartForm, refuse_a_busy_port, warn_of_an_open_page
from wsload.load.watch.web_ui_compat import is_serving

logger = logging.getLogger("wsload")

_lifecycles: dict[int, Lifecycle] = {}


def _hurry() -> None:
    for lifecycle in _lifecycles.values():
        lifecycle.hurry()


def _end() -> None:
    """Ends the process at a signal that Locust doesn't handle."""
    if any(lifecycle.is_ending for lifecycle in _lifecycles.values()):
        return
    begun = any(lifecycle.is_running for lifecycle in _lifecycles.values())
    if begun or not is_in_locusts_main():
        raise_in_main_greenlet(KeyboardInterrupt())
        return
    logger.error("Ended before the run began")
    for lifecycle in _lifecycles.values():
        if isinstance(lifecycle.runner, MasterRunner):
            lifecycle.runner.quit()  # and so the workers that have come
    raise_in_main_greenlet(SystemExit(ExitCode.NOTHING_MEASURED))


_signals = EndSignals(on_unhandled=_end, on_again=_hurry)


def _of(environment: Any) -> Lifecycle:
    key = id(environment)
    if key not in _lifecycles:
        _lifecycles[key] = Lifecycle(environment)
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
    raise_file_limit()
    output.install()
    _signals.take()
    _update_clock()
    lifecycle = _of(environment)
    fire_once(events, lifecycle.conclude)
    if getattr(environment.parsed_options, "ws_beside", ""):
        try:
            partner = add_other_side(lifecycle, _listen)
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
                lambda options, host: targets_of(environment, Settings.of(options), form_host=host),
                lambda: lifecycle.is_ending,
            )
            warn_of_an_open_page(environment.parsed_options)


def _on_reset(**_: Any) -> None:
    for lifecycle in _lifecycles.values():
        lifecycle.reset()


def _on_spawning_complete(**_: Any) -> None:
    for lifecycle in _lifecycles.values():
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
    remember_exit_code(exit_code)
    for lifecycle in _lifecycles.values():
        lifecycle.quit(exit_code)
    _signals.release()


def _adopt(environment: Any) -> None:
    """Listens to the events of an environment that was created by hand, from its first user on."""
    if environment.events is not events:
        _listen(environment.events)
        if environment.runner is not None and is_loading(environment.runner):
            _of(environment).test_start()


def _listen(to: Events) -> None:
    to.test_start.add_listener(lambda environment, **_: _of(environment).test_start())
    to.test_stopping.add_listener(lambda environment, **_: _of(environment).test_stopping())
    to.test_stop.add_listener(lambda environment, **_: _of(environment).test_stop())
    to.quitting.add_listener(lambda environment, **_: _of(environment).quitting())
    to.spawning_complete.add_listener(_on_spawning_complete)
    to.reset_stats.add_listener(_on_reset)
    to.quit.add_listener(_on_quit)


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
    _listen(events)
    newcomers.append(_adopt)
    _update_clock()
