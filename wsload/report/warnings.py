"""Warnings without their repetitions, so that they don't push the figures off the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from wsload.results.run import RunWarning
from wsload.words import number

MOST_ALIKE: Final = 3
"""How many warnings of one name are shown; what exceeds it is counted."""


def collapsed(warnings: Sequence[RunWarning]) -> list[RunWarning]:
    """At most `MOST_ALIKE` warnings of each name and weight, in their order; what helps against them is said once."""
    alike = Counter(map(_kind, warnings))
    seen: Counter[tuple[str, bool]] = Counter()
    found: list[RunWarning] = []
    for warning in warnings:
        kind = _kind(warning)
        seen[kind] += 1
        if alike[kind] <= MOST_ALIKE or seen[kind] < MOST_ALIKE:
            found.append(warning)
        elif seen[kind] == MOST_ALIKE:
            more = alike[kind] - MOST_ALIKE + 1
            found.append(replace(warning, text=f"… and {number(more)} more like this"))
    for place in range(len(found) - 1):
        if found[place].remedy == found[place + 1].remedy:
            found[place] = replace(found[place], remedy="")
    return found


def _kind(warning: RunWarning) -> tuple[str, bool]:
    return warning.name, warning.invalidates
