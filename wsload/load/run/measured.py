"""The measured window of a run in progress, and its figures so far."""

from __future__ import annotations

from wsload.measure.earlier import Earlier
from wsload.measure.interval import Interval, Totals
from wsload.results.run import RunWarning
from wsload.results.window import WHOLE, Window
from wsload.words import clock, span


class Measured:
    """Adds up the intervals in the window, which may start late, and may be restarted.

    ``started_at`` is wall clock, seconds since the epoch; the window starts ``warm_up_s`` later, or with ``ramp`` once
    all users have started. ``everything`` holds the totals of the whole run, already including each interval that is
    added here. It is used as it is while the window is the whole run.
    """

    def __init__(
        self, started_at: float, warm_up_s: float, everything: Totals, *, ramp: bool = False
    ) -> None:
        self._started_at = started_at
        self._ramping = ramp
        """Whether the window waits for all users to have started."""
        self.window = Window(from_s=warm_up_s) if warm_up_s else WHOLE
        self.totals = everything
        """The totals of the window, or of the whole run while the window is empty."""
        self._everything = everything
        self._earlier = Earlier()
        self._reset = False
        """Whether it was Locust that restarted the window, not a warm-up that ended."""
        self._summed = WHOLE
        """The window that `totals` covers: differs from the wanted one until that has an interval."""

    def ramped_up(self, at: float) -> None:
        """Starts the window at this time if it waits for that. Users that start or stop later don't restart it."""
        if self._ramping:
            self._ramping = False
            self._begin(at)

    def reset(self, at: float) -> None:
        """Restarts the window at this time, unless it starts later."""
        if self._begin(at):
            self._reset = True

    def _begin(self, at: float) -> bool:
        """Returns whether the window starts later than it did."""
        from_s = round(at - self._started_at, 3)
        if later := from_s > self.window.from_s:
            self.window = Window(from_s=from_s)
        return later

    def add(self, interval: Interval) -> bool:
        """Adds the next interval; returns whether it is the first in the window, so that earlier ones are dropped."""
        held = self.window.holds(interval, self._started_at)
        first = held and self._empty
        if first:
            self._summed, self.totals = self.window, Totals()
        if self.totals is not self._everything and (held or self._empty):
            self.totals.add(self._earlier.known_to(interval))
        self._earlier.add(interval)
        return first

    @property
    def part(self) -> bool:
        """Whether `totals` are those of a part of the run."""
        return not self._summed.whole

    @property
    def _empty(self) -> bool:
        """Whether the window has no interval yet."""
        return self._summed is not self.window

    def finish(self) -> RunWarning | None:
        """Called at the end: if the window is empty, returns a warning that the figures cover the time before it."""
        if self._ramping:
            text, remedy = (
                "the run ended before all users had started: the figures cover the ramp",
                "run longer",
            )
        elif not self._empty:
            return None
        elif self._reset:
            at = clock(self.window.from_s)
            text = (
                f"the run ended as Locust reset its statistics, at {at}: the figures cover the time before it"
            )
            remedy = "run longer"
        else:
            text = f"the run ended during its warm-up of {span(self.window.from_s)}: the figures cover the warm-up"
            remedy = "run longer, or shorten the warm-up"
        self.window = self._summed
        return RunWarning(name="warm-up", text=text, remedy=remedy)
