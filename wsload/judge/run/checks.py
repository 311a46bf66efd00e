"""Evaluates checks, which `wsload.judge.run.grammar` parses, on a run's figures.

A request that was lost, refused or failed ranks above every answered one: a percentile of ``buy`` or
``buy.service`` that lies among those in ``buy.lost`` and ``buy.failed`` is "more than" the slowest answer and
fails the check, whatever the bound; so does ``max``. In ``mean`` each of them counts as much as the slowest
answer, or as its age if that is more. ``min``, ``count`` and ``rate`` are those of the answered requests.

A percentile needs values beyond it (`wsload.judge.figures.samples`). With fewer values a check is still judged
if the result is clear: if the percentile were on the other side of the bound, such values would occur in
fewer than 5 of 100 runs (by the binomial distribution: p99 < 50 ms passes with 299 values below 50 ms, and fails
with 3 of 50 above). Otherwise it is not judged, and the reason says how many values are needed.

In ``%`` a rate is a share:

- ``failures.rate``: of everything tried: opens, logins, requests and steps that succeeded, and failures;
- ``open_failures.rate`` and ``login_failures.rate``: of all opens, of all logins;
- ``lost.rate``, ``timeouts.rate``, ``late.rate``, ``duplicates.rate``, ``out_of_order.rate`` and
  ``refused.rate``: of the requests answered, refused or lost;
- ``unsent.rate``: of these and the unsent;
- ``buy.lost.rate`` and ``buy.failed.rate``: of the requests ``buy`` answered, failed or lost;
- ``cpu_ns.rate``: of one core.

``open.failed``, ``close.failed`` and the chat's ``login.failed`` count failures, as does ``tick.failed`` of a value
``tick``, such as an HTTP request that Locust measured. Openings and pings are never lost, and pings never fail: a check
on such a part is refused. Steps are never lost either, which only shows after the run: such a check fails and says so.

A percentile, a mean or a maximum that the load generator's own lateness may have moved is not judged
(`wsload.judge.run.trust`), nor is a minimum either where it can't be proved which answer belongs to which request.

A check on figures there are no samples for fails and says so, and so does one on a name that the run doesn't
know.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import numpy as np

from wsload.judge.figures.samples import (
    BEYOND,
    SLOWEST_NS,
    at_most,
    needed,
    of_all,
    unanswered,
    with_unanswered,
)
from wsload.judge.run.grammar import Check
from wsload.judge.run.shares import numbers_of, whole
from wsload.judge.run.trust import (
    SHARE,
    TOLERANCE_NS,
    Bounds,
    doubt_of,
    trusted,
    trusted_up_to,
)
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Totals
from wsload.measure.names import (
    FAILED,
    FAILURES,
    LOST,
    OWN,
    Labels,
    counted_for_people,
    for_people,
    labels,
    split,
)
from wsload.results.run import CheckOutcome, CheckState
from wsload.results.trust import ALL
from wsload.words import counted

DOUBT: Final = 0.05
"""The chance that a check on few values is judged wrongly."""

_TIMES: Final = ("min", "mean", "max")
_OPERATORS: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@dataclass(frozen=True, slots=True)
class _Got:
    """The result of a check on a run's figures."""

    text: str
    """The figure, for people."""
    state: CheckState
    reason: str = ""


def evaluate(
    check: Check,
    totals: Totals,
    known: Labels | None = None,
    tolerance_ns: float | None = TOLERANCE_NS,
) -> CheckOutcome:
    """How the check comes out over the whole of a run, or any stretch of it.

    ``known`` are the names that were stored with the run, by default those of this process. Without a
    ``tolerance_ns`` figures are judged that can't be trusted, too.
    """
    got = (
        _got(check, totals, (known or labels()).complete())
        if totals.intervals
        else _none("nothing was recorded")
    )
    if tolerance_ns is not None and got.state is not CheckState.UNJUDGED:
        got = _distrusted(check, totals, tolerance_ns, got)
    return CheckOutcome(
        expression=check.expression, state=got.state, wanted=check.wanted, got=got.text, reason=got.reason
    )


def _distrusted(check: Check, totals: Totals, tolerance_ns: float, got: _Got) -> _Got:
    """The same, or that it can't be judged, since the figure may be the load generator's own."""
    name, statistic = check.name, check.statistic
    answered = totals.histograms.get(name)
    if answered is None or not answered.total or not (statistic.startswith("p") or statistic in _TIMES):
        return got
    if doubt := doubt_of(name, totals):
        return _Got(got.text, CheckState.UNJUDGED, f"not trusted: {doubt}")
    if statistic == "min":  # of the request that lateness moved least
        return got
    percentile = float(statistic[1:]) if statistic.startswith("p") else ALL
    # Lost requests rank above answered ones, so a percentile of all is a higher one of the answered.
    ranked = of_all(name, totals.histograms).total
    if statistic == "mean":
        bounds = Bounds.of(name, totals)
        close = bounds.high.mean_ns - bounds.low.mean_ns <= max(tolerance_ns, SHARE * bounds.low.mean_ns)
        sound = close and not bounds.missed
    else:
        sound = trusted(name, min(percentile * ranked / answered.total, ALL), totals, tolerance_ns)
    if sound:
        return got
    level = trusted_up_to(name, totals, tolerance_ns)
    reason = f"not trusted: it includes the load generator's own lateness; {name} is trusted " + (
        f"up to p{level:g}" if level else "at no percentile"
    )
    return _Got(got.text, CheckState.UNJUDGED, reason)


def _none(reason: str) -> _Got:
    return _Got("no samples", CheckState.FAILED, reason)


