"""The stalls of `benchmarks.account_server`, and the percentiles that it and the clients report."""

from __future__ import annotations

from typing import Final

PERIOD_S: Final = 1.0
STALL_S: Final = 0.1
PERCENTILES: Final = (50, 99)
