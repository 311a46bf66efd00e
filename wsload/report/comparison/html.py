"""The comparison as one page that opens offline: verdicts, both sides' curves, and every run in its turn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from wsload.errors import UsageError
from wsload.judge.compare.curve import CurvePoint
from wsload.judge.compare.pairs import PARTS
from wsload.judge.compare.verdict import Verdict
from wsload.report.comparison.comparison import LETTERS, ComparisonReport
from wsload.report.comparison.tables import (
    basis_sentence,
    conditions_table,
    gate_sentence,
    judgements_table,
    runs_table,
    shown_metric,
    sides_table,
)
from wsload.report.page import page
from wsload.results.run import replace_file
from wsload.words import change, ms, when

BANNERS: Final = {
    Verdict.SLOWER: ("bad", "Slower."),
    Verdict.FASTER: ("good", "Faster."),
    Verdict.SAME: ("good", "The same."),
    Verdict.INCONCLUSIVE: ("doubtful", "Inconclusive."),
    Verdict.NO_VALID_RUNS: ("bad", "No valid runs."),
}
"""By verdict, the banner's class and first words."""


def write_page(report: ComparisonReport, path: Path) -> None:
    """Writes the page; raises `UsageError` where that can't be."""
    try:
        replace_file(path, render(report))
    except OSError as error:
        raise UsageError(f"--html {str(path)!r}: can't be written ({error.strerror})") from None


def render(report: ComparisonReport) -> bytes:
    """The page, in UTF-8."""
    return page(
        "comparison.html",
        scripts=("comparison.js",),
        report=report,
        banner=BANNERS[report.comparison.verdict],
        span=_span(report),
        basis=basis_sentence(report),
        gate=gate_sentence(report),
        figures=_figures(report),
        judgements=judgements_table(report),
        sides=sides_table(report),
        runs=runs_table(report),
        conditions=conditions_table(report),
        data=chart_data(report),
    )


def _span(report: ComparisonReport) -> str:
    first, last = report.runs[0].figures.started_s, report.runs[-1].figures.started_s
    return f"{when(first)} to {when(last)}"


def _figures(report: ComparisonReport) -> list[tuple[str, str, str]]:
    """The few figures that a hurried reader wants: label, figure, unit."""
    metric = shown_metric(report)
    found = []
    for each in report.comparison.judgements:
        if each.name in (f"{metric}.p50", f"{metric}.p99"):
            label = each.name.replace(".", " ")
            found += [
                (f"{label}, A", ms(each.baseline_ns), "ms"),
                (f"{label}, B", ms(each.candidate_ns), "ms"),
                (f"{each.name.rpartition('.')[2]} change", change(each.ratio), ""),
            ]
    return found


def chart_data(report: ComparisonReport) -> dict[str, Any]:
    """Everything that ``comparison.js`` draws; read there, by the same names. Times in ms."""
    comparison = report.comparison
    used = {name for pair in comparison.pairs for name in pair}
    return {
        "names": {LETTERS[side]: name for side, name in report.names.items()},
        "gate": comparison.gate.ratio,
        "judged": [
            {
                "name": each.name,
                "verdict": each.verdict,
                "ratio": _short(each.ratio),
                "low": _short(each.low),
                "high": _short(each.high),
            }
            for each in comparison.judgements
        ],
        "curves": {metric: _curve(curve) for metric, curve in report.curves.items()},
        "runs": [
            {
                "side": LETTERS[run.side],
                "name": run.name,
                "used": run.name in used,
                "values": {
                    metric: {
                        statistic: _ms(run.figures.values[f"{metric}.{statistic}"])
                        for statistic in ("p50", "p99")
                    }
                    for metric in PARTS
                    if f"{metric}.p50" in run.figures.values
                },
            }
            for run in report.runs
        ],
    }


def _curve(curve: tuple[CurvePoint, ...]) -> dict[str, list[float]]:
    def column(of: Callable[[CurvePoint], float], shown: Callable[[float], float]) -> list[float]:
        return [shown(of(point)) for point in curve]

    return {
        "at": column(lambda point: point.percentile, lambda percentile: round(percentile, 6)),
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


def _ms(value_ns: float) -> float:
    return _short(value_ns / 1e6)


def _short(value: float) -> float:
    """Five digits: what a screen can show."""
    return float(f"{value:.5g}")
