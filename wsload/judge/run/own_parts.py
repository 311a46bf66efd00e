"""Which parts wsload's own metrics have: a check on any other is refused before the run."""

from __future__ import annotations

from typing import Final

from wsload.measure.names import FAILED, FAILING, FREE, OWN, split

STATISTICS: Final = ("p50", "p90", "p95", "p99", "p99.9", "p99.99", "min", "mean", "max", "count", "rate")
"""Those that messages name."""
_OF_FAILURES: Final = {"": "failed", "count": "failed.count", "rate": "failed.rate"}
"""Failures of a metric are counted, but not timed."""


def missing(name: str, statistic: str) -> tuple[str, str]:
    """What a check asks for that one of wsload's own metrics does not have, and a message with what it has.

    ``name`` is the metric with its part. Both are empty if there is such a figure, or may be: others' names are only
    known after the run.
    """
    metric, part = split(name)
    counted = _OF_FAILURES if metric in FAILING else {}
    if not part or metric not in OWN - FREE or (part == FAILED and statistic in counted):
        return "", ""
    asked = f"{part}.{statistic}".strip(".")
    return asked, f"{metric} has no '{asked}': use {', '.join((*STATISTICS, *counted.values()))}"
