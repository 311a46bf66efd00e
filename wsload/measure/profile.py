"""Load profiles: a rate that changes over time, with its exact integral and the inverse of the integral. Pure.

    profile  = ["poisson"] point point …
    point    = time ":" rate
    time     = a duration from the start of the run: 0, 90s, 2m
    rate     = number ["/s"] | number ".." number ["/s"] "~" period

Between two points the rate changes linearly. Two points at the same time are a step; a spike is two steps. A sine
wave (``10s:100..900/s~60s``) starts at its lower rate, and lasts until the next point. The last point's rate (or sine
wave) lasts until the end.

    0:100/s 60s:1000/s 120s:1000/s 130s:0
"""

from __future__ import annotations

import itertools
import math
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import Final

from wsload.measure.schedule import SECOND_NS
from wsload.words import duration_ns

MAX_POINTS: Final = 1_000
_HIGHEST: Final = 1e6
_NUMBER: Final = r"\d+(?:\.\d+)?"
_POINT: Final = re.compile(
    rf"(?P<at>[^:\s]+):(?P<low>{_NUMBER})(\.\.(?P<high>{_NUMBER}))?(/s)?(~(?P<period>\S+))?"
)
_CLOSE_S: Final = 1e-9
_MAX_STEPS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a profile: a straight line, or a sine wave."""

    from_s: float
    to_s: float
    """Infinite for the last."""
    start: float
    """Arrivals per second at its start; of a sine wave, the lowest rate."""
    end: float
    """At its end; of a sine wave, the highest rate."""
    period_s: float = 0.0
    """Of a sine wave; 0 for a straight line."""

    def rate(self, at_s: float) -> float:
        """Arrivals per second, ``at_s`` after the segment's start."""
        if self.period_s:
            middle, swing = (self.start + self.end) / 2, (self.end - self.start) / 2
            return middle - swing * math.cos(2 * math.pi * at_s / self.period_s)
        if math.isinf(self.to_s):
            return self.start
        return self.start + (self.end - self.start) * at_s / (self.to_s - self.from_s)

    def passed(self, at_s: float) -> float:
        """The integral of the rate over the first ``at_s`` seconds."""
        if self.period_s:
            middle, swing, turns = (
                (self.start + self.end) / 2,
                (self.end - self.start) / 2,
                2 * math.pi / self.period_s,
            )
            return middle * at_s - swing * math.sin(turns * at_s) / turns
        if math.isinf(self.to_s):
            return self.start * at_s
        return self.start * at_s + (self.end - self.start) * at_s * at_s / (self.to_s - self.from_s) / 2

    def reached(self, amount: float) -> float:
        """After how many seconds the integral reaches ``amount``, which it does within the segment."""
        if self.period_s:
            return self._on_sine(amount)
        bend = 0.0 if math.isinf(self.to_s) else (self.end - self.start) / (self.to_s - self.from_s)
        # Solves start·t + bend·t²/2 = amount, in the form that is accurate for small bends.
        return (
            2 * amount / (self.start + math.sqrt(max(self.start**2 + 2 * bend * amount, 0.0)))
            if amount
            else 0.0
        )

    def _on_sine(self, amount: float) -> float:
        """By Newton's method, kept within bounds by bisection."""
        middle = (self.start + self.end) / 2
        low, high = 0.0, min(self.to_s - self.from_s, amount / middle + self.period_s)
        at = min(amount / middle, high)
        for _ in range(_MAX_STEPS):
            over = self.passed(at) - amount
            if not over:
                return at
            low, high = (low, at) if over > 0 else (at, high)
            rate = self.rate(at)
            wanted = at - over / rate if rate > 0 else math.inf
            wanted = wanted if low <= wanted <= high else (low + high) / 2
            if abs(wanted - at) < _CLOSE_S:
                return wanted
            at = wanted
        return at


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A rate over time, from the start of a run."""

    text: str
    """As it was written, with single spaces."""
    segments: tuple[Segment, ...]
    poisson: bool = False
    _sums: tuple[float, ...] = field(default=(), init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        whole = (each.passed(each.to_s - each.from_s) for each in self.segments[:-1])
        object.__setattr__(self, "_sums", tuple(itertools.accumulate(whole, initial=0.0)))

    def rate(self, at_s: float) -> float:
        """Arrivals per second at this time; at a step, those after it."""
        segment = self.segments[self._place(at_s)]
        return segment.rate(at_s - segment.from_s)

    def integral(self, at_s: float) -> float:
        """Arrivals until this time."""
        place = self._place(at_s)
        segment = self.segments[place]
        return self._sums[place] + segment.passed(max(at_s, 0.0) - segment.from_s)

    def when(self, arrivals: float) -> float:
        """The time at which this many have arrived; infinite if that never happens."""
        place = max(
            bisect_left(self._sums, arrivals) - 1, 0
        )  # never one in which nothing arrives, but for the last
        segment, rest = self.segments[place], arrivals - self._sums[place]
        if rest > 0 and not segment.end and not segment.start:
            return math.inf
        return segment.from_s + segment.reached(max(rest, 0.0))

    @property
    def highest(self) -> float:
        """The highest rate."""
        return max(max(each.start, each.end) for each in self.segments)

    def _place(self, at_s: float) -> int:
        return max(bisect_right(self.segments, at_s, key=lambda each: each.from_s) - 1, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A profile on the clock of a process: a `wsload.measure.schedule.Course`."""

    profile: Profile
    start_ns: int
    """The start of the run."""

    def between(self, from_ns: int, to_ns: int) -> float:
        """Arrivals from one time to another."""
        of = self.profile.integral
        return of((to_ns - self.start_ns) / SECOND_NS) - of((from_ns - self.start_ns) / SECOND_NS)

    def after(self, from_ns: int, amount: float) -> int | None:
        """When ``amount`` more have arrived since ``from_ns``; None if that never happens."""
        before = self.profile.integral((from_ns - self.start_ns) / SECOND_NS)
        at_s = self.profile.when(before + amount)
        return self.start_ns + round(at_s * SECOND_NS) if math.isfinite(at_s) else None


