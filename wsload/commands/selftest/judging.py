"""Compares a trial's figures with the truth.

The truth is the server's account of when it answered each post, its own lateness included. Response times count from
when a post was due. At a constant rate, due times are an even grid, which the account alone reveals; for Poisson
arrivals they are taken from wsload's schedule. Either way the stall formula checks that the load arrived as scheduled,
whether or not the server was stalled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from wsload.commands.selftest.settings import DRAIN_MS, LINGER_S, MESSAGE_TIMEOUT_S, Setting
from wsload.commands.selftest.trial import Posts, Trial, run_trial
from wsload.commands.selftest.truth import (
    PERCENTILES,
    PercentileCheck,
    Times,
    delay_tolerance_ns,
    due_times,
    percentiles,
    stall_tolerance_ns,
    undercut,
)
from wsload.measure.histogram import Histogram
from wsload.results.trust import Standing
from wsload.words import milliseconds

REPEATS: Final = 2
"""How often to repeat a run that wsload itself marked as not valid or late."""
CERTAIN: Final = 5.0
"""By how many standard errors Poisson arrivals may differ from the formula."""
_EARLY_NS: Final = 10_000_000
"""A generous allowance for asyncio's timers, which fire up to a millisecond early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountCheck:
    """A count that must be exact."""

    what: str
    truth: int
    """By the server's account."""
    read: int
    """By wsload."""

    @property
    def exact(self) -> bool:
        return self.truth == self.read


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingResult:
    """The result of a setting."""

    setting: Setting
    percentiles: tuple[PercentileCheck, ...]
    """wsload's percentiles beside the truth; empty where only counts are checked."""
    controls: tuple[PercentileCheck, ...]
    """The injected delays beside the formula: whether the load arrived when it was due."""
    counts: tuple[CountCheck, ...]
    valid: bool
    """Whether wsload considers the run valid."""
    warnings: tuple[str, ...]
    """wsload's own verdict, where it is not that the run can be trusted."""
    send_lag_p99_ns: int
    loop_lag_p99_ns: int
    """How late posts were sent, and how late the loop was, as measured by wsload."""
    repeated: tuple[str, ...] = ()
    """Why earlier attempts were repeated."""

    @property
    def counted(self) -> bool:
        """Whether all counts are exact."""
        return all(each.exact for each in self.counts)

    @property
    def passed(self) -> bool:
        timed = all(each.within for each in (*self.percentiles, *self.controls))
        return self.counted and timed and (self.valid or not self.percentiles)

    @property
    def excuse(self) -> str | None:
        """Why this run may be repeated, if wsload itself marked it as not valid or late."""
        if self.warnings:
            return f"not valid: {self.warnings[0]}"
        least_ns = min((each.tolerance_ns for each in self.percentiles if each.percentile == 99), default=0)
        late_ns = max(self.send_lag_p99_ns, self.loop_lag_p99_ns)
        if self.percentiles and late_ns > least_ns:
            return f"it was late by {milliseconds(late_ns)} at p99"
        return None


def run_setting(setting: Setting, run: Callable[[Setting], Trial] = run_trial) -> SettingResult:
    """Runs a setting and judges it; repeats it at most twice if it failed and wsload itself said that it was late.

    Raises `WsloadError` when the server or locust failed.
    """
    repeated: list[str] = []
    while True:
        result = replace(judge(run(setting)), repeated=tuple(repeated))
        excuse = result.excuse
        # Counts must be exact however late the client is: a run with wrong ones is never repeated.
        if result.passed or not result.counted or excuse is None or len(repeated) == REPEATS:
            return result
        repeated.append(excuse)


def judge(trial: Trial) -> SettingResult:
    """Compares the trial's figures with the truth."""
    setting, posts, trust = trial.setting, trial.posts, trial.info.trust
    answered = posts.where(posts.answered > 0)
    found: list[PercentileCheck] = []
    controls: list[PercentileCheck] = []
    if setting.stalls is not None:
        found, controls = _stalled(trial, answered)
    elif setting.judged == "delays":
        found = _delayed(trial, answered)
    elif setting.judged == "pipeline":
        found = _pipelined(trial, answered)
    sound = trust is not None and trust.standing is Standing.TRUSTED
    return SettingResult(
        setting=setting,
        percentiles=tuple(found),
        controls=tuple(controls),
        counts=tuple(_counts(trial, answered)),
        valid=sound,
        warnings=(trust.verdict,) if trust is not None and not sound else (),
        send_lag_p99_ns=trial.lag_p99_ns("send_lag"),
        loop_lag_p99_ns=trial.lag_p99_ns("loop_lag"),
    )


