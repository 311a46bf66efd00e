"""A trial's figures beside the truth.

The truth is the server's account: when it answered each post, its own lateness and all. Response
times count from when a post was due: at a constant rate that is an even grid, which is found from
the account alone; of Poisson arrivals only wsload's schedule knows. That these came as ordered,
stall or no stall, the formula controls.
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
    Comparison,
    Times,
    delay_tolerance_ns,
    due_times,
    percentiles,
    stall_tolerance_ns,
    undercut,
)
from wsload.measure.histogram import Histogram
from wsload.words import milliseconds

REPEATS: Final = 2
"""So often a run is repeated in which the load generator accuses itself."""
CERTAIN: Final = 5.0
"""Standard errors by which Poisson arrivals may differ from the formula."""
_EARLY_NS: Final = 10_000_000
"""asyncio's timers fire up to a millisecond early; twice that, and some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something that must come out exactly."""

    what: str
    truth: int
    """By the server's account."""
    read: int
    """By wsload."""

    @property
    def holds(self) -> bool:
        return self.truth == self.read


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a setting."""

    setting: Setting
    comparisons: tuple[Comparison, ...]
    """wsload's percentiles beside the truth; empty where only counts are judged."""
    controls: tuple[Comparison, ...]
    """What was ordered of the server beside the formula: whether the load came when it was due."""
    facts: tuple[Fact, ...]
    valid: bool
    """Whether wsload vouches for the run."""
    warnings: tuple[str, ...]
    """wsload's own, those that invalidate."""
    send_lag_p99_ns: int
    loop_lag_p99_ns: int
    """How late posts were sent, and how late the loop was, by wsload's own account."""
    repeated: tuple[str, ...] = ()
    """Why earlier tries were not the last."""

    @property
    def counted(self) -> bool:
        """Whether all that must be exact is."""
        return all(fact.holds for fact in self.facts)

    @property
    def passed(self) -> bool:
        timed = all(each.within for each in (*self.comparisons, *self.controls))
        return self.counted and timed and (self.valid or not self.comparisons)

    @property
    def excuse(self) -> str | None:
        """Why this run was not fit to be judged, if wsload itself says so."""
        if self.warnings:
            return f"not valid: {self.warnings[0]}"
        least_ns = min((each.tolerance_ns for each in self.comparisons if each.percentile == 99), default=0)
        late_ns = max(self.send_lag_p99_ns, self.loop_lag_p99_ns)
        if self.comparisons and late_ns > least_ns:
            return f"it was late by {milliseconds(late_ns)} at p99"
        return None


def prove(setting: Setting, run: Callable[[Setting], Trial] = run_trial) -> Verdict:
    """Runs a setting and judges it; again, twice at most, when it failed and wsload said it was late.

    Raises `WsloadError` when the server or locust did not do its part.
    """
    repeated: list[str] = []
    while True:
        verdict = replace(judge(run(setting)), repeated=tuple(repeated))
        excuse = verdict.excuse
        # Counts are exact however late the client is: wrong ones are never given a second chance.
        if verdict.passed or not verdict.counted or excuse is None or len(repeated) == REPEATS:
            return verdict
        repeated.append(excuse)


def judge(trial: Trial) -> Verdict:
    """The trial's figures beside the truth."""
    setting, posts = trial.setting, trial.posts
    answered = posts.where(posts.answered > 0)
    comparisons: list[Comparison] = []
    controls: list[Comparison] = []
    if setting.stalls is not None:
        comparisons, controls = _stalled(trial, answered)
    elif setting.judged == "delays":
        comparisons = _delayed(trial, answered)
    elif setting.judged == "pipeline":
        comparisons = _pipelined(trial, answered)
    return Verdict(
        setting=setting,
        comparisons=tuple(comparisons),
        controls=tuple(controls),
        facts=tuple(_facts(trial, answered)),
        valid=bool(trial.info.valid),
        warnings=tuple(warning.text for warning in trial.info.warnings if warning.invalidates),
        send_lag_p99_ns=trial.lag_p99_ns("send_lag"),
        loop_lag_p99_ns=trial.lag_p99_ns("loop_lag"),
    )


