"""Judging one step: whether its run held, failed, or was not to be trusted, and its figures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wsload.judge.capacity.search import Outcome, Step
from wsload.judge.figures.samples import BEYOND, can_be_shown, needed, of_all
from wsload.judge.figures.summary import Summary
from wsload.judge.run.abort import is_abort
from wsload.judge.run.checks import holds
from wsload.judge.run.grammar import Check, parse_check
from wsload.judge.run.standing import standing, verdict_of
from wsload.judge.run.trust import Bounds, doubt_of
from wsload.measure.interval import Totals
from wsload.measure.names import Kind
from wsload.results.run import CheckOutcome, CheckState, RunInfo
from wsload.results.trust import ALL, Standing
from wsload.words import percent, rate

MIN_ANSWERED_SHARE: Final = 0.9
"""A server that answers less than this share of an open load does not hold it, however quick its answers are."""
REQUIRED_TRUST: Final = 99.0
"""Unless figures are trusted up to this percentile, the load generator itself may be the cause."""
LONGER: Final = 10.0
"""A step is extended to at most this many times its length to get enough values for its checks."""
SPARE: Final = 1.2
"""Aim for this many times the values that its checks need."""
_PERCENTILE: Final = re.compile(r"p(\d.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFigures:
    """A step that was made."""

    rate: float
    """Offered: requests a second, or users."""
    number: int
    """Of its round, from 1."""
    outcome: Outcome
    reason: str = ""
    """Why it does not hold, in a few words."""
    remedy: str = ""
    """What to do about a load generator that is not to be trusted."""
    achieved: float = 0.0
    """Answers a second."""
    p50_ns: int | None = None
    """Percentiles are those of the name that represents the run; None if there are too few values."""
    p99_ns: int | None = None
    p99_9_ns: int | None = None
    trusted_up_to: float = ALL
    """The highest percentile of them that is trusted."""
    lost: int = 0
    failures: int = 0
    cpu_share: float | None = None
    """The server's CPU in its busiest second, as a share of one core; None if wsload did not start it."""
    memory_bytes: int | None = None
    """Its peak."""
    run: str = ""
    """The run's directory; empty if it left none."""
    took_s: float = 0.0
    """Including the start and stop of server and load generator."""

    def trusts(self, percentile: float) -> bool:
        """Whether this percentile of them is trusted."""
        return self.outcome is not Outcome.UNTRUSTED and percentile <= self.trusted_up_to

    @property
    def step(self) -> Step:
        """The part of it that the search uses."""
        return Step(rate=self.rate, outcome=self.outcome, number=self.number)


def judged(
    info: RunInfo,
    problems: Iterable[str],
    totals: Totals,
    summary: Summary,
    *,
    checks: Iterable[str],
    offered: float,
    per_offer: float | None,
) -> tuple[Outcome, str, str]:
    """The outcome of a step's run, why, and what to do about it.

    A check on an untrusted figure passes if the figure meets its bound even with all of the load generator's lateness
    in it: without the lateness it would be lower. Such a check never fails, because a load generator that sends late,
    and then in a burst, may itself have slowed the server down.
    ``checks`` are the plan's: a run may have others, as of pyproject.toml, which the search is not about.
    ``per_offer`` is how many answers a step that held had for each request that was offered; None while that is
    not known.
    """
    found = standing(info, tuple(problems))
    said = verdict_of(info, found)
    if found in (Standing.FAILED, Standing.NOTHING):
        return Outcome.FAILS, said, ""
    remedy = info.trust.remedy if info.trust is not None else ""
    if found is Standing.INCOMPLETE or any(warning.invalidates for warning in info.warnings):
        return Outcome.UNTRUSTED, _plain(said), remedy
    asked = {parse_check(text).expression for text in checks}
    outcomes = [check for check in info.checks if check.expression in asked or is_abort(check)]
    for check in outcomes:
        if check.state is CheckState.FAILED:
            return Outcome.FAILS, f"{_subject(check.expression)} {check.got}", ""
    for check in outcomes:
        if check.state is CheckState.UNJUDGED and not _passes_late(check, totals, info):
            return Outcome.UNTRUSTED, f"{_subject(check.expression)}: {_plain(check.reason)}", remedy
    achieved = answered(summary)
    if (
        info.workload.get("kind") == "open"
        and per_offer
        and achieved < MIN_ANSWERED_SHARE * per_offer * offered
    ):
        reason = f"answered {rate(achieved)}/s, {percent(achieved / per_offer / offered)} of the load"
        in_time = info.trust is not None and info.trust.covers(summary.leading or "", REQUIRED_TRUST)
        return (Outcome.FAILS, reason, "") if in_time else (Outcome.UNTRUSTED, reason, remedy)
    return Outcome.HOLDS, "", ""


def _passes_late(found: CheckOutcome, totals: Totals, info: RunInfo) -> bool:
    """Whether an untrusted percentile meets its upper bound as recorded; without the lateness it would be lower."""
    check = parse_check(found.expression, info.labels)
    answers, percentile = totals.histograms.get(check.name), _PERCENTILE.fullmatch(check.statistic)
    if (
        percentile is None
        or answers is None
        or check.operator not in ("<", "<=")
        or doubt_of(check.name, totals)
    ):
        return False
    share = float(percentile[1])
    total = of_all(check.name, totals.histograms).total
    at = share * total / answers.total
    return (
        total >= needed(share, BEYOND) and at < ALL and holds(check, Bounds.of(check.name, totals).at(at)[1])
    )


def _plain(reason: str) -> str:
    """A reason without the words *not trusted* before it."""
    return reason.removeprefix("Not trusted: ").removeprefix("not trusted: ")


def _subject(expression: str) -> str:
    """What a check is about: ``message.p99`` of ``message.p99 < 50ms``."""
    return re.split(r"\s*[<>]", expression, maxsplit=1)[0]


def answered(summary: Summary) -> float:
    """Answers a second, over all requests."""
    return sum(
        found.rate
        for name, found in summary.metrics.items()
        if name in summary.names and summary.kind(name) is Kind.REQUEST
    )


def percentiles(summary: Summary) -> tuple[int | None, int | None, int | None]:
    """p50, p99 and p99.9 of the name that stands for the run, in ns."""
    found = summary.metrics.get(summary.leading or "")
    if found is None:
        return None, None, None
    values = ((50, found.p50_ns), (99, found.p99_ns), (99.9, found.p99_9_ns))
    p50, p99, p99_9 = (
        value if can_be_shown(percentile, found.count) else None for percentile, value in values
    )
    return p50, p99, p99_9


def length_s(checks: Iterable[Check], per_second: float, least_s: float) -> float:
    """How long to measure so that the checks have the values they need, at so many requests a second."""
    wanted = [
        needed(float(percentile[1]), BEYOND)
        for check in checks
        if (percentile := _PERCENTILE.fullmatch(check.statistic))
    ]
    return min(max(least_s, SPARE * max(wanted, default=0) / per_second), LONGER * least_s)
