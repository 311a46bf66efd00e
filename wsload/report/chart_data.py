"""The figures that a run's page hands to its charts, as plain JSON values; times in ms."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any, Final

from wsload.analysis.heat import ROWS_PER_DECADE, Heat
from wsload.analysis.series import Series, Track
from wsload.analysis.shape import Shape
from wsload.report.run_report import RunReport

MOST_KINDS: Final = 5
"""So many kinds of failure are told apart over time; the others are one."""
MOST_TRACKS: Final = 10
HEATED: Final = ("message", "message.service", "delivery", "open", "login")


def chart_data(report: RunReport) -> dict[str, Any]:
    """Everything that ``report.js`` draws; read there, by the same names."""
    series = report.series
    return {
        "width": series.width_s,
        "at": [_short(at) for at in series.at_s],
        "curves": {metric: _curve(shape) for metric, shape in report.shapes.items()},
        "tracks": {
            metric: _track(track) for metric, track in list(series.tracks.items())[:MOST_TRACKS]
        },
        "heat": {metric: _heat(heat) for metric, heat in series.heat.items() if metric in HEATED},
        "rows": ROWS_PER_DECADE,
        "levels": {
            name: {"lowest": list(level.lowest), "highest": list(level.highest)}
            for name, level in series.levels.items()
        },
        "rates": _rates(series),
        "failures": _failures(series),
        "reconnects": _counts(series.counters.get("reconnects", ())),
        "interruptions": [[_short(each.start_s), _short(each.end_s)] for each in report.interruptions],
    }


def _short(value: float) -> float:
    """Four digits, or all before the point: what a screen can show."""
    return round(value) if abs(value) >= 1000 else float(f"{value:.4g}")


def _ms(values_ns: Iterable[int | None]) -> list[float | None]:
    """In ms; what is below the histograms' resolution has no place on a logarithmic axis."""
    return [_short(value / 1e6) if value else None for value in values_ns]


def _curve(shape: Shape) -> dict[str, Any]:
    return {"at": [round(p, 6) for p in shape.percentiles], "ms": _ms(shape.values_ns)}


def _track(track: Track) -> list[list[float | None]]:
    return [_ms(values) for values in (track.p50_ns, track.p99_ns, track.p99_9_ns, track.max_ns)]


def _heat(heat: Heat) -> dict[str, Any]:
    """Each column's cells as row, count, row, count …"""
    return {
        "width": heat.width_s,
        "at": [_short(at) for at in heat.at_s],
        "cells": [list(chain.from_iterable(column)) for column in heat.cells],
    }


def _rates(series: Series) -> dict[str, list[float | None]]:
    counts = {
        "sent": series.counters.get("sent"),
        "answered": series.tracks["message"].count if "message" in series.tracks else None,
        "delivered": series.tracks["delivery"].count if "delivery" in series.tracks else None,
        "cpu": series.counters.get("cpu_ns"),
    }
    return {
        name: [None if rate is None else _short(rate) for rate in series.rates(found)]
        for name, found in counts.items()
        if found is not None
    }


def _failures(series: Series) -> list[dict[str, Any]]:
    found = [(f"{what}: {kind}", counts) for (what, kind), counts in series.failures.items()]
    shown, rest = found[:MOST_KINDS], found[MOST_KINDS:]
    if rest:
        shown.append(("others", tuple(map(sum, zip(*(counts for _, counts in rest), strict=True)))))
    return [{"kind": kind, "counts": _counts(counts)} for kind, counts in shown]


def _counts(counts: Iterable[int]) -> list[int]:
    return list(counts)
