"""A user as seen by its connections."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any, Protocol

from wsload.errors import WorkloadError
from wsload.load.users.sockets.opening import Opening


class Progress(Protocol):
    """How far an owner is in its life."""

    turned: bool
    """Whether the loop has run since a task started."""

    @property
    def cut_short(self) -> bool:
        """Whether wsload may be cancelling what it does, rather than its class."""


class Owner(Protocol):
    """The owner of a connection: its hooks, and what the connection reports to it."""

    expected_closes: Set[int]
    """Close codes that are not failures."""
    _life: Any
    """The owner's `Progress`."""

    def context(self) -> dict[str, Any]:
        """Locust's: what listeners of ``request`` events should know about the user."""

    async def on_connect(self) -> None:
        """Called after every opening of the main connection."""

    def on_close(self, code: int, reason: str) -> None:
        """Called when the main connection is gone."""

    def on_error(self, error: WorkloadError) -> None:
        """Called when an opening of the main connection failed."""

    async def _asked(self, opening: Opening, *, main: bool) -> Opening:
        """The complete opening, given that of a task, and for the ``main`` connection that of `on_opening`."""

    def _resolve(self, url: str | None) -> str:
        """The absolute URL to open; None for the user class's own."""

    def _call(self, hook: Callable[..., object], *args: Any) -> Any:
        """Calls a hook of the user class; exceptions are handled by `_raised`."""

    def _raised(self, what: str, error: BaseException) -> None:
        """Handles an exception that the user class raised in ``what``: a request to stop, or a bug to report."""

    def _report(self, what: str, error: BaseException) -> None:
        """Reports a bug in the user class: counts it as a failure of ``what``, and logs it."""

    def _ended(self) -> None:
        """Ends the user, which can't continue."""
