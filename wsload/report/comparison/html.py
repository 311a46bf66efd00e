"""The comparison as one page that opens offline: verdicts, both sides' curves, and every run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from wsload.judge.compare.curve import CurvePoint
from wsload.judge.compare.pairs import Side
from wsload.judge.compare.selection import PERCENTILES
from wsload.report.comparison.comparison import ComparisonReport
from wsload.report.comparison.sentences import basis_sentence, headline, shown_change, shown_value
from wsload.report.comparison.tables import (
    conditions_table,
    judgements_table,
    run_values,
    runs_table,
    sides_table,
)
from wsload.report.drawn import in_ms, short
from wsload.report.page import page
from wsload.results.files import put_out
from wsload.words import when

DIGITS: Final = 5
"""Of the charts' figures: as many as a screen can show."""


def write_page(report: ComparisonReport, path: Path, *, named: bool = True) -> None:
    """Writes the page; raises `UsageError` if it can't be written, `NotWritten` if the disk is full.

    ``named``: whether the user named this file.
    """
    put_out(path, render(report), named=named, what=f"--html {str(path)!r}:")


def render(report: ComparisonReport) -> bytes:
    """The page, in UTF-8."""
    a, b = (report.called(side) for side in Side)
    return page(
        "comparison.html",
        scripts=("comparison.js",),
        report=report,
        title=f"{b} compared with {a}",
        headline=headline(report),
        tone=report.comparison.verdict.tone,
        verdict=report.comparison.verdict.capitalize(),
        span=_span(report),
        basis=basis_sentence(report),
        figures=_figures(report),
        judgements=judgements_table(report),
        sides=sides_table(report),
        runs=runs_table(report),
        conditions=conditions_table(report),
        data=chart_data(report),
    )


def _span(report: ComparisonReport) -> str:
    starts = [run.figures.started_s for run in report.runs]
    return f"{when(min(starts))} to {when(max(starts))}"


def _figures(report: ComparisonReport) -> list[tuple[str, str, str]]:
    """The main metric's figures: label, figure, unit."""
    found = []
    for each in report.comparison.judgements:
        if report.metrics and each.name.startswith(f"{report.metrics[0]}.p"):
            found += [
                (f"{each.name}, A", shown_value(each.baseline), "ms"),
                (f"{each.name}, B", shown_value(each.candidate), "ms"),
                (f"{each.name}, change", shown_change(each), ""),
            ]
    return found


def chart_data(report: ComparisonReport) -> dict[str, Any]:
    """Everything that ``comparison.js`` draws, by the names it uses; times in ms."""
    comparison = report.comparison
    return {
        "names": {side.letter: name for side, name in report.names.items()},
        "gate": comparison.gate.ratio,
        "judged": [
            {
                "name": each.name,
                "verdict": each.verdict,
                "ratio": _short(each.change),
                "low": _short(each.low),
                "high": _short(each.high),
            }
            for each in comparison.judgements
            if not each.is_share
        ],
        "curves": {metric: _curve(curve) for metric, curve in report.curves.items()},
        "pairs": [list(pair) for pair in comparison.pairs],
        "seconds": _seconds(report),
        "runs": [
            {
                "side": run.side.letter,
                "name": run.name,
                "used": run.name in comparison.used,
                "values": {
                    metric: {
                        f"p{percentile:g}": _ms(values.get(f"{metric}.p{percentile:g}"))
                        for percentile in PERCENTILES
                    }
                    for metric in report.metrics
                    if f"{metric}.p50" in values
                },
            }
            for run in report.runs
            for values in [dict(run_values(run, report.metrics))]
        ],
    }


def _seconds(report: ComparisonReport) -> dict[str, dict[str, list[Any]]]:
    """By metric: both sides of each pair on one time axis, pair after pair with a gap between; nothing for runs that
    were not made at the same time.
    """
    by_name = {run.name: run for run in report.runs}
    found: dict[str, dict[str, list[Any]]] = {}
    for metric in report.metrics:
        columns: dict[str, list[Any]] = {"at": [], "pair": [], "a50": [], "a99": [], "b50": [], "b99": []}
        start_s = 0
        for number, names in enumerate(report.comparison.pairs, 1):
            a, b = ({each.at_s: each for each in by_name[name].seconds.get(metric, ())} for name in names)
            if not a.keys() & b.keys():
                continue
            first_s, last_s = min(a.keys() | b.keys()), max(a.keys() | b.keys())
            for at_s in sorted(a.keys() | b.keys()):
                columns["at"].append(start_s + at_s - first_s)
                columns["pair"].append(number)
                for side, points in (("a", a), ("b", b)):
                    point = points.get(at_s)
                    columns[f"{side}50"].append(None if point is None else _ms(point.p50_ns))
                    columns[f"{side}99"].append(None if point is None else _ms(point.p99_ns))
            start_s += last_s - first_s + 2
            for name, values in columns.items():
                values.append(start_s - 1 if name == "at" else number if name == "pair" else None)
        if columns["at"]:
            found[metric] = columns
    return found


def _curve(curve: tuple[CurvePoint, ...]) -> dict[str, list[float | None]]:
    def column(
        of: Callable[[CurvePoint], float | None], shown: Callable[[float | None], float | None]
    ) -> list[float | None]:
        return [shown(of(point)) for point in curve]

    return {
        "at": [round(point.percentile, 6) for point in curve],
        "a": column(lambda point: point.baseline_ns, _ms),
        "aLow": column(lambda point: point.baseline_low_ns, _ms),
        "aHigh": column(lambda point: point.baseline_high_ns, _ms),
        "b": column(lambda point: point.candidate_ns, _ms),
        "bLow": column(lambda point: point.candidate_low_ns, _ms),
        "bHigh": column(lambda point: point.candidate_high_ns, _ms),
        "ratio": column(lambda point: point.ratio, _short),
        "low": column(lambda point: point.low, _short),
        "high": column(lambda point: point.high, _short),
    }


def _ms(value_ns: float | None) -> float | None:
    return in_ms(value_ns, DIGITS)


def _short(value: float | None) -> float | None:
    return None if value is None else short(value, DIGITS)
