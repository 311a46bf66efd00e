"""The message format of intervals and warnings between worker and master: plain values, packed by Locust with msgpack.

A master of many workers reads tens of thousands of histograms a second. So all of an interval's histograms travel as
three arrays of their non-empty buckets: how many each has, where they are, and their counts.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.measure.layout import LENGTH
from wsload.measure.names import Kind
from wsload.redact import plain
from wsload.results.run import RunWarning

MAX_BYTES: Final = 256 << 20
"""Arrays longer than this are refused."""


def to_wire(interval: Interval) -> dict[str, Any]:
    """The interval as a dict of numbers, text and bytes; histograms are compressed without loss."""
    filled = {metric: histogram for metric, histogram in interval.histograms.items() if histogram.total}
    places, counts = (
        zip(*(histogram.filled() for histogram in filled.values()), strict=True) if filled else ((), ())
    )
    return {
        "start_s": interval.start_s,
        "length_s": interval.length_s,
        "metrics": list(filled),
        "sizes": _packed([np.array([len(found) for found in places], dtype=np.int64)]),
        "places": _packed(places),
        "counts": _packed(counts),
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
        histograms=dict(zip(map(str, data["metrics"]), _histograms(data), strict=True)),
        counters={str(name): int(number) for name, number in data["counters"].items()},
        gauges={str(name): int(level) for name, level in data["gauges"].items()},
        failures={(str(what), str(kind)): int(number) for what, kind, number in data["failures"]},
        details={(str(what), str(kind)): str(detail) for what, kind, detail in data["details"]},
        closes={int(code): int(number) for code, number in data["closes"]},
        names={str(name): Kind(kind) for name, kind in data["names"].items()},
    )


def warning_to_wire(warning: RunWarning) -> dict[str, Any]:
    """A worker's warning as a dict; what a user class has said in it may have lone surrogates, which can't be sent."""
    return {name: plain(said) if isinstance(said, str) else said for name, said in asdict(warning).items()}


def _packed(arrays: Sequence[NDArray[np.int64]]) -> bytes:
    return zlib.compress(np.concatenate(arrays).astype("<i8").tobytes() if arrays else b"", 1)


def _unpacked(packed: bytes) -> NDArray[np.int64]:
    decompressor = zlib.decompressobj()
    try:
        found = decompressor.decompress(packed, MAX_BYTES)
    except zlib.error as error:
        raise ValueError(f"not a compressed array ({error})") from error
    if not decompressor.eof:
        raise ValueError("a compressed array is cut short, or too long")
    return np.frombuffer(found, dtype="<i8")


def _histograms(data: dict[str, Any]) -> Iterator[Histogram]:
    sizes, places, counts = (_unpacked(data[name]) for name in ("sizes", "places", "counts"))
    if len(places) != len(counts) or sizes.sum() != len(places) or (len(sizes) and sizes.min() < 1):
        raise ValueError("arrays of different lengths")
    ends = np.cumsum(sizes)
    rising = np.diff(places, prepend=-1) > 0
    rising[ends[:-1]] = True
    if len(places) and not (
        rising.all() and places.min() >= 0 and places.max() < LENGTH and counts.min() > 0
    ):
        raise ValueError("counts of no bucket, or not above 0")
    for start, end in zip([0, *ends.tolist()], ends.tolist(), strict=False):
        yield Histogram.at(places[start:end], counts[start:end])
