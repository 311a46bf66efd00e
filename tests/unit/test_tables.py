from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intervals import COUNTERS, intervals

from wsload.judge.figures.summary import Summary, summarize
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import GAUGES, labels
from wsload.report import tables

BUILDERS = (
    *(tables.metrics_table, tables.own_times_table, tables.counters_table, tables.own_counters_table),
    *(tables.failures_table, tables.closes_table),
)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("sent", 1_234_567, "1,234,567"),
        ("cpu_ns", 8_214_000_000, "8.21 s"),
        ("bytes_in", 999, "999 B"),
        ("bytes_in", 1_000, "1 kB"),
        ("bytes_out", 12_345_678, "12.3 MB"),
        ("bytes_out", 999_700, "1 MB"),
        ("bytes_out", 5 * 10**15, "5,000 TB"),
    ],
)
def test_counters_are_shown_with_their_unit(name: str, value: int, shown: str) -> None:
    assert tables.counter_value(name, value) == shown


def test_every_counter_and_level_has_words_for_people() -> None:
    found = [*map(labels().label, COUNTERS), *GAUGES.values()]
    assert all(found) and len(set(found)) == len(found)
    assert labels().label("gaps_in_the_feed") == "gaps in the feed"


@settings(max_examples=30)
@given(st.lists(intervals(), max_size=3))
def test_every_row_has_a_cell_for_every_column(parts: list[Interval]) -> None:
    summary = summarize(Totals.of(parts))
    for build in BUILDERS:
        table = build(summary)
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert all(isinstance(cell, str) for row in table.rows for cell in row)


def test_the_tables_of_a_run() -> None:
    interval = Interval(
        start_s=1.0,
        length_s=2.0,
        histograms={"message": Histogram.of([1_500_000] * 3), "open.tcp": Histogram.of([30_000_000])},
        counters={"sent": 1500, "bytes_out": 45_600, "from_the_future": 1},
        gauges={"users": 5, "in_flight": 0},
        failures={("open", "refused"): 2, ("login", "timeout"): 1000},
        closes={1006: 3, 4001: 1},
    )
    summary = summarize(Totals.of([interval]))
    metrics = tables.metrics_table(summary)
    assert [column.title for column in metrics.columns] == [
        "metric", "count", "rate", "p50", "p90", "p95", "p99", "p99.9", "max",
    ]  # fmt: skip
    assert {column.unit for column in metrics.columns[3:]} == {"ms"}
    assert metrics.rows == (
        ("message", "3", "1.50", "1.50", "–", "–", "–", "–", "1.50"),
        ("open.tcp", "1", "0.50", "–", "–", "–", "–", "–", "30.0"),
    )
    assert metrics.notes == (tables.FEW,)
    assert tables.counters_table(summary).rows == (
        ("WebSocket messages sent", "1,500"),
        ("bytes out", "45.6 kB"),
        ("from the future", "1"),
        ("peak users", "5"),
    )
    assert tables.failures_table(summary).rows == (("login", "timeout", "1,000"), ("open", "refused", "2"))
    assert tables.closes_table(summary).rows == (
        ("1006", "no close frame", "3"),
        ("4001", "defined by the application", "1"),
    )


def test_nothing_recorded_gives_tables_without_rows() -> None:
    assert [build(Summary()).rows for build in BUILDERS] == [()] * len(BUILDERS)


@settings(max_examples=30)
@given(st.lists(intervals(), max_size=3))
def test_the_servers_figures_and_the_load_generators_own_are_apart_and_none_is_lost(
    parts: list[Interval],
) -> None:
    summary = summarize(Totals.of(parts))
    server, own = ({row[0] for row in build(summary).rows} for build in BUILDERS[:2])
    assert own <= {"send_lag", "loop_lag", "gc_pause"}
    assert server | own == set(summary.metrics) and not server & own