def holds(check: Check, value: float) -> bool:
    """Whether a figure is on the right side of the check's bound."""
    return bool(_OPERATORS[check.operator](value, check.bound))


def _judged(check: Check, value: float) -> _Got:
    return _Got(check.shown(value), CheckState.PASSED if holds(check, value) else CheckState.FAILED)


def _got(check: Check, totals: Totals, known: Labels) -> _Got:
    name, statistic = check.name, check.statistic
    own, part = split(name)
    of_metric = own in OWN or own in totals.names or any(split(each)[0] == own for each in totals.histograms)
    if not statistic and part in (LOST, FAILED):
        return _part(check, totals, known) if of_metric else _unknown(name, totals, known)
    # In % only a total has a rate, even where an older run has a request of that name.
    if statistic and of_metric and (part or check.unit != "%"):
        return _of_metric(check, totals, known)
    counters = {FAILURES, *filter(counted_for_people, totals.counters), *known.counters}
    if statistic in ("", "rate") and name in counters:
        return _of_total(check, totals, known)
    return _unknown(name, totals, known)


def _unknown(name: str, totals: Totals, known: Labels) -> _Got:
    shown = filter(counted_for_people, totals.counters)
    there = [*totals.names, *filter(for_people, totals.histograms), *shown, *known.metrics, *known.counters]
    near = get_close_matches(name, dict.fromkeys(there), n=3)
    hint = f": did you mean {' or '.join(near)}?" if near else ""
    return _none(f"the run has no '{name}'{hint}")


def _of_metric(check: Check, totals: Totals, known: Labels) -> _Got:
    name, statistic = check.name, check.statistic
    answered = totals.histograms.get(name, Histogram())
    if statistic in ("count", "rate") and split(name)[1] in (LOST, FAILED):
        return _part(check, totals, known)
    match statistic:
        case "count":
            return _judged(check, answered.total)
        case "rate":
            return _ratio(check, answered.total, totals.duration_s)
    missing = unanswered(name, totals.histograms)
    ranked = with_unanswered(answered, missing)
    if not ranked.total:
        return _none(f"there are no values of {name}")
    if statistic.startswith("p"):
        return _percentile(check, answered, ranked)
    if not answered.total:
        return _none(f"no {name} was answered, {ranked.total:,} were lost or failed")
    match statistic:
        case "min":
            return _judged(check, answered.min_ns)
        case "max" if missing is not None:
            return _more_than(check, answered)
        case "max":
            return _judged(check, answered.max_ns)
    if missing is None:
        return _judged(check, answered.mean_ns)
    ages_ns, counts = missing.buckets()
    ages = float(np.maximum(ages_ns, answered.max_ns) @ counts) + missing.overflow * float(SLOWEST_NS)
    return _judged(check, (answered.mean_ns * answered.total + ages) / ranked.total)


def _percentile(check: Check, answered: Histogram, ranked: Histogram) -> _Got:
    percentile = float(check.statistic[1:])
    value_ns = ranked.percentile(percentile)
    if too_few(check, ranked):
        reason = f"too few to judge {check.statistic}; {needed(percentile, BEYOND):,} are enough"
        return _Got(counted(ranked.total, "value"), CheckState.UNJUDGED, reason)
    if ranked.total > answered.total and value_ns >= SLOWEST_NS:
        return _more_than(check, answered)
    return _judged(check, value_ns)


def too_few(check: Check, ranked: Histogram) -> bool:
    """Whether a check on a percentile is left open by too few values; ``ranked`` are those of all requests."""
    percentile = float(check.statistic[1:])
    if ranked.total >= needed(percentile, BEYOND):
        return False
    return _by_few(check, ranked, percentile) is CheckState.UNJUDGED


def _by_few(check: Check, ranked: Histogram, percentile: float) -> CheckState:
    """Whether few values settle on which side of the bound the percentile lies."""
    edges_ns, counts = ranked.buckets()
    wrong = int(counts[~_OPERATORS[check.operator](edges_ns, check.bound)].sum())
    below = percentile / 100
    allowed = 1 - below if check.operator in ("<", "<=") else below
    if at_most(wrong, ranked.total, allowed) <= DOUBT:
        return CheckState.PASSED
    if 1 - at_most(wrong - 1, ranked.total, allowed) <= DOUBT:
        return CheckState.FAILED
    return CheckState.UNJUDGED


def _more_than(check: Check, answered: Histogram) -> _Got:
    reason = "it lies among those that were lost or failed, which rank above all that were answered"
    text = f"more than {check.shown(answered.max_ns)}" if answered.total else "none answered"
    return _Got(text, CheckState.FAILED, reason)


def _part(check: Check, totals: Totals, known: Labels) -> _Got:
    """How many of a name were lost or failed, how many a second, or their share."""
    name, part = split(check.name)
    numbers = numbers_of(name, totals, known)
    if part not in numbers:
        return _none(f"nothing counts how many {name} {'were lost' if part == LOST else 'failed'}")
    if check.unit == "%":
        return _ratio(check, 100 * numbers[part], sum(numbers.values()))
    if check.unit == "/s":
        return _ratio(check, numbers[part], totals.duration_s)
    return _judged(check, numbers[part])


def _of_total(check: Check, totals: Totals, known: Labels) -> _Got:
    name = check.name
    number = sum(totals.failures.values()) if name == FAILURES else totals.counters.get(name, 0)
    if not check.statistic:
        return _judged(check, number)
    if check.unit == "/s":
        return _ratio(check, number, totals.duration_s)
    return _ratio(check, 100 * number, whole(name, totals, known))


def _ratio(check: Check, part: float, whole: float) -> _Got:
    return _judged(check, part / whole) if whole else _none("nothing was attempted, so there is no share")
