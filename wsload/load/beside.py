"""The other side of a comparison: the same users on a second server, at the same time (``--ws-beside``).

It is a second Locust environment in the same process, with user classes, a runner, statistics and a results directory
of its own. Its engine records on the same event loop, so whatever delays the load generator delays both sides alike.
Without ``--ws-beside`` none of this is used.
"""

from __future__ import annotations

import functools
import types
from argparse import Namespace
from collections.abc import Callable
from typing import Any, Final

import gevent
from locust import User
from locust.env import Environment
from locust.event import Events
from locust.runners import LocalRunner

from wsload.errors import UsageError
from wsload.load.lifecycle import Lifecycle
from wsload.load.locust.compat import (
    event_hook,
    event_hooks,
    expect_users,
    is_ending,
    is_loading,
    is_the_locustfiles,
    listeners,
    replace_fire,
    replace_start,
)
from wsload.load.locust.statistics_compat import CHART_FILES
from wsload.load.targets import settings_of, targets_of
from wsload.load.users.context.process import ProcessContext

NOT_ITS_OWN: Final = {
    "ws_beside": "",
    "ws_prometheus": "",
    **dict.fromkeys(CHART_FILES),
}
"""Options that concern the process, or its first side only."""


def add_other_side(lifecycle: Lifecycle, listen: Callable[[Lifecycle], None]) -> Lifecycle:
    """Makes the other side, which starts and ends with the first one's runner.

    ``listen`` adds wsload's listeners to the events of its environment. Raises `UsageError` where the two can't be
    loaded by one process.
    """
    first = lifecycle.environment
    options = first.parsed_options
    url: str = options.ws_beside
    _refuse_what_does_not_fit(first)
    other = Environment(
        user_classes=[_twin(each, url) for each in first.user_classes],
        events=_events_like(first.events),
        host=url,
        tags=first.tags,
        exclude_tags=first.exclude_tags,
        reset_stats=first.reset_stats,
        stop_timeout=first.stop_timeout,
        parsed_options=Namespace(
            **{
                **vars(options),
                **NOT_ITS_OWN,
                "host": url,
                "ws_build": options.ws_beside_build,
                "ws_results": options.ws_beside_results or options.ws_results,
            }
        ),
        dispatcher_class=first.dispatcher_class,
    )
    if set(targets_of(first, settings_of(first, host_known=True))) & set(
        targets_of(other, settings_of(other, host_known=True))
    ):
        raise UsageError("argument --ws-beside: both sides would open the same URL: leave --ws-url out")
    if options.equal_weights:  # Locust does so later, to the first side's classes
        other.assign_equal_weights()
    runner = other.create_local_runner()
    ProcessContext.beside(other, first)
    partner = Lifecycle(other)
    lifecycle.pair_with(partner)
    _start_together(first.runner, runner)
    listen(partner)
    first.events.test_stopping.add_listener(lambda **_: gevent.spawn(_end, runner, runner.stop))
    # After StopTest on one side, the other has no partner any more.
    other.events.test_stopping.add_listener(lambda **_: gevent.spawn(_end, first.runner, first.runner.quit))
    other.events.init.fire(environment=other, runner=runner, web_ui=None)
    return partner


def _end(runner: LocalRunner, how: Callable[[], object]) -> None:
    if not is_ending(runner):
        how()


def _refuse_what_does_not_fit(environment: Any) -> None:
    options = environment.parsed_options
    if not options.headless:
        raise UsageError("argument --ws-beside: requires --headless, since the web UI shows only one side")
    if not isinstance(environment.runner, LocalRunner):
        raise UsageError("argument --ws-beside: both sides run in one process: use no master or workers")
    if not environment.host:
        raise UsageError("argument --ws-beside: set the first side's server with --host")
    if options.ws_beside_build == (options.ws_build or "dev"):
        raise UsageError(f"argument --ws-beside-build: both builds are called {options.ws_beside_build!r}")
    if options.ws_beside == environment.host:
        raise UsageError("argument --ws-beside: it is the same URL as --host")


def _twin(user_class: type[User], url: str) -> type[User]:
    """A class of its own, since Locust sets the host on the class."""
    own = {"host": url, "abstract": False, "__module__": user_class.__module__, "__slots__": ()}
    made: type[User] = types.new_class(
        user_class.__name__, (user_class,), exec_body=lambda body: body.update(own)
    )
    return made


def _events_like(events: Events) -> Events:
    """New events, with the locustfile's listeners but neither Locust's nor wsload's."""
    own = Events()
    for name, event in event_hooks(events).items():
        hook = event_hook(own, name)
        for each in listeners(event):
            if is_the_locustfiles(each):
                hook.add_listener(each)
    return own


def _start_together(first: LocalRunner, other: LocalRunner) -> None:
    """Passes each start of the first runner on to the other; the initial one once both runs have begun."""
    start = first.start
    initial: list[functools.partial[None]] = []

    @functools.wraps(start)
    def start_both(user_count: int, *args: Any, **settings: Any) -> None:
        # Known before its users come: they share the rate.
        expect_users(other, user_count)
        begins = not is_loading(first)
        start(user_count, *args, **settings)
        order = functools.partial(other.start, user_count, *args, **settings)
        if begins:
            initial[:] = [order]
        else:
            order()

    test_start = first.environment.events.test_start
    begin = test_start.fire

    @functools.wraps(begin)
    def begin_and_follow(**arguments: Any) -> None:
        begin(**arguments)
        while initial:
            initial.pop()()

    replace_start(first, start_both)
    replace_fire(test_start, begin_and_follow)
