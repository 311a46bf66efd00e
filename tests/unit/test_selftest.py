"""The selftest's judgement on made-up runs: what is true passes, and each way of being wrong is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from support.made_runs import TRUSTED, UNTRUSTED

from wsload.commands.selftest.judging import REPEATS, SettingResult, judge, run_setting
from wsload.commands.selftest.settings import LINGER_S, SETTINGS, Setting
from wsload.commands.selftest.showing import results_view, sentence
from wsload.commands.selftest.trial import Posts, Trial, read_posts, timer_kind
from wsload.commands.selftest.truth import Times
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Totals
from wsload.protocols.chat.conversation import token
from wsload.results.run import RunInfo
from wsload.server.account import Account, Truth

MS = 1_000_000
US = 1_000
STALLING = SETTINGS[0]
BY_KIND = {setting.judged: setting for setting in reversed(SETTINGS)}


def due_of(setting: Setting, seconds: float = 8.0) -> Times:
    """When posts are due."""
    count = int(setting.rate * seconds)
    if setting.poisson:
        gaps = np.random.default_rng(3).exponential(1e9 / setting.rate, count)
        return (10**12 + np.cumsum(gaps)).astype(np.int64)
    return (10**12 + np.arange(count) * 1e9 / setting.rate).astype(np.int64)


def served(setting: Setting, sent: Times) -> Posts:
    """What the server makes of posts sent at these times."""
    received = sent + 60 * US
    wait = np.zeros_like(sent)
    if setting.stalls is not None:
        left = setting.stalls.period_ns - (received - received[0]) % setting.stalls.period_ns
        wait = np.where(left <= setting.stalls.stall_ns, left, 0)
    elif setting.judged == "pipeline":
        wait = np.full_like(sent, 50 * MS)
    elif setting.judged == "delays":
        wait = np.random.default_rng(4).exponential(5 * MS, len(sent)).astype(np.int64)
    return Posts(
        sender=np.zeros_like(sent),
        number=np.arange(len(sent)),
        sent=sent,
        received=received,
        wait=wait,
        answered=received + wait + 5 * US,
    )


def trial(
    setting: Setting,
    *,
    lag_ns: int = 50 * US,
    way_back_ns: int = 40 * US,
    valid: bool = True,
    posts: Posts | None = None,
    message: Times | None = None,
    counters: dict[str, int] | None = None,
) -> Trial:
    """A run that measured right, but for what is said otherwise."""
    due = due_of(setting)
    posts = served(setting, due + lag_ns) if posts is None else posts
    got = posts.answered + way_back_ns
    count = len(posts.sent)
    totals = Totals()
    totals.histograms = {
        "message": Histogram.of((got - due[:count] if message is None else message).tolist()),
        "message.service": Histogram.of((got - posts.sent).tolist()),
        "send_lag": Histogram.of([lag_ns] * count),
    }
    totals.counters = Counter({"sent": count + 1, "logins": 1, **(counters or {})})
    return Trial(
        setting=setting,
        posts=posts,
        due_ns=due,
        account=Account(posts=count, echoed=count, logins=1).as_dict(),
        info=RunInfo(build="b", target="ws://host/", started_at=0.0, trust=TRUSTED if valid else UNTRUSTED),
        totals=totals,
    )


def text(*verdicts: SettingResult) -> str:
    console = Console(file=StringIO(), width=120, color_system=None)
    console.print(results_view(verdicts))
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("setting", [each for each in SETTINGS if each.judged != "counts"], ids=str)
def test_figures_that_are_true_pass(setting: Setting) -> None:
    verdict = judge(trial(setting))
    assert verdict.passed, text(verdict)
    assert len(verdict.percentiles) >= 4
    assert bool(verdict.controls) == (setting.judged == "stalls")


def test_the_formula_stands_beside_the_truth() -> None:
    by_percentile = {
        each.percentile: each for each in judge(trial(STALLING)).percentiles if each.metric == "message"
    }
    for percentile, wanted_ms in ((95, 100), (99, 180), (99.9, 198)):
        wanted_ns, found = pytest.approx(wanted_ms * MS, abs=2 * MS), by_percentile[percentile]
        assert (found.formula_ns, found.truth_ns) == (wanted_ns, wanted_ns)


# Ways of being wrong


def test_a_client_that_is_three_percent_late_at_the_end_of_stalls_fails() -> None:
    assert not judge(trial(STALLING, way_back_ns=6 * MS)).passed
    assert judge(trial(STALLING, way_back_ns=2 * MS)).passed


def test_a_quarter_of_a_millisecond_is_too_much_for_a_known_delay() -> None:
    assert not judge(trial(BY_KIND["delays"], way_back_ns=250 * US)).passed


def one_at_a_time(setting: Setting) -> Posts:
    """Sends the next when the last is answered, and then goes on from there: the omission."""
    due, sent, late_ns = due_of(setting), [], 0
    stalls = setting.stalls
    assert stalls is not None
    for due_ns in due.tolist():
        now_ns = due_ns + late_ns
        sent.append(now_ns)
        left_ns = stalls.period_ns - (now_ns - sent[0]) % stalls.period_ns
        late_ns += left_ns if left_ns <= stalls.stall_ns else 0
    return served(setting, np.array(sent, dtype=np.int64))


@pytest.mark.parametrize("poisson", [False, True])
def test_a_recorder_that_omits_what_was_due_during_a_stall_fails(poisson: bool) -> None:
    (setting,) = [each for each in SETTINGS if each.stalls == STALLING.stalls and each.poisson == poisson]
    posts = one_at_a_time(setting)
    service = posts.answered + 40 * US - posts.sent
    made = trial(setting, posts=posts, message=service)
    # Such a recorder calls due what it sent.
    verdict = judge(replace(made, due_ns=posts.sent))
    assert not verdict.passed
    assert not all(control.within for control in verdict.controls), "also the load was not what was ordered"


def test_response_times_that_count_from_the_sending_of_late_sends_fail() -> None:
    due = due_of(STALLING)
    held_ns = due % (100 * MS)  # for half of every 100 ms the client hangs, and then sends all at once
    sent = np.where(held_ns < 50 * MS, due - held_ns + 50 * MS, due)
    posts = served(STALLING, sent)
    service = posts.answered + 40 * US - posts.sent
    assert not judge(trial(STALLING, posts=posts, message=service)).passed


@pytest.mark.parametrize(
    ("counters", "what"),
    [
        ({"sent": 1}, "posts"),
        ({"duplicates": 1}, "answered twice"),
        ({"out_of_order": 2}, "out of order"),
        ({"lost": 1}, "lost"),
        ({"malformed": 1}, "garbage"),
        ({"deliveries_own_host": 3}, "deliveries"),
    ],
)
def test_one_miscount_fails(counters: dict[str, int], what: str) -> None:
    verdict = judge(trial(STALLING, counters=counters))
    assert not verdict.counted
    assert not verdict.passed
    assert what in [fact.what for fact in verdict.counts if not fact.exact]
    assert f"{what}: " in text(verdict)


def test_a_time_below_what_the_server_took_fails() -> None:
    verdict = judge(trial(BY_KIND["delays"], way_back_ns=-100 * US))
    (fact,) = [fact for fact in verdict.counts if fact.what == "recorded faster than the server answered"]
    assert fact.read > 0
    assert not verdict.passed


@pytest.mark.parametrize(("age_s", "holds"), [(LINGER_S, True), (1.9, False)])
def test_the_lost_are_at_least_as_old_as_they_were(age_s: float, holds: bool) -> None:
    made = trial(BY_KIND["counts"])
    last = len(made.posts.sent) - 1
    made.posts.answered[last] = 0
    made.totals.histograms["message.lost"] = Histogram.of([round(age_s * 1e9) + 400 * MS])
    made.totals.counters["lost"] = 1
    verdict = judge(replace(made, account={**made.account, "dropped": 1, "echoed": last}))
    young = [fact for fact in verdict.counts if fact.what == "lost posts recorded with less than their age"]
    assert [fact.exact for fact in young] == [holds]


# Repeating


def runner(*trials: Trial) -> tuple[Callable[[Setting], Trial], list[Trial]]:
    left = list(trials)
    return lambda _: left.pop(0), left


def test_a_run_that_fails_and_accuses_itself_is_repeated_and_that_is_said() -> None:
    run, left = runner(trial(STALLING, way_back_ns=9 * MS, valid=False), trial(STALLING))
    verdict = run_setting(STALLING, run)
    assert not left
    assert verdict.passed
    assert verdict.repeated == ("not valid: Not trusted: late",)
    assert "repeated, because wsload itself warned: not valid: Not trusted: late" in text(verdict)


def test_an_invalid_run_does_not_pass_however_good_its_figures() -> None:
    run, left = runner(*(trial(STALLING, valid=False) for _ in range(9)))
    verdict = run_setting(STALLING, run)
    assert not verdict.passed
    assert len(verdict.repeated) == REPEATS
    assert len(left) == 9 - 1 - REPEATS


def test_sends_later_than_the_tolerance_are_an_accusation_too() -> None:
    run, left = runner(trial(STALLING, way_back_ns=6 * MS, lag_ns=5 * MS), trial(STALLING))
    assert run_setting(STALLING, run).repeated == ("it was late by 5.00 ms at p99",)
    assert not left
    late = trial(STALLING, way_back_ns=6 * MS)
    late.totals.histograms["loop_lag"] = Histogram.of([4 * MS] * 50)
    run, left = runner(late, trial(STALLING))
    assert run_setting(STALLING, run).repeated == ("it was late by 4.00 ms at p99",)


def test_a_punctual_run_gets_no_second_chance() -> None:
    run, left = runner(trial(STALLING, way_back_ns=6 * MS), trial(STALLING))
    verdict = run_setting(STALLING, run)
    assert not verdict.passed
    assert verdict.repeated == ()
    assert len(left) == 1


def test_a_miscount_gets_no_second_chance_however_late_the_client_was() -> None:
    run, left = runner(trial(STALLING, valid=False, counters={"lost": 1}), trial(STALLING))
    assert not run_setting(STALLING, run).passed
    assert len(left) == 1


# Telling


def test_the_table_holds_every_figure_of_the_worked_example() -> None:
    lines = text(judge(trial(STALLING))).splitlines()
    (p99,) = [line.split() for line in lines if line.startswith("  p99 ")]
    formula, truth, read, error, percent, allowed = map(float, (cell.strip("±") for cell in p99[1:]))
    assert formula == pytest.approx(180, abs=1)
    assert truth == pytest.approx(180, abs=1)
    assert read - truth == pytest.approx(error, abs=1)  # whole ms, above 100
    assert percent == pytest.approx(100 * error / truth, abs=0.06)
    assert allowed == pytest.approx(3.6, abs=0.02)
    assert any(line.startswith(STALLING.name) for line in lines)
    assert any(line.startswith("  service p99") for line in lines)


def test_the_sentence_says_how_far_to_trust() -> None:
    good = [judge(trial(STALLING)), judge(trial(BY_KIND["delays"]))]
    said = sentence(good, "timerfd")
    assert said.startswith("The figures can be trusted on this machine: every p99 under stalls was within 0.")
    assert said.endswith("posts went out at most 0.050 ms late at p99 (timerfd).")
    late = judge(trial(STALLING, way_back_ns=9 * MS))
    assert "as busy as it is now: p99 under stalls was off by 5 %" in sentence([*good, late], "timerfd")
    miscounted = judge(trial(STALLING, counters={"lost": 1}))
    assert sentence([*good, miscounted], "call_later").startswith("Don't trust wsload here")


# The account


def test_the_truth_file_is_read_back(tmp_path: Path) -> None:
    truth = Truth(tmp_path / "truth.jsonl")
    truth.note("start", seed=1, faults=[], started_ns=1)
    for number, (sender, sent_ns) in enumerate((("a" * 12, 70), ("b" * 12, None), ("a" * 12, 90))):
        mark = token.mint("clockclo", sender, number, 10 + number).encode()
        truth.post(b'{"text":"' + mark + b'"}', 20 + number, sent_ns, 5, ["echoed"])
    truth.post(b"without a token", 1, 2, 3, ["echoed"])
    truth.close(Account(posts=4))
    posts = read_posts(tmp_path / "truth.jsonl")
    assert posts.sender.tolist() == [0, 1, 0]
    assert posts.number.tolist() == [0, 1, 2]
    assert posts.sent.tolist() == [10, 11, 12]
    assert posts.received.tolist() == [20, 21, 22]
    assert posts.wait.tolist() == [5, 5, 5]
    assert posts.answered.tolist() == [70, 0, 90]
    assert posts.where(posts.answered > 0).number.tolist() == [0, 2]


def test_the_timers_kind_is_known() -> None:
    assert timer_kind() in {"timerfd", "call_later"}
