"""The data of a run page's charts, as plain JSON values; times in ms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from wsload.judge.figures.heat import ROWS_PER_DECADE, Heat
from wsload.judge.figures.series import Series, Track
from wsload.judge.figures.shape import Shape
from wsload.report.run_report import RunReport

MOST_KINDS: Final = 5
"""How many kinds of failure are drawn separately over time; the others are added up."""
MOST_TRACKS: Final = 8
HEATED: Final = ("message", "message.service", "delivery", "open")


def chart_data(report: RunReport) -> dict[str, Any]:
    """Everything that ``report.js`` draws, by the names it uses."""
    series = report.series
    return {
        "width": series.width_s,
        "at": [_moment(at) for at in series.at_s],
        "curves": {metric: _curve(shape) for metric, shape in report.shapes.items()},
        "tracks": {metric: _track(track) for metric, track in list(series.tracks.items())[:MOST_TRACKS]},
        "heat": {metric: _heat(heat) for metric, heat in series.heat.items() if metric in HEATED},
        "rows": ROWS_PER_DECADE,
        "levels": _levels(series),
        "rates": _rates(series),
        "failures": _failures(series),
        "reconnects": _counts(series.counters.get("reconnects", ())),
        "interruptions": [[_moment(each.start_s), _moment(each.end_s)] for each in report.interruptions],
    }


def _short(value: float) -> float:
    """Rounded to three digits, the histograms' resolution, but to no less than a whole number: saves bytes."""
    return round(value) if abs(value) >= 100 else float(f"{value:.3g}")


def _moment(seconds: float) -> float:
    return round(seconds) if seconds == round(seconds) else round(seconds, 3)


def _ms(values_ns: Iterable[int | None]) -> list[float | None]:
    """In ms; a zero, which is below the histograms' resolution, can't be drawn on a logarithmic axis."""
    return [_short(value / 1e6) if value else None for value in values_ns]


def _curve(shape: Shape) -> dict[str, Any]:
    return {"at": [round(p, 6) for p in shape.percentiles], "ms": _ms(shape.values_ns)}


def _track(track: Track) -> list[list[float | None]]:
    return [_ms(values) for values in (track.p50_ns, track.p99_ns, track.p99_9_ns, track.max_ns)]


def _heat(heat: Heat) -> dict[str, Any]:
    """Each column as its lowest row, followed by the counts from there upwards."""
    return {
        "width": heat.width_s,
        "at": [_moment(at) for at in heat.at_s],
        "columns": [_column(cells) for cells in heat.cells],
    }


def _column(cells: tuple[tuple[int, int], ...]) -> list[int]:
    lowest, highest = cells[0][0], cells[-1][0]
    counts = dict(cells)
    return [lowest, *(counts.get(row, 0) for row in range(lowest, highest + 1))]


def _levels(series: Series) -> dict[str, list[int | None]]:
    """The most users and the fewest connections in each slot, so that missing connections show."""
    found = {}
    if "users" in series.levels:
        found["users"] = list(series.levels["users"].highest)
    if "connections" in series.levels:
        found["connections"] = list(series.levels["connections"].lowest)
    return found


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