def _stalled(trial: Trial, posts: Posts) -> tuple[list[PercentileCheck], list[PercentileCheck]]:
    setting = trial.setting
    assert setting.stalls is not None
    posts = posts.where(np.argsort(posts.number))
    due = trial.due_ns[: len(posts.sent)] if setting.poisson else due_times(posts.sent, setting.rate)
    held = posts.wait > 0
    stalls = replace(
        setting.stalls, base_ns=int(np.median(posts.answered[~held] - due[~held])), rho=_load(setting, posts)
    )
    span_ns = int(posts.received[-1] - posts.received[0] + 1e9 / setting.rate)
    found = [
        replace(each, formula_ns=stalls.quantile(each.percentile / 100, span_ns))
        for each in _compared(trial, "message", posts.answered - due, PERCENTILES, stall_tolerance_ns)
    ]
    found += _compared(trial, "message.service", posts.answered - posts.sent, (99,), stall_tolerance_ns)
    # The injected delays include neither lateness nor the time it takes to answer what was held.
    injected_ns = percentiles(posts.received + posts.wait - due, (99,))[0]
    wanted_ns = replace(stalls, rho=0.0).quantile(0.99, span_ns)
    scatter_ns = CERTAIN * stalls.scatter_ns(0.99, len(due)) if setting.poisson else 0.0
    control = PercentileCheck(
        metric="injected",
        percentile=99,
        truth_ns=round(wanted_ns),
        read_ns=injected_ns,
        tolerance_ns=round(stall_tolerance_ns(99, round(wanted_ns)) + scatter_ns),
    )
    return found, [control]


def _load(setting: Setting, posts: Posts) -> float:
    """ρ: the rate times the time an answer takes, measured when the server answers all that a stall held."""
    held = np.sort(posts.answered[posts.wait > 0])
    return setting.rate * float(np.median(np.diff(held))) / 1e9 if len(held) > 1 else 0.0


def _delayed(trial: Trial, posts: Posts) -> list[PercentileCheck]:
    # Service times, because the account has both timestamps; due times would be a guess, good to 50 µs.
    return _compared(
        trial,
        "message.service",
        posts.answered - posts.sent,
        PERCENTILES,
        lambda _, ns: delay_tolerance_ns(ns),
    )


def _pipelined(trial: Trial, posts: Posts) -> list[PercentileCheck]:
    # All are delayed equally, so that percentiles above the median show nothing but the machine's lateness.
    posts = posts.where(np.argsort(posts.number))
    truth = posts.answered - due_times(posts.sent, trial.setting.rate)
    return _compared(trial, "message", truth, PERCENTILES[:-1], stall_tolerance_ns)


def _compared(
    trial: Trial,
    metric: str,
    truth: Times,
    wanted: tuple[float, ...],
    tolerance: Callable[[float, int], int],
) -> list[PercentileCheck]:
    read = trial.totals.histograms.get(metric, Histogram()).percentiles(wanted)
    return [
        PercentileCheck(
            metric=metric,
            percentile=percentile,
            truth_ns=truth_ns,
            read_ns=read_ns,
            tolerance_ns=tolerance(percentile, truth_ns),
        )
        for percentile, truth_ns, read_ns in zip(wanted, percentiles(truth, wanted), read, strict=True)
    ]


def _counts(trial: Trial, answered: Posts) -> list[CountCheck]:
    account, counters = trial.account, trial.totals.counters
    histograms = trial.totals.histograms
    empty = Histogram()
    lost = histograms.get("message.lost", empty)
    service = histograms.get("message.service", empty)
    least = answered.answered - answered.sent
    return [
        CountCheck(what="due", truth=account["posts"], read=len(trial.due_ns)),
        CountCheck(what="posts", truth=account["posts"], read=counters["sent"] - counters["logins"]),
        CountCheck(what="answered", truth=account["echoed"], read=histograms.get("message", empty).total),
        CountCheck(what="lost", truth=account["dropped"] + account["unsent"], read=counters["lost"]),
        CountCheck(what="answered twice", truth=account["duplicated"], read=counters["duplicates"]),
        CountCheck(what="out of order", truth=account["reordered"], read=counters["out_of_order"]),
        CountCheck(what="garbage", truth=account["garbage"], read=counters["malformed"] + counters["binary"]),
        CountCheck(what="deliveries", truth=account["deliveries"], read=counters["deliveries_own_host"]),
        CountCheck(what="ages of lost posts", truth=counters["lost"], read=lost.total),
        CountCheck(
            what="lost posts recorded with less than their age", truth=0, read=undercut(lost, _ages(trial))
        ),
        CountCheck(what="recorded faster than the server answered", truth=0, read=undercut(service, least)),
    ]


def _ages(trial: Trial) -> Times:
    """The least age of each lost post when it was given up, by its timeout or at the end."""
    posts = trial.posts
    lost = posts.where(posts.answered == 0)
    if not len(lost.sent):
        return lost.sent
    stay_ns = int(LINGER_S * 1e9) + DRAIN_MS * 1_000_000 - _EARLY_NS
    ages: Times = posts.sent.max() - lost.sent + stay_ns
    return np.minimum(ages, MESSAGE_TIMEOUT_S * 1_000_000_000)
