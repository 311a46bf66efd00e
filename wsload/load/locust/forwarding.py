"""What a user class calls on Locust's objects, from the loop's thread or one of its own, reaches the hub.

``environment.runner.quit()`` in a task is Locust's documented way to end a run, and
``environment.events.request.fire(...)`` its way to record a time of one's own. Both work with greenlets: on
another thread they would start a second hub, and block it for good. So the methods of this runner and of
these events look at the thread they are called on, and hand the call to the hub's where it is another one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import gevent
from locust.event import EventHook

from wsload.load.locust.bridge import Bridge
from wsload.load.locust.ending import Listeners
from wsload.load.locust.other_requests import OtherRequests
from wsload.load.locust.threads import thread_id

RUNNERS_METHODS: Final = ("start", "start_shape", "stop", "quit", "spawn_users", "stop_users", "send_message")
"""Those of a runner that switch greenlets."""
ENDINGS: Final = frozenset(("stop", "quit"))
"""Those that end a run."""


def accept_calls_from_any_thread(environment: Any, bridge: Bridge, requests: OtherRequests) -> None:
    """From now on; to be called on the hub's thread. A call that is handed over returns None at once.

    A ``request`` event is recorded at once too: listeners that take their time do not delay its recording.
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
            if method.__name__ in ENDINGS:  # in a listener: the run's end includes calling listeners
                bridge.listeners.hand_over()
            return method(*args, **kwargs)

        call.from_any_thread = True  # type: ignore[attr-defined]
        return call

    def to_listeners(job: functools.partial[Any]) -> None:
        bridge.to_listeners(functools.partial(listeners.call, job.func, **job.keywords))

    def request_to_listeners(job: functools.partial[Any]) -> None:
        to_listeners(functools.partial(job.func, **requests.recorded(job.keywords)))

    def in_a_greenlet(job: functools.partial[Any]) -> None:
        # They switch greenlets, and an ending takes its time. When all users ask for it, once is enough.
        name = job.func.__name__
        if name in at_work:
            return
        if name in ENDINGS:
            at_work.add(name)
        bridge.to_hub(lambda: gevent.spawn(job).link(lambda _: at_work.discard(name)))

    for name in RUNNERS_METHODS if environment.runner is not None else ():
        setattr(environment.runner, name, forwarded(getattr(environment.runner, name), in_a_greenlet))
    for event in vars(environment.events).values():
        if isinstance(event, EventHook) and not hasattr(event.fire, "from_any_thread"):
            is_request = event is environment.events.request
            event.fire = forwarded(event.fire, request_to_listeners if is_request else to_listeners)  # type: ignore[method-assign]
