"""The stalls of `benchmarks.account_server`, and the percentiles that it and the clients report."""

from __future__ import annotations

from typing import Final

PERIOD_S: Final = 1.0
STALL_S: Final = 0.1
PERCENTILES: Final = (50, 99)


def open_p99_ms() -> float:
    """p99 of an open workload: a message comes at any time of a period, so a tenth wait for up to the whole stall."""
    return 1000 * STALL_S * (1 - 0.01 * PERIOD_S / STALL_S)
