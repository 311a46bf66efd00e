"""Both sides second by second: every second of either side has its place, and nothing is invented."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.made_runs import STARTED_AT, make_run, second

from wsload.judge.compare.verdict import Gate
from wsload.measure.histogram import merged
from wsload.measure.names import Kind
from wsload.report.comparison.comparison import make_report
from wsload.report.comparison.html import chart_data
from wsload.report.comparison.seconds import LEAST, MOST, BySecond
from wsload.results.reader import open_run


@given(lengths=st.lists(st.integers(0, 60), min_size=1, max_size=200))
def test_each_second_is_as_its_values_or_part_of_a_longer_one(lengths: list[int]) -> None:
    intervals = [second(at, [float(at % 7 + 1)] * number) for at, number in enumerate(lengths)]
    by_second = BySecond(len(lengths))
    for interval in intervals:
        by_second.add(interval)
    found = by_second.finish().get("message", ())
    step_s = by_second.step_s
    assert len(found) <= MOST + 1
    wanted = {}
    for interval in intervals:
        at_s = int((interval.start_s + interval.length_s / 2) // step_s * step_s)
        if "message" in interval.histograms:
            wanted.setdefault(at_s, []).append(interval.histograms["message"])
    sums = {at_s: merged(parts) for at_s, parts in wanted.items()}
    assert [(each.at_s, each.p50_ns, each.p99_ns) for each in found] == [
        (at_s, *whole.percentiles((50, 99))) for at_s, whole in sums.items() if whole.total >= LEAST
    ]


def paired(tmp_path: Path, name: str, at: int, *, partner: bool) -> Path:
    named = {"message": Kind.REQUEST}
    seconds = [second(at + each, [2.0 if name == "v1" else 4.0] * 100, names=named) for each in range(3)]
    path = make_run(tmp_path, seconds, build=name, started_at=STARTED_AT + at)
    if partner:
        info = replace(open_run(path).info, partner="the other")
        (path / "run.json").write_bytes(info.to_json())
    return path


@pytest.mark.parametrize("partner", [True, False])
def test_the_page_has_both_sides_of_each_pair_on_one_axis(tmp_path: Path, partner: bool) -> None:
    a, b = ([paired(tmp_path, name, at, partner=partner) for at in (0, 60)] for name in ("v1", "v2"))
    data = chart_data(make_report(a, b, gate=Gate()))
    assert data["pairs"] == [[one.name, other.name] for one, other in zip(a, b, strict=True)]
    if not partner:
        assert data["seconds"] == {}
        return
    found = data["seconds"]["message"]
    assert found["at"] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert found["pair"] == [1, 1, 1, 1, 2, 2, 2, 2]
    for side, time_ms in (("a", 2), ("b", 4)):
        for percentile in (50, 99):
            column = found[f"{side}{percentile}"]
            assert column[3] is column[7] is None  # the gap after each pair
            shown = [value for value in column if value is not None]
            assert shown == [pytest.approx(time_ms, rel=0.002)] * 6
