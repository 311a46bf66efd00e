"""Two sides that are loaded at the same time: what they do together, from their start to the exit code."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import gevent.event

from wsload.exit_codes import ExitCode
from wsload.load.run.run import Run


class Side(Protocol):
    """What a pair needs of the life of one side's run, `wsload.load.lifecycle.Lifecycle`."""

    environment: Any
    run: Run | None

    @property
    def is_running(self) -> bool:
        """Whether its run has begun and not ended."""

    def begin(self) -> None:
        """Begins its run. Raises `SystemExit` if that is refused."""

    def exit_code(self) -> ExitCode | None:
        """wsload's exit code for its run; None if the run was successful, or there was none."""

    def locusts_code(self) -> int | None:
        """The exit code that Locust would give, or None for none."""


class Pair:
    """Both sides; the first one is the process's own, the second is there beside it."""

    def __init__(self, first: Side, second: Side) -> None:
        self.first = first
        self.second = second
        self._gone = {id(side): gevent.event.Event() for side in (first, second)}
        """Set while a side has no users."""
        for event in self._gone.values():
            event.set()

    def begin(self) -> None:
        """Begins both runs before either side has users.

        Raises `SystemExit` if one is refused; then neither is kept.
        """
        self.first.begin()
        if not self.first.is_running:
            return
        try:
            self.second.begin()
        except SystemExit:
            if self.first.run is not None:
                self.first.run.writer.discard()
            raise
        for event in self._gone.values():
            event.clear()
        self._name_partners()

    def wait_for_the_other(self, side: Side, patience_s: float) -> None:
        """Waits until the other side's users are gone, as those of ``side`` are, or for ``patience_s`` seconds.

        Storing results would take CPU time from the side that still measures.
        """
        self._gone[id(side)].set()
        other = self.second if side is self.first else self.first
        self._gone[id(other)].wait(patience_s)

    def quitting(self) -> None:
        """The first side quits, so the second does."""
        self.second.environment.events.quitting.fire(environment=self.second.environment, reverse=True)

    def codes(self) -> tuple[ExitCode | None, int | None]:
        """The second side's exit codes: wsload's and Locust's."""
        return self.second.exit_code(), self.second.locusts_code()

    def _name_partners(self) -> None:
        first, second = self.first.run, self.second.run
        if first is not None and second is not None:
            with contextlib.suppress(OSError):  # a full disk is reported at the end of the run
                first.writer.name_partner(second.writer.path.name)
                second.writer.name_partner(first.writer.path.name)
