"""Pacing in an open workload: how late wsload sends, and how far it trusts its figures.

The figures are those that every run reports (``send_lag`` and the verdict), after a warm-up, with 100 users in one
process and an echo server that is never what is waited for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.figures import Place, Sample
from benchmarks.locust_command import Locust
from benchmarks.processes import Failed
from benchmarks.world import World
from wsload.measure.interval import Totals
from wsload.results.reader import open_run
from wsload.results.trust import ALL, NONE

CASE: Final = "pacing"
WSLOAD: Final = "wsload"
MOST: Final = 25_000
RATES: Final = (1_000, 10_000, MOST)
USERS: Final = 100
SECONDS: Final = 6
RAMP: Final = 2
"""Seconds, and so intervals, until all users have arrived: they arrive over a second, which usually spans two."""
PERCENTILES: Final = (50.0, 99.0, 100.0)


def place(rate: int, measure: str, unit: str) -> Place:
    return Place(case=CASE, setting=f"{rate:,} messages/s", subject=WSLOAD, measure=measure, unit=unit)


def trusted(rate: int) -> Place:
    """Up to which percentile of the requests the run is trusted: 100 for the maximum, 0 for none."""
    return place(rate, "trusted up to", "percentile")


def measure(world: World, number: int) -> Iterator[Sample]:
    """Only in the first round."""
    if number:
        return
    for rate in RATES:
        options = ("--ws-rate", rate, "-t", f"{SECONDS}s", "--ws-warm-up", f"{RAMP}s", "--ws-allow-invalid")
        with Locust(
            "locust_wsload_matched", *options, users=USERS, url=world.echo.url, directory=world.directory
        ) as client:
            run = open_run(client.finish(timeout_s=SECONDS + 30))
        steady = Totals.of(list(run.intervals())[RAMP:-1])
        lag = steady.histograms.get("send_lag")
        if lag is None:
            raise Failed("nothing was sent in the steady seconds")
        trust = run.info.trust
        yield Sample(place=trusted(rate), round=number, value=trust.up_to.get("talk", ALL) if trust else NONE)
        p50, p99, most = lag.percentiles(PERCENTILES)
        for name, unit, value in (
            ("send lag p50", "µs", p50 / 1000),
            ("send lag p99", "µs", p99 / 1000),
            ("send lag max", "µs", most / 1000),
            ("achieved", "/s", lag.total / steady.duration_s),
            ("CPU", "% of a core", steady.counters["cpu_ns"] / steady.duration_s / 1e7),
        ):
            yield Sample(place=place(rate, name, unit), round=number, value=value)
