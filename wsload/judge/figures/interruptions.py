"""When a run lost its connections: server restarts, as the clients saw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wsload.judge.figures.series import Series

SHARE: Final = 0.1
"""A slot that loses so large a part of the connections begins an interruption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """A stretch of slots in which many connections were lost and made again."""

    start_s: float
    """Where its first slot begins, on the series' axis."""
    end_s: float
    """Where its last slot ends."""
    lost: int
    """Connections that closed without the client's wish."""
    reconnected: int
    """Users who came back."""
    refused: int
    """Attempts to open that failed."""


def interruptions(series: Series) -> tuple[Interruption, ...]:
    """The run's interruptions in their order.

    One goes on for as long as slots lose, refuse or regain connections, or users lack theirs.
    """
    nothing = (0,) * len(series.at_s)
    closes = [counts for (what, _), counts in series.failures.items() if what == "close"]
    lost = [sum(counts) for counts in zip(nothing, *closes, strict=True)]
    refused = series.counters.get("open_failures", nothing)
    regained = series.counters.get("reconnects", nothing)
    found: list[Interruption] = []
    last: Interruption | None = None
    before = 0
    for place, at_s in enumerate(series.at_s):
        begins = lost[place] > 0 and lost[place] >= SHARE * before
        if begins or (last and (lost[place] or refused[place] or regained[place] or _lacks(series, place))):
            last = Interruption(
                start_s=last.start_s if last else at_s,
                end_s=at_s + series.width_s,
                lost=lost[place] + (last.lost if last else 0),
                reconnected=regained[place] + (last.reconnected if last else 0),
                refused=refused[place] + (last.refused if last else 0),
            )
            continue
        if last:
            found.append(last)
            last = None
        before = _level(series, "connections", place)
    return (*found, last) if last else tuple(found)


def _lacks(series: Series, place: int) -> bool:
    return _level(series, "connections", place) < (1 - SHARE) * _level(series, "users", place)


def _level(series: Series, gauge: str, place: int) -> int:
    return (series.levels[gauge].highest[place] or 0) if gauge in series.levels else 0