def parse_profile(text: str) -> Profile:
    """Parses a profile; see the grammar above. Raises `ValueError`, which says what is allowed."""
    words = text.split()
    poisson = bool(words) and words[0] == "poisson"
    points = [_point(word) for word in words[poisson:]]
    if not points or points[0][0] != 0:
        raise ValueError("a profile must start at 0, such as '0:100/s 60s:1000/s'")
    if len(points) > MAX_POINTS:
        raise ValueError(f"at most {MAX_POINTS} points are allowed")
    segments = []
    for (at, low, high, period), (until, then, _, _) in itertools.pairwise(points):
        if until < at:
            raise ValueError(f"the points go back in time, from {at:g}s to {until:g}s")
        if until > at:
            segments.append(
                Segment(from_s=at, to_s=until, start=low, end=high if period else then, period_s=period)
            )
    at, low, high, period = points[-1]
    segments.append(
        Segment(from_s=at, to_s=math.inf, start=low, end=high if period else low, period_s=period)
    )
    profile = Profile(text=" ".join(words), segments=tuple(segments), poisson=poisson)
    if not profile.highest:
        raise ValueError("a profile needs a rate above 0")
    return profile


def _point(word: str) -> tuple[float, float, float, float]:
    """Time, rate, the highest rate of a sine, and its period."""
    found = _POINT.fullmatch(word)
    if not found or bool(found["high"]) != bool(found["period"]):
        raise ValueError(
            f"{word!r} is not a point: write TIME:RATE such as 60s:1000/s, or 60s:100..900/s~30s for a sine wave"
        )
    at = duration_ns(found["at"], unit="s") / SECOND_NS
    low, high = float(found["low"]), float(found["high"] or found["low"])
    if max(low, high) > _HIGHEST:
        raise ValueError(f"{word!r}: a rate must be a number from 0 to {_HIGHEST:g}")
    period = duration_ns(found["period"], unit="s") / SECOND_NS if found["period"] else 0.0
    if found["period"] and (period < 0.1 or low > high):
        raise ValueError(f"{word!r}: a sine wave needs the lower rate first, and a period of at least 100ms")
    return at, low, high, period
