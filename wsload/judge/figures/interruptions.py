"""When a run lost its connections: server restarts, as the clients saw them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wsload.judge.figures.series import Series

SHARE: Final = 0.1
"""A slot that loses at least this share of the connections begins an interruption."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """Consecutive slots in which many connections were lost and reopened."""

    start_s: float
    """Start of its first slot, on the series' time axis."""
    end_s: float
    """End of its last slot."""
    lost: int
    """Connections that closed although the client did not ask for it."""
    reconnected: int
    """Users who reconnected."""
    refused: int
    """Failed attempts to open a connection."""


def interruptions(series: Series) -> tuple[Interruption, ...]:
    """The run's interruptions in order.

    An interruption lasts as long as slots lose, refuse or reopen connections, or users have none.
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
