"""Judging one step: whether its run held, failed, or was not to be trusted, and its figures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wsload.judge.capacity.offered import Made, Wanted, shortfall
from wsload.judge.capacity.search import Outcome, Step
from wsload.judge.figures.samples import BEYOND, can_be_shown, needed, of_all
from wsload.judge.figures.summary import Summary
from wsload.judge.run.abort import is_abort
from wsload.judge.run.checks import holds, too_few
from wsload.judge.run.grammar import Check, parse_check
from wsload.judge.run.standing import standing, verdict_of
from wsload.judge.run.trust import Bounds, doubt_of
from wsload.measure.interval import Totals
from wsload.results.run import CheckOutcome, CheckState, RunInfo
from wsload.results.trust import ALL, Standing

REQUIRED_TRUST: Final = 99.0
"""Unless figures are trusted up to this percentile, the load generator itself may be the cause."""
LONGER: Final = 10.0
"""A step is extended to at most this many times its length to get enough values for its checks."""
SPARE: Final = 1.2
"""Aim for this many times the values that its checks need."""
MORE_VALUES: Final = "use a longer -t"
"""The remedy for `Outcome.FEW`."""
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
    """What to do about a load generator that is not to be trusted, or about too few values."""
    enough_s: float = 0.0
    """How long it would have to be measured for the values that its checks need; 0 if it had them."""
    achieved: float = 0.0
    """Answers a second, while the load was due."""
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
    made: Made,
    *,
    leading: str,
    checks: Iterable[str],
    wanted: Wanted,
) -> tuple[Outcome, str, str]:
    """The outcome of a step's run, why, and what to do about it.

    A check on an untrusted figure passes if the figure meets its bound even with all of the load generator's lateness
    in it: without the lateness it would be lower. Such a check never fails, because a load generator that sends late,
    and then in a burst, may itself have slowed the server down.
    ``checks`` are the plan's: a run may have others, as of pyproject.toml, which the search is not about.
    ``leading`` is the name that represents the run.
    """
    totals = made.window
    found = standing(info, tuple(problems))
    said = verdict_of(info, found)
    if found in (Standing.FAILED, Standing.NOTHING):
        return Outcome.FAILS, said, ""
    remedy = info.trust.remedy if info.trust is not None else ""
    if found is Standing.INCOMPLETE or any(warning.invalidates for warning in info.warnings):
        return Outcome.UNTRUSTED, _plain(said), remedy
    outcomes = _outcomes(info, checks)
    for check in outcomes:
        if check.state is CheckState.FAILED:
            return Outcome.FAILS, f"{_subject(check.expression)} {check.got}", ""
    if (short := shortfall(info.workload.get("kind"), wanted, made)) is not None:
        in_time = info.trust is not None and info.trust.covers(leading, REQUIRED_TRUST)
        if short.by_server and (short.certain or in_time):
            return Outcome.FAILS, short.reason, ""
        return Outcome.UNTRUSTED, short.reason, short.remedy or remedy
    unjudged = [each for each in outcomes if each.state is CheckState.UNJUDGED]
    few = [each for each in unjudged if found.usable and _is_few(each, totals, info)]
    for check in unjudged:
        if check not in few and not _passes_late(check, totals, info):
            why = _plain(said) if _is_few(check, totals, info) else _plain(check.reason)
            return Outcome.UNTRUSTED, f"{_subject(check.expression)}: {why}", remedy
    for check in few:
        return Outcome.FEW, f"{_subject(check.expression)}: {check.got}, {check.reason}", MORE_VALUES
    return Outcome.HOLDS, "", ""


def _outcomes(info: RunInfo, checks: Iterable[str]) -> list[CheckOutcome]:
    """Those of the plan's checks, and what ended the run."""
    asked = {parse_check(text).expression for text in checks}
    return [check for check in info.checks if check.expression in asked or is_abort(check)]


def _is_few(found: CheckOutcome, totals: Totals, info: RunInfo) -> bool:
    """Whether a check was left open by too few values."""
    check = parse_check(found.expression, info.labels)
    return _PERCENTILE.fullmatch(check.statistic) is not None and too_few(
        check, of_all(check.name, totals.histograms)
    )


def enough_s(info: RunInfo, totals: Totals, checks: Iterable[str]) -> float:
    """How long the step would have to be measured for the values that its checks need."""
    wanted = [0.0]
    for found in _outcomes(info, checks):
        if _is_few(found, totals, info):
            check = parse_check(found.expression, info.labels)
            values = of_all(check.name, totals.histograms).total
            wanted.append(needed(float(check.statistic[1:]), BEYOND) / max(values, 1))
    return round(SPARE * max(wanted) * totals.duration_s, 1)


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
