"""A handle on a user, for Locust's groups of greenlets, but without a greenlet.

All that a resident user's greenlet would do is wait for the coroutine; for that it would keep its C
stack and the first page of a Python stack: 8 KiB of a user's 29. A group asks little of its members:
to be linked to, killed and joined.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

import gevent
from locust.exception import StopTest

from wsload.load.locust.bridge import Completion
from wsload.load.locust.ending import end_run

PATIENCE_S: Final = 1.0
"""A user whose connections were dropped is not waited for any longer than that."""


class UserHandle(Completion):
    """Ends with the coroutine it completes; ``args`` holds the user, where Locust looks for it."""

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
        """As of a greenlet: the first time the user is asked to end, the second time its connections are dropped."""
        if self.dead:
            return
        self.args[0]._killed(again=self._asked)
        if self._asked:
            gevent.spawn_later(PATIENCE_S, self.finish, None, None)
        self._asked = True
        if block:
            self.join(timeout)

    def drop(self, *, blocked: bool) -> None:
        """Gives the user up: at once where the loop is blocked, else when it had a last chance to end."""
        self._asked = True
        if blocked or self.task is None:
            self.finish(None, None)
        else:
            self.task.get_loop().call_soon_threadsafe(self.task.cancel)
            gevent.spawn_later(PATIENCE_S / 2, self.kill, block=False)

    def join(self, timeout: float | None = None) -> None:
        """Blocks the greenlet until the user has ended, or this many seconds."""
        self.wait(timeout)

    def finish(self, result: Any, error: BaseException | None) -> None:
        """Called on the hub's thread; an error is shown as that of a greenlet is."""
        if self.dead:
            return
        super().finish(result, error)
        (user,) = self.args
        # As those of a greenlet that has ended: else user and stay would keep each other.
        self.args = ()
        if isinstance(error, StopTest):
            end_run(user.environment, f"{type(user).__name__} raised StopTest", error)
        elif isinstance(error, Exception):  # else the process is ending
            gevent.spawn(_raise, error)


def _raise(error: BaseException) -> NoReturn:
    raise error
