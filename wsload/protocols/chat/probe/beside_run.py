"""The second witness beside a run: the probe's service times go into the results as the metric ``probe``."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from wsload.load.options.settings import Settings
from wsload.measure.histogram import Histogram, merged
from wsload.measure.interval import Interval, Totals
from wsload.protocols.chat.probe.agreement import disagreement, silence
from wsload.protocols.chat.probe.options import ProbeOptions
from wsload.protocols.chat.probe.process import ProbeProcess
from wsload.results.machine import clock_id
from wsload.results.run import RunWarning

METRIC = "probe"


class Witness:
    """A probe process for as long as the run goes on."""

    def __init__(self, settings: Settings, target: str) -> None:
        self._probe = ProbeProcess(
            ProbeOptions(
                url=target,
                clock=clock_id(),
                headers=settings.opening.headers,
                ca_file=settings.ca_file,
                client_cert=settings.client_cert,
                insecure=settings.insecure,
                open_timeout_s=settings.open_timeout_s,
                message_timeout_s=settings.message_timeout_ns / 1e9,
                drain_s=settings.drain_s,
            )
        )

    def join(self, interval: Interval) -> Interval:
        """The interval with what the probe said since the last one."""
        new = merged(part.histogram for part in self._probe.read())
        if not new.total:
            return interval
        return replace(interval, histograms={**interval.histograms, METRIC: new})

    def end(self) -> Interval | None:
        """Stops the probe; returns an interval of what it had left to say, if anything."""
        rest = merged(part.histogram for part in self._probe.end())
        if not rest.total:
            return None
        return Interval(start_s=time.time(), length_s=0.001, histograms={METRIC: rest})

    def testimony(self, totals: Totals) -> tuple[list[RunWarning], dict[str, Any]]:
        """After the end: what is to be said against the swarm's figures, and the probe's own counts."""
        result = self._probe.stop()
        service = totals.histograms.get("message.service", Histogram())
        found = [silence(result), disagreement(service, result.histogram)]
        counts = {"stamps": result.stamps, "sent": result.sent, "echoed": result.echoed, "lost": result.lost}
        return [warning for warning in found if warning is not None], counts
