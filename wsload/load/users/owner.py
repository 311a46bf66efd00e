"""A user, as far as its connections know it."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any, Protocol

from wsload.errors import WorkloadError
from wsload.load.users.opening import Opening


class Progress(Protocol):
    """Whether the loop has had its turn since a task began."""

    turned: bool


class Owner(Protocol):
    """Who a connection belongs to: its hooks, and what the connection reports."""

    expected_closes: Set[int]
    """Close codes that are no failures."""
    _life: Any
    """The owner's `Progress`."""

    async def on_connect(self) -> None:
        """Called after every opening of the main connection."""

    def on_close(self, code: int, reason: str) -> None:
        """Called when the main connection is gone."""

    def on_error(self, error: WorkloadError) -> None:
        """Called when an opening of the main connection failed."""

    async def _asked(self, opening: Opening, *, main: bool) -> Opening:
        """What to open, given what a task asked for; the ``main`` connection's `on_opening` has its say."""

    def _resolve(self, url: str | None) -> str:
        """The absolute URL to open; None for the user class's own."""

    def _call(self, hook: Callable[..., object], *args: Any) -> Any:
        """Calls what the user class defines: what it raises is reported, and harms nothing else."""

    def _raised(self, what: str, error: BaseException) -> None:
        """What the user class raised in ``what``: a way of stopping, or a bug, which is reported."""

    def _report(self, what: str, error: BaseException) -> None:
        """A bug in the user class: counted as a failure of ``what``, and shown."""

    def _ended(self) -> None:
        """The user can't go on."""
