"""The table model that every markup renders, and the tables of a run.

Cells are formatted here, once, so that terminal, Markdown and HTML show the same figures. They may contain text that
came from a server: renderers escape it for their markup.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from wsload.judge.figures.samples import can_be_shown
from wsload.judge.figures.summary import MetricSummary, Summary
from wsload.measure.names import GAUGES, Labels, OwnWait, labels
from wsload.results.trust import Trust
from wsload.words import ms, number, rate, size, span


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's head."""

    title: str
    unit: str = ""
    """Unit of all its cells, such as ``ms``; empty for counts and words."""
    align: Literal["left", "right"] = "right"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of formatted cells; it is not shown if it has no rows."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    """Each row has as many cells as there are columns."""
    notes: tuple[str, ...] = ()
    """Sentences below the table."""
    doubtful: frozenset[tuple[int, int]] = frozenset()
    """Row and column, from 0, of the cells whose figures are not trusted."""


CLOSE_MEANINGS: Final = {
    1000: "normal",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1005: "no code given",
    1006: "no close frame",
    1007: "invalid data",
    1008: "policy violation",
    1009: "message too big",
    1010: "extension missing",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
    1015: "TLS handshake failed",
}
"""RFC 6455 section 7.4.1, and the IANA registry of WebSocket close codes."""

_PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
_MS: Final = tuple(Column(title=title, unit="ms") for title in _PERCENTILES)
_FIRST_MS: Final = 3
OWN_TIMES: Final = frozenset(("send_lag", "loop_lag", "gc_pause"))
_OWN_COUNTERS: Final = frozenset(
    (
        "cpu_ns",
        "late_ns",
        "late_working_ns",
        "late_waiting_ns",
        "late_samples",
        *(why.value for why in OwnWait),
    )
)
"""What tells of the load generator, and not of the server."""
_COUNTED: Final = (Column(title="counter", align="left"), Column(title="value"))
NOTHING: Final = "–"
"""In a cell: there is no such figure."""
FEW: Final = f"{NOTHING} means too few values for this percentile: it would be their maximum."
NOT_TRUSTED: Final = "In parentheses: not trusted, because the load generator's own lateness may be included"
UNPROVED: Final = ", or because it can't be proved which answer belongs to which request"


def percentile_ms(percentile: float, count: int, value_ns: float) -> str:
    """A percentile of so many values, in ms; `NOTHING` where it would be their maximum."""
    return ms(value_ns) if can_be_shown(percentile, count) else NOTHING


def metrics_table(
    summary: Summary, trust: Trust | None = None, *, rows: Mapping[str, str] | None = None
) -> Table:
    """Count, rate and percentiles of the server's metrics, or of these only: metric and what to call it.

    Those that are not trusted are in parentheses.
    """
    chosen = {name: name for name in summary.metrics if name not in OWN_TIMES} if rows is None else rows
    shown = [metric for metric in summary.metrics if metric in chosen]
    cells = [_cells(chosen[metric], summary.metrics[metric]) for metric in shown]
    doubtful = frozenset(
        (row, _FIRST_MS + place)
        for row, metric in enumerate(shown)
        for place, percentile in enumerate(_PERCENTILES.values())
        if trust is not None and not trust.covers(metric, percentile)
    )
    notes = [FEW] if any(NOTHING in row[1:] for row in cells) else []
    if doubtful and trust is not None:
        notes.append(f"{NOT_TRUSTED}{UNPROVED if trust.reasons else ''}.")
    return Table(
        title="Latency",
        columns=(
            Column(title="metric", align="left"),
            Column(title="count"),
            Column(title="rate", unit="/s"),
            *_MS,
        ),
        rows=tuple(
            tuple(
                f"({cell})" if (row, place) in doubtful and cell != NOTHING else cell
                for place, cell in enumerate(figures)
            )
            for row, figures in enumerate(cells)
        ),
        notes=tuple(notes),
        doubtful=doubtful,
    )


def own_times_table(summary: Summary) -> Table:
    """How late the load generator itself was."""
    rows = {name: name for name in summary.metrics if name in OWN_TIMES}
    return replace(
        metrics_table(summary, rows=rows), title="Lateness of the load generator, which is not the server's"
    )


def _cells(name: str, found: MetricSummary) -> tuple[str, ...]:
    percentiles = (
        percentile_ms(percentile, found.count, value_ns) for percentile, value_ns in found.percentiles.items()
    )
    return name, number(found.count), rate(found.rate), *percentiles, ms(found.max_ns)


def counters_table(summary: Summary, known: Labels | None = None) -> Table:
    """The counters that are not zero, and the highest levels; ``known`` are the run's own labels."""
    levels = [(GAUGES.get(name, name), number(value)) for name, value in summary.peaks.items()]
    rows = [*_counted(summary.counters.keys() - _OWN_COUNTERS, summary, known), *levels]
    return Table(title="Counters", columns=_COUNTED, rows=tuple(rows))


def own_counters_table(summary: Summary, known: Labels | None = None) -> Table:
    """What the load generator spent, and how long it was late in all."""
    rows = _counted(_OWN_COUNTERS, summary, known)
    return Table(title="Load generator", columns=_COUNTED, rows=tuple(rows))


def _counted(chosen: Collection[str], summary: Summary, known: Labels | None) -> Iterator[tuple[str, str]]:
    words = known or labels()
    for name, value in summary.counters.items():
        if name in chosen:
            yield words.label(name), counter_value(name, value)


def failures_table(summary: Summary) -> Table:
    """What failed, how, and how often; most frequent first."""
    return Table(
        title="Failures",
        columns=(
            Column(title="what", align="left"),
            Column(title="failure", align="left"),
            Column(title="count"),
        ),
        rows=tuple((what, kind, number(count)) for (what, kind), count in summary.failures.items()),
        notes=tuple(f"{what}: {kind}: {detail}." for (what, kind), detail in summary.details.items()),
    )


def closes_table(summary: Summary) -> Table:
    """How connections ended, by close code."""
    return Table(
        title="Close codes",
        columns=(
            Column(title="code", align="left"),
            Column(title="meaning", align="left"),
            Column(title="count"),
        ),
        rows=tuple(
            (str(code), CLOSE_MEANINGS.get(code, "defined by the application"), number(count))
            for code, count in summary.closes.items()
        ),
    )


def counter_value(name: str, value: int) -> str:
    """A counter's value with its unit, if it has one: ``12.4 MB``, ``8.21 s``."""
    if name.endswith("_ns"):
        return span(value / 1e9)
    return size(value) if name.startswith("bytes_") else number(value)
