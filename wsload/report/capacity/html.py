"""capacity.html: a search as one page that opens offline: what holds, the latency over the load, every step."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

from wsload.errors import ResultsError
from wsload.judge.capacity.search import Outcome
from wsload.judge.capacity.step import StepFigures
from wsload.judge.figures.shape import shape
from wsload.judge.figures.summary import summarize
from wsload.judge.run.grammar import parse_check
from wsload.report.capacity.capacity import CapacityReport, SearchedSide
from wsload.report.capacity.sentences import findings, headline, shown
from wsload.report.capacity.tables import percentiles, steps_table
from wsload.report.drawn import curve, in_ms, short
from wsload.report.page import page
from wsload.results.files import store
from wsload.results.reader import open_run
from wsload.words import listed, when

PAGE: Final = "capacity.html"
DIGITS: Final = 4
"""Of the charts' figures: as many as a screen can show."""


def write_page(report: CapacityReport) -> Path:
    """Writes the page into the search's directory. Raises `NotWritten` if it can't be written."""
    path = report.path / PAGE
    store(path, render(report))
    return path


def render(report: CapacityReport) -> bytes:
    """The page, in UTF-8."""
    return page(
        "capacity.html",
        scripts=("capacity.js",),
        title=_title(report),
        headline=headline(report),
        tone=report.tone,
        findings=list(findings(report)),
        checks=report.checks,
        servers=[(f"{side.called}: " if report.contrast else "", side.how) for side in report.sides],
        load=report.load,
        started_at=when(report.started_s),
        figures=_figures(report),
        steps=steps_table(report),
        unit="users" if report.plan.whole else "requests a second",
        data=chart_data(report),
    )


def _title(report: CapacityReport) -> str:
    if report.contrast is None:
        return "How much the server can take"
    return f"How much {listed([side.called for side in report.sides])} can take"


def _figures(report: CapacityReport) -> Iterator[tuple[str, str, str]]:
    """The capacities: label, figure, unit."""
    for side in report.sides:
        if side.look.next_rate is not None or not side.steps:
            continue
        of = f", {side.letter}" if report.contrast else ""
        for label, value in (
            ("holds", side.look.estimate),
            ("at least", side.look.low),
            ("at most", side.look.high),
        ):
            figure, _, unit = shown(value, report.plan).partition("/")
            yield f"{label}{of}", figure.removesuffix(" users"), f"/{unit}" if unit else "users"


def chart_data(report: CapacityReport) -> dict[str, Any]:
    """Everything that ``capacity.js`` draws, by the names it uses; times in ms."""
    sides: list[dict[str, Any]] = [
        {
            "name": side.called if report.contrast else side.name,
            "known": bool(side.steps),
            "low": short(side.look.low, DIGITS),
            "high": short(side.look.high, DIGITS),
            "estimate": short(side.look.estimate, DIGITS),
            "steps": [_step(report, side, step) for step in sorted(side.steps, key=lambda each: each.rate)],
        }
        for side in report.sides
    ]
    drawn = {step["curve"]["name"] for side in sides for step in side["steps"] if step["curve"]}
    return {
        "unit": report.unit,
        "users": report.plan.whole,
        "bounds": list(_bounds(report, drawn)),
        "sides": sides,
    }


def _bounds(report: CapacityReport, drawn: Collection[str]) -> Iterator[dict[str, Any]]:
    """The bounds on percentiles of the names that are drawn; on all percentiles if these are not known."""
    for check in map(parse_check, report.checks):
        if re.fullmatch(r"p[\d.]+", check.statistic) and (not drawn or check.name in drawn):
            yield {"label": check.expression, "ms": check.bound / 1e6}


def _step(report: CapacityReport, side: SearchedSide, step: StepFigures) -> dict[str, Any]:
    return {
        "rate": step.rate,
        "number": side.steps.index(step) + 1,
        "outcome": step.outcome,
        "reason": step.reason,
        "achieved": step.achieved or None,
        **{
            f"p{each:g}": in_ms(value, DIGITS) if step.trusts(each) else None
            for each, value in percentiles(step)
        },
        "doubted": None if step.trusts(99) else in_ms(step.p99_ns, DIGITS),
        "curve": None if step.outcome is Outcome.UNTRUSTED else _curve(report, step),
    }


def _curve(report: CapacityReport, step: StepFigures) -> dict[str, Any] | None:
    """The percentiles of what stands for the step's run; None where the run is gone, or measured nothing."""
    if not step.run:
        return None
    try:
        totals = open_run(report.path / step.run).totals()
    except ResultsError:
        return None
    name = summarize(totals).leading or ""
    histogram = totals.histograms.get(name)
    if histogram is None or not histogram.total:
        return None
    return {"name": name, **curve(shape(histogram), DIGITS)}
