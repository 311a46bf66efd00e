"""The data of a run page's charts, as plain JSON values; times in ms."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from wsload.judge.figures.heat import ROWS_PER_DECADE, Heat
from wsload.judge.figures.series import Series, Track
from wsload.measure.names import OWN, Kind, split
from wsload.measure.profile import parse_profile
from wsload.report.drawn import curve, in_ms, short
from wsload.report.run_report import RunReport
from wsload.report.tables import OWN_TIMES

MAX_KINDS: Final = 5
"""How many kinds of failure are drawn separately over time; the others are added up."""
MAX_CHARTED: Final = 40
"""How many names have charts: the busiest. The tables have all."""


def chart_data(report: RunReport) -> dict[str, Any]:
    """Everything that ``report.js`` draws, by the names it uses."""
    series, names = report.series, charted(report)
    metrics = {metric for metric in report.shapes if split(metric)[0] in names or metric in OWN}
    if metrics <= OWN_TIMES:  # nothing of the server was measured
        metrics.clear()
    return {
        "width": series.width_s,
        "at": [_moment(at) for at in series.at_s],
        "leading": report.summary.leading,
        "names": [{"name": name, "kind": report.summary.kind(name)} for name in names],
        "curves": {metric: curve(shape) for metric, shape in report.shapes.items() if metric in metrics},
        "tracks": {metric: _track(track) for metric, track in series.tracks.items() if metric in metrics},
        "heat": {
            metric: _heat(heat)
            for metric, heat in series.heat.items()
            if metric in names or metric in ("open", "delivery")
        },
        "unanswered": {
            metric: _counts(counts) for metric, counts in series.unanswered.items() if metric in metrics
        },
        "rows": ROWS_PER_DECADE,
        "levels": _levels(series),
        "rates": _rates(report),
        "profile": _profile(report),
        "failures": _failures(series),
        "reconnects": _counts(series.counters.get("reconnects", ())),
        "outside": _outside(report),
        "interruptions": [[_moment(each.start_s), _moment(each.end_s)] for each in report.interruptions],
    }


def _outside(report: RunReport) -> list[list[float]]:
    """What lies outside the measured window, on the charts' axis."""
    window, series = report.info.window, report.series
    if window.whole or not series.at_s:
        return []
    begun_s = report.info.started_at - series.start_s
    end_s = series.at_s[-1] + series.width_s
    found = [[0.0, window.from_s + begun_s]]
    if window.to_s is not None:
        found.append([window.to_s + begun_s, end_s])
    return [[_moment(begin), _moment(end)] for begin, end in found if end > begin]


def charted(report: RunReport) -> list[str]:
    """The names that have charts, in the order of the tables."""
    found = _values(report)
    busiest = sorted(found, key=lambda name: (name != report.summary.leading, -found[name]))[:MAX_CHARTED]
    return [name for name in found if name in busiest]


def uncharted(report: RunReport) -> int:
    """How many names with values have no chart, because others are busier."""
    return len(_values(report)) - len(charted(report))


def _values(report: RunReport) -> dict[str, int]:
    """How many values the names have, in the order of the tables; wsload's own have charts anyway."""
    found: dict[str, int] = {}
    for metric, shape in report.shapes.items():
        name = split(metric)[0]
        if name not in OWN:
            found[name] = found.get(name, 0) + shape.count
    return found


def _moment(seconds: float) -> float:
    return round(seconds) if seconds == round(seconds) else round(seconds, 3)


def _track(track: Track) -> list[list[float | None]]:
    return [
        [in_ms(value) for value in values]
        for values in (track.p50_ns, track.p99_ns, track.p99_9_ns, track.max_ns)
    ]


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


def _rates(report: RunReport) -> dict[str, list[float | None]]:
    series = report.series
    answered = [
        track.count
        for metric, track in series.tracks.items()
        if metric not in OWN and not split(metric)[1] and report.summary.kind(metric) is Kind.REQUEST
    ]
    counts = {
        "sent": series.counters.get("requests") or series.counters.get("sent"),
        "answered": tuple(map(sum, zip(*answered, strict=True))) if answered else None,
        "delivered": series.tracks["delivery"].count if "delivery" in series.tracks else None,
        "cpu": series.counters.get("cpu_ns"),
    }
    return {
        name: [None if rate is None else short(rate) for rate in series.rates(found)]
        for name, found in counts.items()
        if found is not None
    }


def _profile(report: RunReport) -> list[float] | None:
    """What ``--ws-profile`` asked for, on average in each slot; None where it was not given.

    A profile begins when recording does, with the first interval.
    """
    try:
        profile = parse_profile(str(report.info.workload["profile"]))
    except (KeyError, ValueError):
        return None
    series = report.series
    begun_s = series.start_s - report.info.started_at
    edges = [(begun_s + at, begun_s + at + series.width_s) for at in series.at_s]
    return [short((profile.integral(end) - profile.integral(begin)) / series.width_s) for begin, end in edges]


def _failures(series: Series) -> list[dict[str, Any]]:
    found = [(f"{what}: {kind}", counts) for (what, kind), counts in series.failures.items()]
    shown, rest = found[:MAX_KINDS], found[MAX_KINDS:]
    if rest:
        shown.append(("others", tuple(map(sum, zip(*(counts for _, counts in rest), strict=True)))))
    return [{"kind": kind, "counts": _counts(counts)} for kind, counts in shown]


def _counts(counts: Iterable[int]) -> list[int]:
    return list(counts)
