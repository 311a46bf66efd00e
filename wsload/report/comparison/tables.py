"""The tables of a comparison; every markup renders these."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Final

from wsload.judge.compare.pairs import Side
from wsload.judge.compare.selection import PERCENTILES, Quantile, Unjudged
from wsload.report.comparison.comparison import ComparisonReport
from wsload.report.comparison.runs import ComparedRun
from wsload.report.comparison.sentences import (
    calibration_sentences,
    gate_sentences,
    shown_bounds,
    shown_change,
    shown_value,
    unjudged_sentences,
    verdict_words,
)
from wsload.report.tables import Column, Table
from wsload.report.warnings import told_once
from wsload.words import number, percent, rate, size

_LEFT: Final = "left"


def judgements_table(report: ComparisonReport) -> Table:
    """Each judged statistic: both sides, the change with its bounds, the verdict."""
    comparison, gate = report.comparison, report.comparison.gate
    rows: list[tuple[str, ...]] = [
        (
            each.name,
            shown_value(each.baseline, is_share=each.is_share),
            shown_value(each.candidate, is_share=each.is_share),
            shown_change(each),
            shown_bounds(each),
            verdict_words(each, gate.same_within, gate.shift_ns),
        )
        for each in comparison.judgements
    ]
    rows += [_unjudged_row(each) for each in comparison.unjudged if each.baseline is not None]
    return Table(
        title="Verdicts",
        columns=(
            Column(title="statistic", align=_LEFT),
            Column(title="A", unit="ms"),
            Column(title="B", unit="ms"),
            Column(title="change"),
            Column(title="bounds"),
            Column(title="verdict", align=_LEFT),
        ),
        rows=tuple(rows),
        notes=(
            *unjudged_sentences(comparison.unjudged),
            *calibration_sentences(comparison.judgements),
            *gate_sentences(report),
        ),
    )


def _unjudged_row(each: Unjudged) -> tuple[str, ...]:
    assert each.baseline is not None and each.candidate is not None
    a, b = (
        shown_value(value, more=more)
        for value, more in zip((each.baseline, each.candidate), each.more, strict=True)
    )
    return each.name, a, b, "–", "–", "not judged"


def sides_table(report: ComparisonReport) -> Table:
    """Besides the latencies: both sides' load, failures, and use of CPU and memory."""
    sides = [report.used(side) for side in Side]
    rows = [
        (
            "WebSocket messages sent per second",
            *(_middle(runs, lambda run: run.sent_rate, rate) for runs in sides),
        ),
        (
            "messages lost",
            *(number(sum(run.summary.counters.get("lost", 0) for run in runs)) for runs in sides),
        ),
        ("failures", *(number(sum(sum(run.summary.failures.values()) for run in runs)) for runs in sides)),
    ]
    if any(run.server for runs in sides for run in runs):
        rows += [
            ("server’s CPU, of one core", *(_middle(_served(runs), _cpu, percent) for runs in sides)),
            ("server’s peak memory", *(_middle(_served(runs), _memory, size) for runs in sides)),
        ]
    return Table(
        title="Other figures",
        columns=(Column(title="", align=_LEFT), Column(title="A"), Column(title="B")),
        rows=tuple(rows) if all(sides) else (),
        notes=("Medians over the runs; for lost messages and failures, sums.",),
    )


def _served(runs: Sequence[ComparedRun]) -> list[ComparedRun]:
    return [run for run in runs if run.server]


def _cpu(run: ComparedRun) -> float:
    assert run.server is not None
    return run.server.cpu_share


def _memory(run: ComparedRun) -> float:
    assert run.server is not None
    return run.server.memory_peak_bytes


def _middle(
    runs: Sequence[ComparedRun], figure: Callable[[ComparedRun], float], show: Callable[[float], str]
) -> str:
    return show(median(map(figure, runs))) if runs else "–"


def runs_table(report: ComparisonReport) -> Table:
    """Every run in the order in which they were made, and whether it was used."""
    metric = (*report.metrics, "message")[0]
    pair_of = {name: f"pair {at}" for at, pair in enumerate(report.comparison.pairs, 1) for name in pair}
    used = dict.fromkeys(report.comparison.used, "yes") | pair_of
    return Table(
        title="Runs",
        columns=(
            Column(title="no.", align=_LEFT),
            Column(title="side", align=_LEFT),
            Column(title="run", align=_LEFT),
            *(Column(title=f"{metric} p{percentile:g}", unit="ms") for percentile in PERCENTILES),
            Column(title="used", align=_LEFT),
        ),
        rows=tuple(
            (
                str(at),
                run.side.letter,
                run.name,
                *(shown_percentile(run, metric, percentile) for percentile in PERCENTILES),
                used.get(run.name, "no"),
            )
            for at, run in enumerate(report.runs, 1)
        ),
        notes=unused(report),
    )


def shown_percentile(run: ComparedRun, metric: str, percentile: float) -> str:
    """One run's percentile over all attempts, for a cell."""
    found = run.figures.outcomes.get(metric)
    if found is None or not found.attempts:
        return "–"
    value = found.percentile(percentile)
    return shown_value(min(value, found.slowest_ns), more=value > found.slowest_ns)


def run_values(run: ComparedRun, metrics: Sequence[str]) -> Iterator[tuple[str, float | None]]:
    """One run's percentiles in ns by statistic; None for one that falls among the lost or failed."""
    for metric in metrics:
        found = run.figures.outcomes.get(metric)
        if found is not None and found.attempts:
            for percentile in PERCENTILES:
                value = found.percentile(percentile)
                yield Quantile(metric, percentile).name, value if math.isfinite(value) else None


def unused(report: ComparisonReport) -> tuple[str, ...]:
    """Why runs were not used, each reason once."""
    doubts = {run.name: run.doubt for run in report.runs}
    reasons = ((each.name, doubts[each.name] or each.reason) for each in report.comparison.excluded)
    return tuple(f"{who}: {reason}" for who, _, reason in told_once(reasons))


def conditions_table(report: ComparisonReport) -> Table:
    """The conditions under which the runs were made, and the servers' commands."""
    found: dict[str, list[str]] = {}
    for run in report.runs:
        for name, value in run.figures.conditions.items():
            found.setdefault(name, []).append(value)
    for run in sorted(report.runs, key=lambda run: run.side.letter):
        if run.server:
            found.setdefault(f"server {run.side.letter}", []).append(run.server.command)
    return Table(
        title="Conditions",
        columns=(Column(title="condition", align=_LEFT), Column(title="of the runs", align=_LEFT)),
        rows=tuple((name, "; ".join(dict.fromkeys(values))) for name, values in found.items()),
    )
