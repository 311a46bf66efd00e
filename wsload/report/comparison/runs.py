"""The stored runs of a comparison: read once, told apart by side, with all that has to be alike in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from wsload.errors import ResultsError, UsageError
from wsload.judge.compare.bootstrap import Blocks, blocks_of
from wsload.judge.compare.pairs import PARTS, RunFigures, Side, compared, figures_of, pair_up
from wsload.judge.figures.summary import Summary, summarize
from wsload.judge.run.standing import Standing, standing
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.report.comparison.server import ServerFigures, read_server
from wsload.report.conditions import shown
from wsload.results.reader import StoredRun, open_run
from wsload.results.run import RunInfo
from wsload.words import size

NOT_GIVEN: Final = "not given"
_MAY_DIFFER: Final = frozenset(
    {
        *("host", "ws_url", "ws_build", "ws_results", "ws_run_id"),
        *("ws_check", "ws_allow_invalid", "ws_ca_file", "ws_client_cert"),
    }
)
"""Options that say what is loaded, or what becomes of the figures: not how the load is made."""
_CLIENT: Final = ("wsload", "locust", "websockets", "uvloop", "picows")
"""Packages whose version bears on latencies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """A stored run, as a comparison shows it."""

    figures: RunFigures
    """What is judged."""
    path: Path
    info: RunInfo
    doubt: str
    """Why it does not vouch for its figures, one sentence; empty when it does."""
    summary: Summary
    histograms: Mapping[str, Histogram]
    """By compared metric; one without values is absent."""
    server: ServerFigures | None
    """What its server used, where ``wsload ab`` started that."""

    @property
    def name(self) -> str:
        return self.figures.name

    @property
    def side(self) -> Side:
        return self.figures.side

    @property
    def sent_rate(self) -> float:
        """Messages sent a second, over the time the run covers."""
        duration_s = self.summary.duration_s
        return self.summary.counters.get("sent", 0) / duration_s if duration_s else 0.0


def read_runs(
    baseline: Sequence[Path], candidate: Sequence[Path], *, force: bool = False
) -> tuple[ComparedRun, ...]:
    """The runs of both sides in the order in which they were made.

    Of a run that is not valid, or has no end, ``doubt`` says so, and it is not used; with ``force`` it
    is. Raises `UsageError` for a run that stands there twice, and `ResultsError` for one that can't be
    read.
    """
    sides = dict.fromkeys(baseline, Side.BASELINE) | dict.fromkeys(candidate, Side.CANDIDATE)
    names = _names([*baseline, *candidate])
    opened = [(open_run(path), side, name) for (path, side), name in zip(sides.items(), names, strict=True)]
    doubts = {run.path: _doubt(run) for run, _, _ in opened}
    bare = [
        RunFigures(
            name=name,
            side=side,
            started_s=run.info.started_at,
            values={},
            valid=force or not doubts[run.path],
        )
        for run, side, name in opened
    ]
    # Second by second is what one run a side is judged by; of more runs nobody asks for it.
    alone = len(pair_up(bare).pairs) < 2
    found = [
        _read(run, figures, doubts[run.path], by_second=alone and figures.valid)
        for (run, _, _), figures in zip(opened, bare, strict=True)
    ]
    conditions = conditions_of([(run.info, run.summary) for run in found])
    alike = [
        replace(run, figures=replace(run.figures, conditions=each))
        for run, each in zip(found, conditions, strict=True)
    ]
    return tuple(sorted(alike, key=lambda run: run.figures.started_s))


def _names(paths: Sequence[Path]) -> list[str]:
    """The directories' names, or whole paths where these would not tell the runs apart."""
    whole = [path.resolve() for path in paths]
    for path, again in zip(whole, paths, strict=True):
        if whole.count(path) > 1:
            raise UsageError(f"the run {again} stands there twice: a comparison takes it once")
    names = [path.name for path in whole]
    return [name if names.count(name) == 1 else str(path) for name, path in zip(names, paths, strict=True)]


def _doubt(run: StoredRun) -> str:
    found = standing(run.info, run.problems)
    if found is Standing.VALID:
        return ""
    reasons = [warning.text for warning in run.info.warnings if warning.invalidates]
    why = "; ".join(reasons if found is Standing.INVALID else run.problems)
    return f"{found}: {why}" if why else str(found)


def _read(run: StoredRun, figures: RunFigures, doubt: str, *, by_second: bool) -> ComparedRun:
    totals = Totals()
    blocks: dict[str, Blocks] = {}
    try:
        intervals = _tapped(run.intervals(), totals)
        if by_second:
            blocks = blocks_of(intervals, PARTS)
        else:
            for _ in intervals:
                pass
        server = read_server(run.path)
    except ResultsError:
        if not doubt:  # of a run that vouches for its figures, all must be there
            raise
        server = None
    histograms = {metric: compared(totals.histograms, metric) for metric in PARTS}
    return ComparedRun(
        figures=replace(figures, values=figures_of(totals.histograms), blocks=blocks),
        path=run.path,
        info=run.info,
        doubt=doubt,
        summary=summarize(totals),
        histograms={metric: found for metric, found in histograms.items() if found.total},
        server=server,
    )


def _tapped(intervals: Iterable[Interval], totals: Totals) -> Iterator[Interval]:
    for interval in intervals:
        totals.add(interval)
        yield interval


def conditions_of(runs: Sequence[tuple[RunInfo, Summary]]) -> list[dict[str, str]]:
    """What must be alike, by name, of each run: how the load was made, by what, and on which machine.

    An option that one run was given and another not is ``not given`` in the other.
    """
    found = [_conditions(info, summary) for info, summary in runs]
    names = sorted({name for each in found for name in each})
    return [{name: each.get(name, NOT_GIVEN) for name in names} for each in found]


def _conditions(info: RunInfo, summary: Summary) -> dict[str, str]:
    options = dict(info.options)
    users = options.pop("num_users", None) or summary.peaks.get("users", 0)
    found = {
        f"--{name.replace('_', '-')}": shown(value)
        for name, value in options.items()
        if name not in _MAY_DIFFER and value not in (None, "", False, [])
    }
    host = info.host
    memory = host.get("memory_bytes")
    machine = [host.get("cpu"), f"{host.get('cores')} cores"]
    machine += [size(memory, binary=True)] if isinstance(memory, int) else []
    machine += [host.get("system")]
    client = [f"{name} {info.versions[name]}" for name in _CLIENT if name in info.versions]
    return found | {
        "users": shown(users),
        "machine": ", ".join(str(part) for part in machine if part),
        "load generator": ", ".join([*client, shown(host.get("python", ""))]),
    }
