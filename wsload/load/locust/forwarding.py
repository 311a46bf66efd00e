"""Forwards calls of Locust's objects to the hub's thread.

``environment.runner.quit()`` in a task is Locust's documented way to end a run, and
``environment.events.request.fire(...)`` its way to record a custom time. Both switch greenlets: on another
thread they would start a second hub and block it forever. So these methods check the calling thread, and
forward the call to the hub's thread if it is another.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import gevent

from wsload.load.locust.bridge import Bridge
from wsload.load.locust.compat import event_hooks, replace_fire, wrap_switching
from wsload.load.locust.ending import Listeners
from wsload.load.locust.other_requests import OtherRequests
from wsload.load.locust.threads import thread_id

ENDINGS: Final = frozenset(("stop", "quit"))
"""Methods that end a run."""


def accept_calls_from_any_thread(environment: Any, bridge: Bridge, requests: OtherRequests) -> None:
    """Makes the runner and events callable from any thread. Call it on the hub's thread.

    A forwarded call returns None at once. A forwarded ``request`` event is recorded at once, without waiting for slow
    listeners.
    """
    hubs_thread = thread_id()
    at_work: set[str] = set()
    listeners = Listeners(environment)

    def forwarded(method: Callable[..., Any], carry: Callable[..., object]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            if thread_id() != hubs_thread:
                carry(functools.partial(method, *args, **kwargs))
                return None
            if method.__name__ in ENDINGS:  # perhaps in a listener, and ending a run calls listeners
                bridge.listeners.hand_over()
            return method(*args, **kwargs)

        call.from_any_thread = True  # type: ignore[attr-defined]
        return call

    def to_listeners(job: functools.partial[Any]) -> None:
        bridge.to_listeners(functools.partial(listeners.call, job.func, **job.keywords))

    def request_to_listeners(job: functools.partial[Any]) -> None:
        to_listeners(functools.partial(job.func, **requests.recorded(job.keywords)))

    def in_a_greenlet(job: functools.partial[Any]) -> None:
        # In a greenlet, since ending a run takes time; and only once, even if all users ask for it.
        name = job.func.__name__
        if name in at_work:
            return
        if name in ENDINGS:
            at_work.add(name)
        bridge.to_hub(lambda: gevent.spawn(job).link(lambda _: at_work.discard(name)))

    if environment.runner is not None:
        wrap_switching(environment.runner, lambda method: forwarded(method, in_a_greenlet))
    for event in event_hooks(environment.events).values():
        if not hasattr(event.fire, "from_any_thread"):
            is_request = event is environment.events.request
            replace_fire(event, forwarded(event.fire, request_to_listeners if is_request else to_listeners))
