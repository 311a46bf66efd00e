"""How many of a name were answered, lost and failed, and what a share is a share of; see `wsload.judge.run.checks`."""

from __future__ import annotations

from collections.abc import Mapping

from wsload.judge.run.grammar import OF_REQUESTS, TIMED
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Totals
from wsload.measure.names import FAILED, FAILING, FAILURES, FREE, OWN, PARTS, SERVICE, Kind, Labels, split


def numbers_of(name: str, totals: Totals, known: Labels) -> dict[str, int]:
    """How many of a name were answered, lost and failed; without what is not counted for such a name."""
    kind = totals.names.get(name, None if name in OWN else Kind.REQUEST)
    parts = ("",) if kind is None else PARTS[kind]
    numbers = {part: _total(totals, name + part) for part in parts if part != SERVICE}
    counted_apart = name in FAILING or f"{name}_failures" in known.counters
    if kind is Kind.VALUE or (kind is None and counted_apart):
        numbers[FAILED] = sum(number for (what, _), number in totals.failures.items() if what == name)
    return numbers


def whole(name: str, totals: Totals, known: Labels) -> float:
    """What a rate of this counter, or of the failures, is a share of."""
    count = totals.counters
    if name == TIMED:
        return totals.duration_s * 1e9
    if name in ("open_failures", "login_failures"):
        return count[name] + count["opens" if name == "open_failures" else "logins"]
    named = {split(metric)[0] for metric in totals.histograms} - OWN | totals.names.keys()
    kinds = {each: totals.names.get(each, Kind.REQUEST) for each in named}
    if name == FAILURES:
        succeeded = sum(_total(totals, each) for each, kind in kinds.items() if kind is not Kind.VALUE)
        # Only the chat's are tries: a user class may count what it likes under this name.
        logins = count["logins"] if "logins" in known.counters and "login" not in kinds else 0
        return count["opens"] + logins + succeeded + sum(totals.failures.values())
    requests = [each for each, kind in kinds.items() if kind is Kind.REQUEST]
    of_requests = count["lost"] + sum(
        _total(totals, each) + _total(totals, each + FAILED) for each in requests
    )
    return of_requests if name in OF_REQUESTS else of_requests + count["unsent"]


def sizes_of(histograms: Mapping[str, Histogram]) -> dict[str, Histogram]:
    """All that `whole` needs of histograms, which is how many values they have: those values, in no bucket."""
    found = {}
    for metric, histogram in histograms.items():
        name, part = split(metric)
        if part in ("", FAILED) and name not in OWN - FREE:
            found[metric] = Histogram()
            found[metric].overflow = histogram.total + histogram.overflow
    return found


def _total(totals: Totals, metric: str) -> int:
    histogram = totals.histograms.get(metric)
    return histogram.total + histogram.overflow if histogram is not None else 0
