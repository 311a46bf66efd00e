"""Lists of runs, and of their builds in the order of their first runs."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from wsload.judge.figures.samples import can_be_shown
from wsload.judge.run.standing import standing
from wsload.measure.names import OWN, Kind, for_people, in_order, leading, split
from wsload.results.run import CheckState, RunInfo
from wsload.results.trust import Standing, Trust

OWN_METRICS: Final = ("open", "login", "delivery")
"""Metrics in a history besides the names of the user classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run in a list."""

    name: str
    """Its directory's name."""
    build: str
    started_at: float
    """Wall clock, seconds since the epoch."""
    users: int | None
    """Peak users; None if nothing was recorded."""
    request: str | None
    """The name that represents the run, see `wsload.measure.names.leading`; None if there is none."""
    rate: float | None
    """How many of that name were answered per second."""
    p50_ns: Mapping[str, int]
    """By metric; those with too few values are absent."""
    p99_ns: Mapping[str, int]
    checks: Mapping[CheckState, int]
    """The number of checks in each state."""
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLine:
    """A build: its runs, and medians over those with trusted figures."""

    build: str
    runs: tuple[RunLine, ...]
    """In the order in which they were made."""
    trusted: int
    """How many of them have trusted figures."""
    p50_ns: Mapping[str, float]
    """Medians by metric; absent if no trusted run has it."""
    p99_ns: Mapping[str, float]


def run_line(
    name: str, info: RunInfo, problems: tuple[str, ...], summary: Mapping[str, Any] | None
) -> RunLine:
    """A run's line; ``summary`` is the contents of its summary.json, not yet validated."""
    metrics = _mapping(summary, "metrics")
    counts = {metric: _count(_mapping(metrics, metric).get("count")) or 0 for metric in metrics}
    request = leading(counts, _kinds(_mapping(summary, "names")))
    rate = _mapping(metrics, request).get("rate") if request else None
    return RunLine(
        name=name,
        build=info.build,
        started_at=info.started_at,
        users=_count(_mapping(summary, "peaks").get("users")),
        request=request,
        rate=float(rate) if isinstance(rate, int | float) else None,
        p50_ns=_figures(metrics, counts, 50, info.trust),
        p99_ns=_figures(metrics, counts, 99, info.trust),
        checks=Counter(check.state for check in info.checks),
        standing=standing(info, problems),
    )


def builds(lines: Iterable[RunLine]) -> tuple[BuildLine, ...]:
    """The builds in the order of their first runs."""
    found: dict[str, list[RunLine]] = {}
    for line in sorted(lines, key=lambda line: (line.started_at, line.name)):
        found.setdefault(line.build, []).append(line)
    return tuple(_build(build, runs) for build, runs in found.items())


def _build(build: str, runs: list[RunLine]) -> BuildLine:
    trusted = [run for run in runs if run.standing.trusted]
    return BuildLine(
        build=build,
        runs=tuple(runs),
        trusted=len(trusted),
        p50_ns=_medians([run.p50_ns for run in trusted]),
        p99_ns=_medians([run.p99_ns for run in trusted]),
    )


def _medians(figures: list[Mapping[str, int]]) -> dict[str, float]:
    metrics = followed(figures)
    columns = {metric: [each[metric] for each in figures if metric in each] for metric in metrics}
    return {metric: statistics.median(column) for metric, column in columns.items()}


def followed(figures: Iterable[Mapping[str, float]]) -> list[str]:
    """The metrics in any of these figures, in the order of reports."""
    return in_order({metric for each in figures for metric in each})


def _figures(
    metrics: Mapping[str, Any], counts: Mapping[str, int], percentile: int, trust: Trust | None
) -> dict[str, int]:
    """A percentile of the user classes' names and `OWN_METRICS`, if it is trusted and there are enough values."""
    found = {
        metric: _count(_mapping(metrics, metric).get(f"p{percentile}_ns"))
        for metric, count in counts.items()
        if can_be_shown(percentile, count)
        and (trust is None or trust.covers(metric, percentile))
        and (metric in OWN_METRICS or not (metric in OWN or split(metric)[1] or not for_people(metric)))
    }
    return {metric: value for metric, value in found.items() if value is not None}


def _kinds(names: Mapping[str, Any]) -> dict[str, Kind]:
    return {name: Kind(kind) for name, kind in names.items() if kind in tuple(Kind)}


def _mapping(found: object, key: str) -> Mapping[str, Any]:
    value = found.get(key) if isinstance(found, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None
