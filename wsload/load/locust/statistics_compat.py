"""What wsload uses of Locust's statistics without their documentation promising it; see `wsload.load.locust.compat`.

Each function has a canary in tests/unit/test_locust_compat.py.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from locust import stats
from locust.stats import RequestStats, StatsEntry, StatsError


def is_locusts_own(listener: Any) -> bool:
    """Whether a ``request`` listener is the one with which a runner keeps its statistics."""
    return bool(listener.__module__ == "locust.runners" and listener.__name__ == "on_request")


_locusts_rounding: Final = stats.bucket_response_time
SECONDS_KEPT: Final = 60
CHART_FILES: Final = ("html_file", "csv_prefix")
"""The options with which Locust writes its charts to files: ``--html`` and ``--csv``."""
_FEW: Final = 100
"""Up to this many values a loop is faster than numpy."""


def log_many(entry: StatsEntry, values: list[int], content_length: int) -> None:
    """Does for many response times (ns) at once what ``StatsEntry.log`` does for one."""
    now = time.time()
    second = int(now)
    last = entry.last_request_timestamp
    if entry.use_response_times_cache and last and second > int(last):
        entry._cache_response_times(second - 1)  # current percentiles need it; keeps twenty
    entry.num_requests += len(values)
    entry.num_reqs_per_sec[second] += len(values)
    entry.last_request_timestamp = now
    entry.total_response_time += sum(values) / 1e6  # type: ignore[assignment]  # ms with fractions
    least, most = min(values) / 1e6, max(values) / 1e6
    known = entry.min_response_time
    entry.min_response_time = least if known is None else min(known, least)  # type: ignore[assignment]
    entry.max_response_time = max(entry.max_response_time, most)  # type: ignore[assignment]
    entry.total_content_length += content_length
    for value, number in _rounded(values):
        entry.response_times[value] += number


def fail_many(stats: RequestStats, kind: str, name: str, error: Exception, ages: list[int]) -> None:
    """Does for many requests that failed alike what Locust does for one; ``ages`` are in ns, -1 if unknown."""
    entries, timed = (stats.total, stats.get(name, kind)), [age for age in ages if age >= 0]
    for entry in entries:
        if timed:
            log_many(entry, timed, 0)
        if untimed := len(ages) - len(timed):
            entry.log(None, 0)  # type: ignore[arg-type]  # as Locust itself does
            entry.num_requests += untimed - 1
            entry.num_none_requests += untimed - 1
            entry.num_reqs_per_sec[int(time.time())] += untimed - 1
    stats.log_error(kind, name, error)
    further = len(ages) - 1
    stats.errors[StatsError.create_key(kind, name, error)].occurrences += further
    for entry in entries:
        entry.num_failures += further
        entry.num_fail_per_sec[int(time.time())] += further


def forget_unread(stats: RequestStats, options: Any) -> None:
    """Drops what Locust keeps for displays that these options leave out: some megabytes in an hour.

    Not the latest response times, twenty copies of each row's: load shapes and stop conditions ask for current
    percentiles.
    """
    if not shows_seconds(options):
        forget_seconds(stats)
    if not shows_charts(options):
        stats.history.clear()


def shows_seconds(options: Any) -> bool:
    """Whether per-second statistics are shown at the end (``--json``), or may be by a program that embeds Locust."""
    return options is None or any(getattr(options, name, None) for name in ("json", "json_file"))


def forget_seconds(stats: RequestStats) -> None:
    """Drops the counts of old seconds: Locust keeps all, 0.4 MB an hour for each row, and looks at twelve."""
    for entry in (stats.total, *stats.entries.values()):
        for counts in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
            if len(counts) > 2 * SECONDS_KEPT:
                for second in sorted(counts)[:-SECONDS_KEPT]:
                    del counts[second]


def shows_charts(options: Any) -> bool:
    """Whether Locust's charts are shown, or written: web UI, ``--html``, ``--csv``. A library's user may, too."""
    if options is None or not getattr(options, "headless", False):
        return True
    return any(getattr(options, name, None) for name in CHART_FILES)


def _rounded(values: list[int]) -> Iterable[tuple[int, int]]:
    """Counts the values (ns) by ms as Locust rounds them: to two digits, or with a custom function."""
    if (round_one := stats.bucket_response_time) is not _locusts_rounding:
        return Counter(int(round_one(value / 1e6)) for value in values).items()
    if len(values) <= _FEW:
        return Counter(map(_rounded_one, values)).items()
    milliseconds = np.array(values, dtype=np.int64) / 1e6
    steps = np.select([milliseconds < 100, milliseconds < 1000, milliseconds < 10000], [1, 10, 100], 1000)
    found = np.unique(np.round(milliseconds / steps).astype(np.int64) * steps, return_counts=True)
    return zip(*(each.tolist() for each in found), strict=True)


def _rounded_one(value: int) -> int:
    milliseconds = value / 1e6
    step = 1 if milliseconds < 100 else 10 if milliseconds < 1000 else 100 if milliseconds < 10000 else 1000
    return round(milliseconds / step) * step
