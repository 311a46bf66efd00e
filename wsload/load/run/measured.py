"""The measured window of a run that goes on: its figures by now, and when it began."""

from __future__ import annotations

from collections.abc import Mapping

from wsload.measure.interval import Interval, Totals, named
from wsload.measure.names import Kind
from wsload.results.run import RunWarning
from wsload.results.window import WHOLE, Window
from wsload.words import span


class Measured:
    """Adds up what lies in the window, which may begin late, and may begin anew.

    ``started_at`` is wall clock, seconds since the epoch; the window begins ``warm_up_s`` after it.
    """

    def __init__(self, started_at: float, warm_up_s: float = 0.0) -> None:
        self._started_at = started_at
        self.window = Window(from_s=warm_up_s) if warm_up_s else WHOLE
        self.totals = Totals()
        """Of the window; of all there is, as long as nothing lies in it."""
        self._names: Mapping[str, Kind] = {}
        self._inside = self.window.whole
        """Whether something in the window was added."""
        self._summed = WHOLE
        """The window that the totals are of."""

    def begin(self, at: float) -> None:
        """The window begins at this time, if it has not begun later."""
        self.window = Window(from_s=max(round(at - self._started_at, 3), self.window.from_s))
        self._inside = False

    def add(self, interval: Interval) -> bool:
        """Takes the next interval; returns whether it is the first of the window, before which all is left out."""
        self._names = named((self._names, interval.names))
        first = not self._inside and self.window.holds(interval, self._started_at)
        if first:
            self._inside, self._summed = True, self.window
            self.totals.clear()
            self.totals.names = dict(self._names)
        if not self._inside or self.window.holds(interval, self._started_at):
            self.totals.add(interval)
        return first

    def finish(self) -> RunWarning | None:
        """At the run's end: where nothing lies in the window, what came before is measured, and that is said."""
        if self._inside:
            return None
        wanted, self.window = self.window, self._summed
        return RunWarning(
            name="warm-up",
            text=f"the run ended before its warm-up of {span(wanted.from_s)} was over: what came before is measured",
            remedy="run for longer, or warm up for less",
        )
