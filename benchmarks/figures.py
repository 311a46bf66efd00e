"""Measured figures as plain values: medians, spreads, ratios, goals. Pure; nothing here runs anything."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

YARDSTICK: Final = "bare websockets"
"""The subject that all others are compared with, if it took part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What was measured, and for whom."""

    case: str
    """Such as ``round trip``."""
    setting: str
    """Such as ``50 connections``."""
    subject: str
    """Such as ``wsload``."""
    measure: str
    """Such as ``CPU``."""
    unit: str
    """Of the values, such as ``µs``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One value of one round."""

    place: Place
    round: int
    """Samples of the same round were measured close together."""
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The values of one place over all rounds."""

    place: Place
    values: tuple[float, ...]
    """In the order of the rounds."""
    ratios: tuple[float, ...]
    """Each value relative to the yardstick's of the same round; empty if there is none."""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def ratio(self) -> float | None:
        """The median of the ratios."""
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def spread(self) -> float:
        """Half of the range, as a fraction of the median: 0.05 is ±5 %; 0 for a median of 0."""
        return (max(self.values) - min(self.values)) / 2 / abs(self.median) if self.median else 0.0

    def to_json(self) -> dict[str, Any]:
        place = self.place
        return {
            "case": place.case,
            "setting": place.setting,
            "subject": place.subject,
            "measure": place.measure,
            "unit": place.unit,
            "median": self.median,
            "values": list(self.values),
            "ratio": self.ratio,
            "ratios": list(self.ratios),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A limit for a figure, or for its ratio to another."""

    text: str
    place: Place
    to: Place | None = None
    """The figure to divide by, round by round; None for the figure itself."""
    limit: float
    reach: float | None = None
    """A stricter limit to aim at."""
    least: bool = False
    """Whether more is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a goal."""

    goal: Goal
    value: float | None
    """The median; None if it was not measured."""

    @property
    def met(self) -> bool | None:
        return None if self.value is None else _within(self.value, self.goal.limit, self.goal.least)

    @property
    def reached(self) -> bool | None:
        if self.value is None or self.goal.reach is None:
            return None
        return _within(self.value, self.goal.reach, self.goal.least)


def _within(value: float, limit: float, least: bool) -> bool:
    return value >= limit if least else value <= limit


def figures(samples: Iterable[Sample]) -> list[Figure]:
    """One figure for each place, in the order in which they were first measured."""
    found: dict[Place, dict[int, float]] = {}
    for sample in samples:
        found.setdefault(sample.place, {})[sample.round] = sample.value
    return [
        Figure(
            place=place,
            values=tuple(values.values()),
            ratios=_ratios(values, found.get(_yardstick(place))),
        )
        for place, values in found.items()
    ]


def _yardstick(place: Place) -> Place:
    return Place(
        case=place.case,
        setting=place.setting,
        subject=YARDSTICK,
        measure=place.measure,
        unit=place.unit,
    )


def _ratios(values: dict[int, float], base: dict[int, float] | None) -> tuple[float, ...]:
    if base is None:
        return ()
    return tuple(value / base[number] for number, value in values.items() if base.get(number))


def outcomes(goals: Sequence[Goal], samples: Iterable[Sample]) -> list[Outcome]:
    """The outcomes of the goals whose cases were measured."""
    found: dict[Place, dict[int, float]] = {}
    for sample in samples:
        found.setdefault(sample.place, {})[sample.round] = sample.value
    cases = {place.case for place in found}
    results = []
    for goal in goals:
        if goal.place.case not in cases:
            continue
        values = found.get(goal.place, {})
        parts = tuple(values.values()) if goal.to is None else _ratios(values, found.get(goal.to, {}))
        results.append(Outcome(goal=goal, value=statistics.median(parts) if parts else None))
    return results
