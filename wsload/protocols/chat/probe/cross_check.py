"""The probe of a run: its service times become the metric ``probe``, with a warning if those of the users are higher.

Both measure the same at the same server, from the sending of a post to the arrival of its echo: the users with the
clock of their event loop, the probe with the kernel's timestamps. If the users' figures are clearly higher, the load
generator has measured itself.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Final

from wsload.load.options.settings import Settings
from wsload.measure.histogram import Histogram, merged
from wsload.measure.interval import Interval, Totals
from wsload.protocols.chat.probe.options import ProbeOptions
from wsload.protocols.chat.probe.process import ProbeProcess
from wsload.protocols.chat.probe.result import ProbeResult
from wsload.results.machine import clock_id
from wsload.results.run import RunWarning
from wsload.words import counted, milliseconds, number

METRIC: Final = "probe"
PERCENTILES: Final = (50.0, 99.0)
MARGIN: Final = 0.2
"""The users' figure may exceed the probe's by this share, or by `MARGIN_NS` if that is more."""
MARGIN_NS: Final = 200_000
MIN_VALUES: Final = 100
"""With fewer values on either side nothing is compared."""
MIN_BEYOND: Final = 3
"""A percentile with fewer values beyond it is not compared, since a single value could move it."""


class CrossCheck:
    """A probe process for the duration of a run."""

    def __init__(
        self,
        settings: Settings,
        target: str,
        *,
        headers: tuple[tuple[str, str], ...],
        subprotocols: tuple[str, ...],
    ) -> None:
        self._probe = ProbeProcess(
            ProbeOptions(
                url=target,
                clock=clock_id(),
                headers=headers,
                subprotocols=subprotocols,
                ca_file=settings.ca_file,
                client_cert=settings.client_cert,
                insecure=settings.insecure,
                open_timeout_s=settings.open_timeout_s,
                message_timeout_s=settings.message_timeout_ns / 1e9,
                drain_s=settings.drain_s,
            )
        )

    def join(self, interval: Interval) -> Interval:
        """The interval with the probe's values since the previous one."""
        new = merged(part.histogram for part in self._probe.read())
        if not new.total:
            return interval
        return replace(interval, histograms={**interval.histograms, METRIC: new})

    def end(self) -> Interval | None:
        """Stops the probe; returns an interval with its last values, if any."""
        rest = merged(part.histogram for part in self._probe.end())
        if not rest.total:
            return None
        return Interval(start_s=time.time(), length_s=0.001, histograms={METRIC: rest})

    def report(self, totals: Totals) -> tuple[list[RunWarning], dict[str, Any]]:
        """After the end: warnings about the users' figures, and the probe's own counts for summary.json."""
        result = self._probe.stop()
        service = totals.histograms.get("message.service", Histogram())
        found = [too_little(result), disagreement(service, result.histogram)]
        counts = {"stamps": result.stamps, "sent": result.sent, "echoed": result.echoed, "lost": result.lost}
        return [warning for warning in found if warning is not None], counts


def disagreement(service: Histogram, probe: Histogram) -> RunWarning | None:
    """A warning if the users' service time (p50 or p99) exceeds the probe's by more than 20 % and 200 µs.

    The reverse is no reason for a warning: the probe, alone on its connection, may well be slower.
    """
    values = min(service.total, probe.total)
    judged = [each for each in PERCENTILES if values >= max(MIN_VALUES, MIN_BEYOND / (1 - each / 100))]
    apart = [
        f"p{percentile:g} {milliseconds(users_ns)}, {milliseconds(probe_ns)} by the probe"
        for percentile, users_ns, probe_ns in zip(
            judged, service.percentiles(judged), probe.percentiles(judged), strict=True
        )
        if users_ns - probe_ns > max(MARGIN_NS, MARGIN * probe_ns)
    ]
    if not apart:
        return None
    return RunWarning(
        name="probe",
        text=f"the users' service time is above the probe's: {'; '.join(apart)}",
        remedy="the difference is the load generator's own: run fewer users per process (--processes), or use "
        "another machine than the server's",
    )


def too_little(result: ProbeResult) -> RunWarning | None:
    """A warning if the probe's figures can't be compared, since it saw too little or was cut short."""
    if result.ended and result.histogram.total >= MIN_VALUES:
        return None
    reason = f" ({result.problem})" if result.problem else ""
    echoes = counted(result.echoed, "echo", "echoes")
    if not result.ended:
        text = f"the probe was cut short after {echoes}{reason}"
    else:
        text = f"the probe saw {echoes} of {number(result.sent)} posts{reason}: too few to compare with"
    remedy = "" if result.problem else "a run of 10 s or more is long enough"
    return RunWarning(name="probe-silent", text=text, remedy=remedy)
