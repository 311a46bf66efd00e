from __future__ import annotations

import pytest
from hypothesis import given
from intervals import histograms

from wsload.measure.histogram import Histogram
from wsload.report.hgrm import distribution

MS = 1_000_000
VALUES = [MS, MS, 2 * MS, 5 * MS, 7 * MS, 7 * MS, 20 * MS, 180 * MS]
TEXT = """\
#[StartTime: 1732278960.000 (seconds since epoch), Fri Nov 22 12:36:00 UTC 2024]
       Value     Percentile TotalCount 1/(1-Percentile)

       1.000 0.000000000000          2           1.00
       1.000 0.100000000000          2           1.11
       1.000 0.200000000000          2           1.25
       2.001 0.300000000000          3           1.43
       5.001 0.400000000000          4           1.67
       5.001 0.500000000000          4           2.00
       7.000 0.550000000000          6           2.22
       7.000 0.600000000000          6           2.50
       7.000 0.650000000000          6           2.86
       7.000 0.700000000000          6           3.33
       7.000 0.750000000000          6           4.00
      20.005 0.775000000000          7           4.44
      20.005 0.800000000000          7           5.00
      20.005 0.825000000000          7           5.71
      20.005 0.850000000000          7           6.67
      20.005 0.875000000000          7           8.00
     180.093 0.887500000000          8           8.89
     180.093 1.000000000000          8
#[Mean    =       27.878, StdDeviation   =       57.794]
#[Max     =      180.093, Total count    =            8]
#[Buckets =           23, SubBuckets     =         2048]
"""
CSV = """\
"Value","Percentile","TotalCount","1/(1-Percentile)"
1.000,0.000000000000,2,1.00
1.000,0.100000000000,2,1.11
1.000,0.200000000000,2,1.25
2.001,0.300000000000,3,1.43
5.001,0.400000000000,4,1.67
5.001,0.500000000000,4,2.00
7.000,0.550000000000,6,2.22
7.000,0.600000000000,6,2.50
7.000,0.650000000000,6,2.86
7.000,0.700000000000,6,3.33
7.000,0.750000000000,6,4.00
20.005,0.775000000000,7,4.44
20.005,0.800000000000,7,5.00
20.005,0.825000000000,7,5.71
20.005,0.850000000000,7,6.67
20.005,0.875000000000,7,8.00
180.093,0.887500000000,8,8.89
180.093,1.000000000000,8,Infinity
"""


def test_the_distribution_is_the_one_the_java_tool_prints() -> None:
    """Printed by HistogramLogProcessor of HdrHistogram 2.1.11 for a log with these values."""
    assert distribution(Histogram.of(VALUES), started_at=1732278960.0) == TEXT


def test_as_csv_too() -> None:
    assert distribution(Histogram.of(VALUES), csv=True) == CSV


def test_an_empty_histogram_has_head_and_foot_alone() -> None:
    head, blank, *foot = distribution(Histogram()).splitlines()
    assert (head, blank) == ("       Value     Percentile TotalCount 1/(1-Percentile)", "")
    assert [line.split()[0] for line in foot] == ["#[Mean", "#[Max", "#[Buckets"]
    assert distribution(Histogram(), csv=True) == '"Value","Percentile","TotalCount","1/(1-Percentile)"\n'


@given(histograms)
def test_steps_rise_to_the_maximum_and_the_whole_count(histogram: Histogram) -> None:
    lines = distribution(histogram, csv=True).splitlines()[1:]
    rows = [tuple(map(float, line.split(","))) for line in lines]
    for column in range(4):
        assert [row[column] for row in rows] == sorted(row[column] for row in rows)
    value, share, count, _ = rows[-1]
    assert value == pytest.approx(histogram.max_ns / 1e6, abs=0.0006)
    assert (share, count) == (1.0, histogram.total)
    assert rows[0][1] == 0.0
