"""The measured window of a run: the part that its figures cover. The logs keep everything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from wsload.measure.earlier import Earlier
from wsload.measure.interval import Interval
from wsload.results.files import finite

BORDER_S: Final = 0.02
"""Intervals begin at full seconds, within this tolerance."""


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
        if begins_s < self.from_s - BORDER_S:
            return self.from_s <= 0
        return self.to_s is None or begins_s + interval.length_s <= self.to_s + BORDER_S

    def of(self, intervals: Iterable[Interval], started_at: float) -> Iterator[Interval]:
        """The intervals inside; each knows the names and counters of those left out before it."""
        earlier, told = Earlier(), True
        for interval in intervals:
            if not self.holds(interval, started_at):
                earlier.add(interval)
                told = False
            else:
                yield interval if told else earlier.known_to(interval)
                told = True

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
