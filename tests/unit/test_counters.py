from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from intervals import intervals

from wsload.errors import ResultsError
from wsload.measure.interval import Interval
from wsload.measure.names import Kind
from wsload.results import counters

GOOD = b'{"t": 1.5, "length_s": 1, "histograms": 0, "counters": {"sent": 1}}\n'


def test_a_line_is_an_object_with_readable_keys() -> None:
    interval = Interval(
        start_s=1732278960.123,
        length_s=1.0,
        counters={"sent": 50},
        gauges={"users": 5},
        failures={("open", "bad status 503"): 2},
        details={("open", "bad status 503"): "503 Service Unavailable; Retry-After: 5"},
        closes={1006: 2},
        names={"buy a book": Kind.REQUEST},
    )
    assert counters.line(interval, 9) == (
        b'{"t":1732278960.123,"length_s":1.0,"histograms":9,"counters":{"sent":50},"gauges":{"users":5},'
        b'"failures":{"open: bad status 503":2},'
        b'"details":{"open: bad status 503":"503 Service Unavailable; Retry-After: 5"},'
        b'"closes":{"1006":2},"names":{"buy a book":"request"}}\n'
    )


@given(intervals())
def test_reading_gives_what_was_written(tmp_path_factory: pytest.TempPathFactory, interval: Interval) -> None:
    interval = replace(interval, histograms={})
    path = tmp_path_factory.mktemp("counts") / "a.jsonl"
    path.write_bytes(counters.line(interval, 3) + counters.line(interval, 0))
    assert list(counters.read(path)) == [
        counters.CountsLine(interval=interval, histograms=3),
        counters.CountsLine(interval=interval, histograms=0),
    ]


@pytest.mark.parametrize(
    "damage",
    [
        b"[]\n",
        b"{\n",
        b"\xff\n",
        b"{}\n",
        GOOD.replace(b"1.5", b'"x"'),
        GOOD.replace(b"1.5", b"true"),
        GOOD.replace(b"1.5", b"-1"),
        GOOD.replace(b"1.5", b"1e300"),
        GOOD.replace(b": 0", b": -1"),
        GOOD.replace(b": 0", b": 0.5"),
        GOOD.replace(b'{"sent": 1}', b"[]"),
        GOOD.replace(b'{"sent": 1}', b'{"sent": 1.5}'),
        GOOD.replace(b'"counters": {"sent"', b'"closes": {"x"'),
        GOOD.replace(b'{"sent": 1}', b'{"sent": -1}'),
        GOOD.replace(b'"counters": {"sent": 1}', b'"names": []'),
        GOOD.replace(b'"counters": {"sent": 1}', b'"names": {"buy": "sale"}'),
    ],
)
def test_damage_is_refused_naming_file_and_line(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(GOOD + damage + GOOD)
    with pytest.raises(ResultsError) as caught:
        list(counters.read(path))
    assert str(caught.value).startswith(f"{path}, line 2: not a line of counters (")
    assert "\n" not in str(caught.value)


def test_a_cut_last_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(GOOD + GOOD[:20])
    assert len(list(counters.read(path))) == 1
