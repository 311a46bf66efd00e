"""The message format of an interval between worker and master: plain values, which Locust packs with msgpack."""

from __future__ import annotations

from typing import Any

from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.measure.names import Kind


def to_wire(interval: Interval) -> dict[str, Any]:
    """The interval as a dict of numbers, text and bytes; histograms are compressed without loss."""
    return {
        "start_s": interval.start_s,
        "length_s": interval.length_s,
        "histograms": {
            metric: histogram.encode() for metric, histogram in interval.histograms.items() if histogram.total
        },
        "counters": dict(interval.counters),
        "gauges": dict(interval.gauges),
        "failures": [[what, kind, number] for (what, kind), number in interval.failures.items()],
        "details": [[what, kind, detail] for (what, kind), detail in interval.details.items()],
        "closes": [[code, number] for code, number in interval.closes.items()],
        "names": {name: str(kind) for name, kind in interval.names.items()},
    }


def from_wire(data: dict[str, Any]) -> Interval:
    """Reads what `to_wire` made. Raises `ValueError`, `KeyError` or `TypeError` for anything else.

    Values out of range are only in the counter ``out_of_range``; a histogram's ``overflow`` is not sent.
    """
    return Interval(
        start_s=float(data["start_s"]),
        length_s=float(data["length_s"]),
        histograms={metric: Histogram.decode(packed) for metric, packed in data["histograms"].items()},
        counters={str(name): int(number) for name, number in data["counters"].items()},
        gauges={str(name): int(level) for name, level in data["gauges"].items()},
        failures={(str(what), str(kind)): int(number) for what, kind, number in data["failures"]},
        details={(str(what), str(kind)): str(detail) for what, kind, detail in data["details"]},
        closes={int(code): int(number) for code, number in data["closes"]},
        names={str(name): Kind(kind) for name, kind in data["names"].items()},
    )