def _stalled(trial: Trial, posts: Posts) -> tuple[list[Comparison], list[Comparison]]:
    setting = trial.setting
    assert setting.stalls is not None
    posts = posts.where(np.argsort(posts.number))
    due = trial.dues[: len(posts.sent)] if setting.poisson else due_times(posts.sent, setting.rate)
    held = posts.wait > 0
    stalls = replace(
        setting.stalls, base_ns=int(np.median(posts.answered[~held] - due[~held])), rho=_load(setting, posts)
    )
    span_ns = int(posts.received[-1] - posts.received[0] + 1e9 / setting.rate)
    comparisons = [
        replace(each, formula_ns=stalls.quantile(each.percentile / 100, span_ns))
        for each in _compared(trial, "message", posts.answered - due, PERCENTILES, stall_tolerance_ns)
    ]
    comparisons += _compared(trial, "message.service", posts.answered - posts.sent, (99,), stall_tolerance_ns)
    # What was ordered knows of no lateness and no drain.
    ordered_ns = percentiles(posts.received + posts.wait - due, (99,))[0]
    wanted_ns = replace(stalls, rho=0.0).quantile(0.99, span_ns)
    scatter_ns = CERTAIN * stalls.scatter_ns(0.99, len(due)) if setting.poisson else 0.0
    control = Comparison(
        metric="ordered",
        percentile=99,
        truth_ns=round(wanted_ns),
        read_ns=ordered_ns,
        tolerance_ns=round(stall_tolerance_ns(99, round(wanted_ns)) + scatter_ns),
    )
    return comparisons, [control]


def _load(setting: Setting, posts: Posts) -> float:
    """ρ: the rate times what an answer takes when a stall's are made all at once."""
    held = np.sort(posts.answered[posts.wait > 0])
    return setting.rate * float(np.median(np.diff(held))) / 1e9 if len(held) > 1 else 0.0


def _delayed(trial: Trial, posts: Posts) -> list[Comparison]:
    # Service times, since both stamps are in the account: nothing is left to be guessed to 50 µs.
    return _compared(
        trial,
        "message.service",
        posts.answered - posts.sent,
        PERCENTILES,
        lambda _, ns: delay_tolerance_ns(ns),
    )


def _pipelined(trial: Trial, posts: Posts) -> list[Comparison]:
    # All wait alike, so every percentile above the median shows how late the machine was, and only that.
    posts = posts.where(np.argsort(posts.number))
    truth = posts.answered - due_times(posts.sent, trial.setting.rate)
    return _compared(trial, "message", truth, PERCENTILES[:-1], stall_tolerance_ns)


def _compared(
    trial: Trial,
    metric: str,
    truth: Times,
    wanted: tuple[float, ...],
    tolerance: Callable[[float, int], int],
) -> list[Comparison]:
    read = trial.totals.histograms.get(metric, Histogram()).percentiles(wanted)
    return [
        Comparison(
            metric=metric,
            percentile=percentile,
            truth_ns=truth_ns,
            read_ns=read_ns,
            tolerance_ns=tolerance(percentile, truth_ns),
        )
        for percentile, truth_ns, read_ns in zip(wanted, percentiles(truth, wanted), read, strict=True)
    ]


def _facts(trial: Trial, answered: Posts) -> list[Fact]:
    account, counters = trial.account, trial.totals.counters
    histograms = trial.totals.histograms
    empty = Histogram()
    lost = histograms.get("message.lost", empty)
    service = histograms.get("message.service", empty)
    floors = answered.answered - answered.sent
    return [
        Fact(what="due", truth=account["posts"], read=len(trial.dues)),
        Fact(what="posts", truth=account["posts"], read=counters["sent"] - counters["logins"]),
        Fact(what="answered", truth=account["echoed"], read=histograms.get("message", empty).total),
        Fact(what="lost", truth=account["dropped"] + account["unsent"], read=counters["lost"]),
        Fact(what="answered twice", truth=account["duplicated"], read=counters["duplicates"]),
        Fact(what="out of order", truth=account["reordered"], read=counters["out_of_order"]),
        Fact(what="garbage", truth=account["garbage"], read=counters["malformed"] + counters["binary"]),
        Fact(what="deliveries", truth=account["deliveries"], read=counters["deliveries_own_host"]),
        Fact(what="ages of the lost", truth=counters["lost"], read=lost.total),
        Fact(what="lost and counted with less than their age", truth=0, read=undercut(lost, _ages(trial))),
        Fact(what="faster than the server answered", truth=0, read=undercut(service, floors)),
    ]


def _ages(trial: Trial) -> Times:
    """The least age of each lost post when it was given up: timed out, or at the end."""
    posts = trial.posts
    lost = posts.where(posts.answered == 0)
    if not len(lost.sent):
        return lost.sent
    stayed_ns = int(LINGER_S * 1e9) + DRAIN_MS * 1_000_000 - _EARLY_NS
    ages: Times = posts.sent.max() - lost.sent + stayed_ns
    return np.minimum(ages, MESSAGE_TIMEOUT_S * 1_000_000_000)
