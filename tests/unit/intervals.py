"""Hypothesis strategies for what runs record."""

from __future__ import annotations

from hypothesis import strategies as st

from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.measure.layout import HIGHEST_NS
from wsload.measure.names import GAUGES, Kind, counters, in_order, metrics, register
from wsload.protocols.chat.names import COUNTERS as CHAT_COUNTERS
from wsload.protocols.chat.names import METRICS as CHAT_METRICS

register(metrics=CHAT_METRICS, counters=CHAT_COUNTERS)
METRICS = tuple(in_order({"message", "message.service", "message.lost", *metrics()}))
"""Metrics that runs have: the core's, the chat's, and those of a request."""
COUNTERS = counters()

values = st.integers(0, HIGHEST_NS) | st.integers(0, 5_000_000)
histograms = st.builds(Histogram.of, st.lists(values, min_size=1, max_size=20))
counts = st.integers(1, 2**40)
times = st.integers(0, 2**20).map(lambda eighths: 1.7e9 + eighths / 8)
"""Eighths of a second: sums of them are exact."""
kinds = st.text(min_size=1, max_size=20)
tried = st.sampled_from(("open", "login", "message", "shop: buy")) | st.text(": \\ab", min_size=1, max_size=8)
"""What may have failed: any name, also with what separates it from the kind."""


def intervals(start: st.SearchStrategy[float] = times) -> st.SearchStrategy[Interval]:
    return st.builds(
        Interval,
        start_s=start,
        length_s=st.sampled_from((0.125, 1.0, 1.5)),
        histograms=st.dictionaries(st.sampled_from(METRICS), histograms, max_size=3),
        counters=st.dictionaries(st.sampled_from(COUNTERS), counts, max_size=4),
        gauges=st.dictionaries(st.sampled_from(tuple(GAUGES)), st.integers(0, 10_000)),
        failures=st.dictionaries(st.tuples(tried, kinds), counts, max_size=3),
        details=st.dictionaries(st.tuples(tried, kinds), kinds, max_size=2),
        closes=st.dictionaries(st.integers(1000, 4999), counts, max_size=3),
        names=st.dictionaries(st.sampled_from(("message", "buy a book")), st.sampled_from(Kind), max_size=2),
    )
