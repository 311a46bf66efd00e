from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wsload.judge.figures.heat import MAX_COLUMNS, ROWS_PER_DECADE, heat_map
from wsload.measure.histogram import Histogram

latencies = st.integers(1_000, 60_000_000_000)


def row_edge_ns(row: int) -> float:
    """The lower edge of a row, as the chart draws it."""
    return float(10 ** (row / ROWS_PER_DECADE))


@given(st.lists(latencies, min_size=1))
def test_every_value_is_in_the_row_that_holds_its_bucket(values: list[int]) -> None:
    histogram = Histogram.of(values)
    heat = heat_map([histogram.buckets()], [0.0], 1.0)
    edges, counts = histogram.buckets()
    for row, count in heat.cells[0]:
        inside = [
            int(number)
            for edge, number in zip(edges, counts, strict=True)
            if row_edge_ns(row) <= edge < row_edge_ns(row + 1)
        ]
        assert sum(inside) == count


@given(st.lists(st.lists(latencies, min_size=1, max_size=3) | st.none(), min_size=1, max_size=700))
def test_columns_are_few_and_hold_all_values(slots: list[list[int] | None]) -> None:
    at_s = [float(at) for at in range(len(slots))]
    heat = heat_map([values and Histogram.of(values).buckets() for values in slots], at_s, 1.0)
    assert len(heat.at_s) == len(heat.cells) <= MAX_COLUMNS
    assert sum(count for column in heat.cells for _, count in column) == sum(
        len(values) for values in slots if values
    )
    assert all(at % heat.width_s == 0 for at in heat.at_s)


def test_rows_of_a_column_are_in_order() -> None:
    buckets = Histogram.of([10_000_000, 1_000_000, 1_000_000]).buckets()
    (column,) = heat_map([buckets], [0.0], 1.0).cells
    assert [count for _, count in column] == [2, 1]
    assert column[0][0] < column[1][0]
