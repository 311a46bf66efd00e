"""What the probe's testimony says about the swarm's figures.

Both time the same thing at the same server, from a post's leaving to its echo's arrival: the swarm
by its own readings on its own event loop, the probe by the kernel's. A swarm that reads clearly
higher has measured itself.
"""

from __future__ import annotations

from typing import Final

from wsload.measure.histogram import Histogram
from wsload.protocols.chat.probe.result import ProbeResult
from wsload.results.run import RunWarning
from wsload.words import milliseconds

PERCENTILES: Final = (50.0, 99.0)
MARGIN: Final = 0.2
"""The swarm may be above the probe by this share …"""
MARGIN_NS: Final = 200_000
"""… or by so much, whichever is more."""
MIN_VALUES: Final = 100
"""With fewer values on either side nothing is judged …"""
MIN_BEYOND: Final = 3
"""… and no percentile with fewer values beyond it, which would be one value's whim."""


def disagreement(swarm_service: Histogram, probe: Histogram) -> RunWarning | None:
    """A warning where the swarm's service time is above the probe's by more than 20 % and 200 µs.

    Judged at p50 and p99; the text holds every figure that is too far apart. The other way round is
    no fault of the swarm's: a probe alone on its connection may well be the slower one.
    """
    values = min(swarm_service.total, probe.total)
    judged = [each for each in PERCENTILES if values >= max(MIN_VALUES, MIN_BEYOND / (1 - each / 100))]
    apart = [
        f"p{percentile:g} {milliseconds(own_ns)}, {milliseconds(witness_ns)} by the probe"
        for percentile, own_ns, witness_ns in zip(
            judged, swarm_service.percentiles(judged), probe.percentiles(judged), strict=True
        )
        if own_ns - witness_ns > max(MARGIN_NS, MARGIN * witness_ns)
    ]
    if not apart:
        return None
    return RunWarning(
        name="probe",
        text=f"the swarm's service time is above what the probe saw: {'; '.join(apart)}",
        remedy="the difference is the load generator's own: fewer users a process (--processes), "
        "or another machine than the server's",
    )


def silence(result: ProbeResult) -> RunWarning | None:
    """A warning where the probe can't testify: it saw too little, or was cut short."""
    if result.ended and result.histogram.total >= MIN_VALUES:
        return None
    reason = f" ({result.problem})" if result.problem else ""
    if not result.ended:
        text = f"the probe was cut short after {result.echoed} echoes{reason}"
    else:
        text = f"the probe saw {result.echoed} echoes of {result.sent} posts{reason}: too few to judge by"
    remedy = "" if result.problem else "a run of 10 s or more gives it enough"
    return RunWarning(name="probe-silent", text=text, remedy=remedy)
