"""Collapses repeated warnings, so that they don't push the figures off the screen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from wsload.results.run import RunWarning
from wsload.words import counted, number

MAX_ALIKE: Final = 3
"""How many warnings of one name are shown; what exceeds it is counted."""
_FIGURE: Final = re.compile(r"[0-9][0-9.,]*")


def collapsed(warnings: Sequence[RunWarning]) -> list[RunWarning]:
    """At most `MAX_ALIKE` warnings of each name and weight, in their order; what helps against them is said once."""
    alike = Counter(map(_kind, warnings))
    seen: Counter[tuple[str, bool]] = Counter()
    found: list[RunWarning] = []
    for warning in warnings:
        kind = _kind(warning)
        seen[kind] += 1
        if alike[kind] <= MAX_ALIKE or seen[kind] < MAX_ALIKE:
            found.append(warning)
        elif seen[kind] == MAX_ALIKE:
            more = alike[kind] - MAX_ALIKE + 1
            found.append(replace(warning, text=f"… and {number(more)} more like this"))
    for place in range(len(found) - 1):
        if found[place].remedy == found[place + 1].remedy:
            found[place] = replace(found[place], remedy="")
    return found


def told_once(told: Iterable[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Merges equal sentences about several runs; returns for each: the runs, ``is`` or ``are``, the sentence.

    Sentences that differ only in their figures are one, with the figures of the first run.
    """
    alike: dict[str, list[tuple[str, str]]] = {}
    for name, sentence in told:
        alike.setdefault(_FIGURE.sub("0", sentence), []).append((name, sentence))
    return [
        (f"{name} and {counted(more, 'more run')}", "are", sentence) if more else (name, "is", sentence)
        for (name, sentence), more in ((found[0], len(found) - 1) for found in alike.values())
    ]


def _kind(warning: RunWarning) -> tuple[str, bool]:
    return warning.name, warning.invalidates
