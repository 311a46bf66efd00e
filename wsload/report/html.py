"""report.html: a run as one page that opens offline, made from its results directory alone."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from wsload.report import conditions, named, tables
from wsload.report.chart_data import chart_data, uncharted
from wsload.report.page import page
from wsload.report.run_report import RunReport, read_report
from wsload.report.tables import NOTHING, percentile_ms
from wsload.report.warnings import collapsed
from wsload.results.files import store
from wsload.results.run import CheckState
from wsload.results.trust import ALL
from wsload.words import ms, number, rate, when

REPORT: Final = "report.html"
_WORST_FIRST: Final = (CheckState.FAILED, CheckState.UNJUDGED, CheckState.PASSED)


def write_report(run_dir: Path) -> Path:
    """Writes report.html into a run's directory; returns its path.

    Works for runs that were killed, measured nothing, or have a damaged log. Raises `ResultsError` when the
    directory has no run that this version can read, `NotWritten` when it can't be written to.
    """
    path = run_dir / REPORT
    store(path, render(read_report(run_dir)))
    return path


def render(report: RunReport) -> bytes:
    """The page, in UTF-8."""
    info, summary = report.info, report.summary
    return page(
        "report.html",
        scripts=("report.js",),
        report=report,
        info=info,
        tone=report.standing.tone,
        verdict=report.verdict,
        judged=report.judged,
        failed=any(check.state is not CheckState.PASSED for check in info.checks),
        checks=sorted(info.checks, key=lambda check: _WORST_FIRST.index(check.state)),
        doubts=collapsed(report.doubts),
        started_at=when(info.started_at),
        facts=conditions.facts(info, summary),
        figures=_figures(report),
        data=chart_data(report),
        metrics=tables.metrics_table(summary, report.trust),
        meanings={name: info.labels.meaning(name, summary.kind(name)) for name in summary.metrics},
        named=named.sections(summary, report.trust),
        uncharted=uncharted(report),
        interruptions=conditions.interruptions_table(report.interruptions),
        phases=conditions.phases_table(report.opening, summary),
        bars=_bars(report),
        tallies=(
            tables.failures_table(summary),
            tables.closes_table(summary),
            tables.counters_table(summary, info.labels),
        ),
        own_times=tables.own_times_table(summary),
        own_counters=tables.own_counters_table(summary, info.labels),
        processes=conditions.processes_table(report.stored),
        about=(
            conditions.workload_table(info),
            conditions.options_table(info),
            conditions.machine_table(info),
            conditions.versions_table(info),
        ),
    )


def _bars(report: RunReport) -> list[dict[str, object]]:
    """Position and width of each phase on a bar that is 1000 long."""
    whole_ns = sum(report.opening.phases.values())
    bars: list[dict[str, object]] = []
    reached = 0.0
    for metric, part_ns in report.opening.phases.items():
        width = 1000 * part_ns / whole_ns
        bars.append({"name": metric, "x": f"{reached:.2f}", "width": f"{width:.2f}"})
        reached += width
    return bars


def _figures(report: RunReport) -> tuple[tuple[str, str, str], ...]:
    """The most important figures: label, figure, unit."""
    summary = report.summary
    found: list[tuple[str, str, str]] = []
    leading = summary.leading
    if name := leading or ("open" if "open" in summary.metrics else None):
        metric = summary.metrics[name]
        for word, percentile, value_ns in (
            ("p50", 50.0, metric.p50_ns),
            ("p99", 99.0, metric.p99_ns),
            ("max", ALL, metric.max_ns),
        ):
            figure = percentile_ms(percentile, metric.count, value_ns) if percentile < ALL else ms(value_ns)
            trusted = figure == NOTHING or report.trust.covers(name, percentile)
            found.append((f"{name} {word}", figure if trusted else f"({figure})", "ms"))
    if leading:
        found.append(
            ("messages" if leading == "message" else leading, rate(summary.metrics[leading].rate), "/s")
        )
    found += [
        ("lost", number(summary.counters.get("lost", 0)), ""),
        ("failures", number(sum(summary.failures.values())), ""),
    ]
    return tuple(found)
