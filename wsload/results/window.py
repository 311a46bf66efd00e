"""The measured window of a run: the part that its figures cover. The logs keep everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from wsload.measure.earlier import Earlier
from wsload.measure.interval import BORDER_S, Interval
from wsload.measure.later import Later
from wsload.results.files import finite


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Seconds since the run's start."""

    from_s: float = 0.0
    to_s: float | None = None
    """None for the run's end."""

    @property
    def whole(self) -> bool:
        return self.from_s <= 0 and self.to_s is None

    def holds(self, interval: Interval, started_at: float) -> bool:
        """Whether an interval lies inside; ``started_at`` is the run's start, in seconds since the epoch."""
        begins_s = interval.start_s - started_at
        if self._follows(begins_s):
            return self.from_s <= 0
        return self.to_s is None or begins_s + interval.length_s <= self.to_s + BORDER_S

    def of(
        self,
        intervals: Iterable[Interval],
        started_at: float,
        before: Callable[[Interval], object] = lambda _: None,
    ) -> Iterator[Interval]:
        """The intervals inside; each knows the names and counters of those left out before it.

        If the run found out after the window that answers in it may not be those of their requests, an interval without
        a length comes last and says so. ``before`` is called with each interval that comes before the window.
        """
        earlier, told = Earlier(), True
        later, measured, end_s = Later(), set[str](), started_at
        for interval in intervals:
            if self.holds(interval, started_at):
                measured.update(interval.histograms)
                end_s = max(end_s, interval.start_s + interval.length_s)
                yield interval if told else earlier.known_to(interval)
                told = True
                continue
            earlier.add(interval)
            told = False
            if self._follows(interval.start_s - started_at):
                before(interval)
            else:
                later.add(interval)
        if found := later.doubts(measured):
            yield Interval(start_s=end_s, counters=found)

    def _follows(self, begins_s: float) -> bool:
        """Whether an interval that begins so many seconds after the run's start comes before the window."""
        return begins_s < self.from_s - BORDER_S

    def to_json(self) -> dict[str, object]:
        """As in run.json."""
        return {"from_s": self.from_s, "to_s": self.to_s}

    @classmethod
    def from_json(cls, found: Any) -> Window:
        """Reads what `to_json` wrote. Raises `ValueError` for anything else."""
        try:
            to_s = found["to_s"]
            return cls(from_s=finite(found["from_s"]), to_s=None if to_s is None else finite(to_s))
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"'window' is malformed ({error})") from error


WHOLE: Final = Window()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The part of a run that a user asks for, in seconds since its start."""

    from_s: float | None = None
    """None for where the run's own window starts."""
    to_s: float | None = None
    """None for the run's end."""

    def of(self, own: Window) -> Window:
        """The window that it is of a run whose own window is this one."""
        return Window(from_s=own.from_s if self.from_s is None else self.from_s, to_s=self.to_s)
