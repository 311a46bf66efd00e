"""A handle on a user, for Locust's groups of greenlets, but without a greenlet.

A user's greenlet would only wait for the coroutine, and keep its C stack and the first page of a Python stack
for that: 8 KiB of a user's 29. All that a group does with its members is link, kill and join them.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

import gevent
from locust.exception import StopTest

from wsload.load.locust.bridge import Completion
from wsload.load.locust.ending import end_run

PATIENCE_S: Final = 1.0
"""How long a user is waited for after its connections were dropped."""


class UserHandle(Completion):
    """Completes with the user's coroutine; ``args`` holds the user, where Locust looks for it."""

    __slots__ = ("_asked", "args")

    def __init__(self, user: Any) -> None:
        super().__init__()
        self.args: tuple[Any, ...] = (user,)
        self._asked = False

    @property
    def name(self) -> str:
        """For Locust's log."""
        return f"{type(self.args[0]).__name__ if self.args else 'ended'}-{id(self):x}"

    @property
    def dead(self) -> bool:
        return bool(self.ready())

    def kill(self, _: Any = None, block: bool = True, timeout: float | None = None) -> None:
        """Like a greenlet's: the first call asks the user to stop, the second drops its connections."""
        if self.dead:
            return
        self.args[0]._killed(again=self._asked)
        if self._asked:
            gevent.spawn_later(PATIENCE_S, self.finish, None, None)
        self._asked = True
        if block:
            self.join(timeout)

    def drop(self, *, blocked: bool) -> None:
        """Gives the user up: at once if the loop is blocked, otherwise after cancelling it."""
        self._asked = True
        if blocked or self.task is None:
            self.finish(None, None)
        else:
            loop = self.task.get_loop()
            loop.call_soon_threadsafe(self.args[0]._kill)  # so that what it leaves undone is no failure
            loop.call_soon_threadsafe(self.task.cancel)
            gevent.spawn_later(PATIENCE_S / 2, self.kill, block=False)

    def join(self, timeout: float | None = None) -> None:
        """Blocks the greenlet until the user has ended, or for ``timeout`` seconds."""
        self.wait(timeout)

    def finish(self, result: Any, error: BaseException | None) -> None:
        """Called on the hub's thread; an error is reported like that of a greenlet."""
        if self.dead:
            return
        super().finish(result, error)
        (user,) = self.args
        # Like the ``args`` of a finished greenlet; otherwise user and handle would keep each other alive.
        self.args = ()
        if isinstance(error, StopTest):
            end_run(user.environment, f"{type(user).__name__} raised StopTest", error)
        elif isinstance(error, Exception):  # otherwise the process is ending
            gevent.spawn(_raise, error)


def _raise(error: BaseException) -> NoReturn:
    raise error
