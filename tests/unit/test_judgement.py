"""The verdict on a run: its standing, its sentence, its remedy, and what else there is to say."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from wsload.judge.run import doubts as doubts_module
from wsload.judge.run import processes
from wsload.judge.run.doubts import doubts
from wsload.judge.run.processes import ProcessFigures
from wsload.judge.run.rejudge import rejudge
from wsload.judge.run.verdict import judge
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import FORGOTTEN, LAGGED, LATE_IN, LOST, TOO_LATE, UNLAGGED, Kind
from wsload.results.run import RunInfo, RunWarning
from wsload.results.trust import Standing, Trust
from wsload.results.window import Window

MS = 1_000_000


def second(
    answered: Mapping[str, int] | None = None,
    *,
    late: Mapping[str, int] | None = None,
    lost: Mapping[str, int] | None = None,
    counters: Mapping[str, int] | None = None,
    kinds: Mapping[str, Kind] | None = None,
    opened: int = 10,
    **parts: Any,
) -> Interval:
    """A second in which so many requests were answered in 5 ms, by name; of these so many late by 4."""
    answered, late, lost = answered or {}, late or {}, lost or {}
    histograms = {name: Histogram.of([5 * MS] * count) for name, count in answered.items()}
    histograms |= {name + LOST: Histogram.of([MS] * count) for name, count in lost.items()}
    for name, count in late.items():
        histograms[name].add(Histogram.of([9 * MS] * count))
        histograms[name + LAGGED] = Histogram.of([9 * MS] * count)
        histograms[name + UNLAGGED] = Histogram.of([5 * MS] * count)
    if opened:
        histograms["open"] = Histogram.of([MS] * opened)
    return Interval(
        start_s=1.7e9,
        length_s=1.0,
        histograms=histograms,
        counters={
            "opens": opened,
            "requests": sum(answered.values()) + sum(late.values()),
            "lost": sum(lost.values()),
            **(counters or {}),
        },
        names=kinds or dict.fromkeys((*answered, *lost), Kind.REQUEST),
        **{"gauges": {"users": 5}, **parts},
    )


def judged(interval: Interval, *beside: RunWarning) -> Trust:
    watch = ProcessFigures("")
    watch.add(interval)
    return judge(watch.totals, [watch], beside=beside).trust


def names(interval: Interval) -> list[str]:
    return [warning.name for warning in doubts(Totals.of([interval]))]


# How far


def test_a_punctual_run_is_trusted() -> None:
    trust = judged(second({"message": 1_000}))
    assert (trust.standing, trust.remedy) == (Standing.TRUSTED, "")
    assert trust.verdict == "Trusted up to the maximum (message)"
    assert trust.up_to == {} and trust.covers("message", 100)


def test_late_values_at_the_top_leave_the_rest_trusted_and_the_cause_is_said() -> None:
    counters = {"late_ns": 40 * MS, "late_waiting_ns": 40 * MS}
    trust = judged(second({"message": 980}, late={"message": 20}, counters=counters))
    assert trust.standing is Standing.PARTLY
    assert trust.verdict.startswith(
        "Trusted up to p95 (message); beyond that the load generator's own lateness shows: another process had "
        "the core for 4 % of the time"
    )
    assert trust.remedy.startswith("stop other work on this machine")
    assert trust.up_to == {"message": 95.0}
    assert trust.covers("message", 95) and not trust.covers("message", 99)
    assert trust.covers("ping", 100)


def test_what_shows_beyond_p99_only_is_said_and_the_run_is_trusted() -> None:
    trust = judged(second({"message": 9_950}, late={"message": 50}))
    assert trust.standing is Standing.TRUSTED
    assert trust.verdict.startswith(
        "Trusted up to p99 (message); beyond that the load generator's own lateness"
    )


def test_lateness_in_everything_is_not_trusted_and_who_blocked_is_named() -> None:
    counters = {"late_ns": 400 * MS, "late_samples": 10, LATE_IN + "Guest.post (chat.py:12)": 10}
    trust = judged(second({"message": 10}, late={"message": 90}, counters=counters))
    assert trust.standing is Standing.UNTRUSTED
    assert trust.verdict.startswith(
        "Not trusted: the load generator's own lateness shows: Guest.post (chat.py:12) blocked the event loop"
    )
    assert "asyncio.to_thread" in trust.remedy


def test_waits_for_surplus_answers_are_not_put_down_to_an_idle_load_generators_work() -> None:
    counters = {"late_ns": 2 * MS, "late_working_ns": 2 * MS}
    late = second({"message": 10}, late={"message": 90}, counters=counters)
    late.histograms["send_lag"] = Histogram.of([0] * 10 + [4 * MS] * 90)
    before = judged(late)
    assert "busy with work of its own" in before.verdict
    late.counters["late_surplus_ns"] = 350 * MS
    trust = judged(late)
    assert trust.verdict.startswith(
        "Not trusted: the load generator's own lateness shows: due tasks had to wait while wsload itself waited for "
        "surplus answers"
    )
    assert "--processes" not in trust.remedy and "key" in trust.remedy
    assert (trust.standing, trust.up_to) == (before.standing, before.up_to)


def test_tasks_never_started_because_of_such_waits_are_put_down_to_them() -> None:
    late = second({"message": 90}, counters={"unsent": 10, "late_ns": MS, "late_surplus_ns": 90 * MS},
                  failures={("task", TOO_LATE): 10})  # fmt: skip
    late.histograms["send_lag"] = Histogram.of([MS] * 90)
    trust = judged(late)
    assert "never started by the load generator: due tasks had to wait while wsload itself" in trust.verdict
    (warning,) = [each for each in doubts(Totals.of([late])) if each.name == "shortfall"]
    assert warning.remedy == trust.remedy and "key" in trust.remedy


def test_names_of_different_levels_are_told_apart() -> None:
    trust = judged(
        second({"buy": 980, "sell": 1_000, "look": 10, "pay": 1_000}, late={"buy": 20, "look": 90})
    )
    assert trust.standing is Standing.PARTLY
    assert (
        "Trusted up to p95 (buy) and the maximum (pay and sell); not at all: look; beyond that"
        in trust.verdict
    )


def test_many_names_are_not_all_listed() -> None:
    trust = judged(second({f"step {number}": 100 for number in range(9)}))
    assert trust.verdict == "Trusted up to the maximum (step 0, step 1, step 2 and 6 more)"


def test_answers_that_may_be_anothers_are_not_trusted_by_name() -> None:
    counters = {"buy.unpaired": 1, "buy: a message came that no request was waiting for": 1, "unpaired": 1}
    both = second({"buy": 100, "sell": 100}, counters=counters)
    trust = judged(both)
    assert trust.standing is Standing.PARTLY
    assert "not trusted: buy, since it can't be proved which answer belongs to which request" in trust.verdict
    assert "a key" in trust.remedy and "a key" in doubts(Totals.of([both]))[0].remedy
    assert not trust.covers("buy", 50) and trust.covers("sell", 100)
    assert list(trust.reasons) == ["buy"]
    alone = judged(second({"buy": 100}, counters=counters))
    assert alone.standing is Standing.UNTRUSTED
    assert alone.verdict.startswith("Not trusted: buy: it can't be proved")


def test_what_invalidates_a_run_comes_before_any_level() -> None:
    lost = RunWarning(name="worker-lost", text="worker 1 was lost", remedy="see why", invalidates=True)
    trust = judged(second({"message": 1_000}), lost)
    assert (trust.standing, trust.verdict) == (Standing.UNTRUSTED, "Not trusted: worker 1 was lost")
    assert trust.remedy == "see why"


def test_warnings_are_kept_worst_first() -> None:
    mild = RunWarning(name="mild", text="")
    bad = RunWarning(name="bad", text="", invalidates=True)
    found = judge(Totals.of([second({"message": 9})]), [], beside=[mild, bad])
    assert [warning.name for warning in found.warnings] == ["bad", "mild"]


@pytest.mark.parametrize(
    ("most", "helps"),
    [
        ("refused", "the server listens there"),
        ("bad status 404", "another path"),
        ("subprotocol", "--ws-subprotocol"),
        ("a TLS port", "wss://"),
    ],
)
def test_the_remedy_fits_what_kept_everybody_out(most: str, helps: str) -> None:
    found = judged(second(opened=0, failures={("open", most): 9, ("open", "timeout"): 8}))
    assert helps in found.remedy


# Nothing measured


@pytest.mark.parametrize(
    ("interval", "standing", "said"),
    [
        (
            second(opened=0, failures={("open", "refused"): 500, ("open", "timeout"): 28}),
            Standing.FAILED,
            "Failed at start: nobody could connect; 528 attempts failed (refused and timeout)",
        ),
        (
            second(failures={("login", "no id"): 5}, counters={"login_failures": 5}),
            Standing.FAILED,
            "Failed at start: nobody could log in; 5 attempts failed (no id)",
        ),
        (second(opened=0), Standing.FAILED, "Failed at start: no connection was opened"),
        (
            second(lost={"message": 3}, counters={"requests": 3}, failures={("message", "timeout"): 3}),
            Standing.NOTHING,
            "Nothing was measured: not one request was answered; message: timeout (3)",
        ),
        (
            second(counters={"unsent": 7}, failures={("message", "not connected"): 7}),
            Standing.NOTHING,
            "Nothing was measured: not one request was answered; message: not connected (7)",
        ),
        (
            second(failures={("task post", "ZeroDivisionError"): 4}),
            Standing.NOTHING,
            "Nothing was measured: the tasks failed before they made a request; "
            "task post: ZeroDivisionError (4)",
        ),
        (Interval(length_s=1.0), Standing.NOTHING, "Nothing was measured: no user arrived"),
        (Interval(), Standing.NOTHING, "Nothing was measured: nothing was recorded"),
        (
            second(opened=0, gauges={"users": 0}, counters={"users_ended": 2}),
            Standing.FAILED,
            "Failed at start: no connection was opened",
        ),
    ],
)
def test_a_run_that_measured_nothing_is_neither_good_nor_late(
    interval: Interval, standing: Standing, said: str
) -> None:
    trust = judged(interval)
    assert (trust.standing, trust.verdict) == (standing, said)
    assert trust.remedy and not standing.usable and standing.tone == "bad"


@pytest.mark.parametrize(
    ("interval", "said", "remedy"),
    [
        (
            second(failures={("login", "no id"): 5}, counters={"login_failures": 5}),
            "nobody could log in",
            "see what the server answers to the login",
        ),
        *(
            (
                second(counters={counter: 3}, failures={("message", "a"): 1, ("b", "b"): 2, ("a", "c"): 2}),
                "not one request was answered; a: c (2), b: b (2)",
                "see the failures by kind",
            )
            for counter in ("requests", "lost", "refused", "unsent")
        ),
        (
            second(failures={("task post", "KeyError"): 1, ("open", "refused"): 9}),
            "the tasks failed before they made a request",
            "see Locust's log for errors of the user class",
        ),
        (
            second(opened=0, failures={("on_start", "KeyError"): 1}),
            "no connection was opened; on_start: KeyError (1)",
            "see Locust's log for errors of the user class",
        ),
        (
            Interval(length_s=1.0),
            "no user arrived",
            "see -u, and Locust's log for errors of the user class",
        ),
    ],
)
def test_what_helps_a_run_that_measured_nothing(interval: Interval, said: str, remedy: str) -> None:
    trust = judged(interval)
    assert said in trust.verdict
    assert trust.remedy == remedy


@pytest.mark.parametrize("what", ["open", "close"])
def test_failures_of_the_connection_are_none_of_the_tasks(what: str) -> None:
    trust = judged(second(opened=100, failures={(what, "refused"): 2}))
    assert trust.verdict.startswith("Only connections were measured")


def test_a_login_that_some_managed_is_no_failure_at_the_start() -> None:
    trust = judged(second(failures={("login", "no id"): 5}, counters={"login_failures": 5, "logins": 1}))
    assert "could log in" not in trust.verdict


def test_a_part_of_a_stored_run_is_judged_with_the_run_s_tolerance() -> None:
    watch = ProcessFigures("")
    watch.add(second({"message": 90}, late={"message": 10}))
    info = RunInfo(build="", target="", started_at=0.0)
    given = replace(info, trust=replace(judged(second({"message": 9})), tolerance_ns=50 * MS))
    assert rejudge(info, watch).trust.up_to == {"message": 90.0}
    found = rejudge(given, watch).trust
    assert (found.up_to, found.tolerance_ns) == ({}, 50 * MS)


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (Interval(), "nothing was recorded in the measured stretch"),
        (Interval(start_s=9.0, length_s=1.0), "no user was running in the measured stretch"),
    ],
)
def test_an_empty_stretch_says_nothing_of_users_outside_it(interval: Interval, said: str) -> None:
    watch = ProcessFigures("")
    watch.add(interval)
    info = RunInfo(build="", target="", started_at=0.0, window=Window(from_s=9.0))
    trust = rejudge(info, watch).trust
    assert (trust.standing, trust.verdict) == (Standing.NOTHING, f"Nothing was measured: {said}")
    assert trust.remedy == "measure a stretch in which users are running"


def test_connections_alone_are_measured_and_said_to_be_all() -> None:
    trust = judged(second(opened=100))
    assert trust.standing is Standing.TRUSTED
    assert trust.verdict == "Only connections were measured. Trusted up to the maximum (open)"


def test_own_values_alone_are_something() -> None:
    interval = second({"tick": 100}, kinds={"tick": Kind.VALUE})
    assert judged(interval).verdict.startswith("Not trusted")  # without a heartbeat nobody vouches for it
    with_beats = second({"tick": 100, "loop_lag": 1_000}, kinds={"tick": Kind.VALUE})
    with_beats = replace(
        with_beats, histograms={**with_beats.histograms, "loop_lag": Histogram.of([50_000] * 1_000)}
    )  # punctual ones
    assert judged(with_beats).standing is Standing.TRUSTED


@pytest.mark.parametrize(("count", "few"), [(9, True), (10, False)])
def test_fewer_values_than_a_median_takes_are_too_few(count: int, few: bool) -> None:
    trust = judged(second({"buy": count, "sell": 1}))
    assert (trust.standing is Standing.FEW) == few
    if few:
        assert trust.verdict == "Too few to judge: 9 values were measured, and even a median takes 10"


# What else there is to say


def test_there_is_nothing_to_say_of_a_run_that_went_well() -> None:
    assert names(second({"message": 100})) == []


@pytest.mark.parametrize(("missed", "invalid"), [(0, False), (10, False), (11, True), (500, True)])
def test_more_than_a_hundredth_that_was_never_begun_is_another_load(missed: int, invalid: bool) -> None:
    failures = {("message", TOO_LATE): missed} if missed else {}
    interval = second({"message": 1_000 - missed}, counters={"unsent": missed}, failures=failures)
    assert ("shortfall" in names(interval)) == invalid
    assert (judged(interval).standing is Standing.UNTRUSTED) == invalid


def test_the_shortfall_says_how_much_it_was() -> None:
    interval = second({"buy": 900}, counters={"unsent": 100}, failures={("task", TOO_LATE): 100})
    (warning,) = doubts(Totals.of([interval]))
    assert warning.text == "100 of 1,000 due requests (10 %) were never started by the load generator"
    trust = judged(replace(interval, counters={**interval.counters, "late_ns": MS}))
    assert trust.verdict.startswith(f"Not trusted: {warning.text}: something held it up")
    assert trust.remedy.startswith("take blocking calls out")


@pytest.mark.parametrize(("lost", "said"), [(5, "p99 is 5.00 ms"), (50, "p99 lies among them")])
def test_lost_requests_count_as_the_slowest(lost: int, said: str) -> None:
    (warning,) = doubts(Totals.of([second({"buy": 1_000 - lost}, lost={"buy": lost})]))
    assert warning.text.startswith(f"{lost} of 1,000 buy requests were lost")
    assert warning.text.endswith(said)


def test_what_could_not_be_sent_is_said_with_its_reasons() -> None:
    interval = second(
        {"message": 95},
        counters={"unsent": 5},
        failures={("message", "not connected"): 3, ("message", "too many in flight"): 2},
    )
    (warning,) = doubts(Totals.of([interval]))
    assert warning.text == (
        "5 of 100 requests could not be sent (not connected and too many in flight): they have no latency"
    )


def test_requests_whose_key_was_in_flight_need_keys_of_their_own() -> None:
    failures = {("buy", "key in flight"): 9, ("task talk", "UsageError"): 9}
    (warning,) = doubts(Totals.of([second({"buy": 1}, counters={"unsent": 9}, failures=failures)]))
    assert warning.text == "9 of 10 requests could not be sent (key in flight): they have no latency"
    assert warning.remedy.startswith("give each request a key of its own")


@pytest.mark.parametrize("kind", ["too many open files", "no free port"])
def test_a_machine_that_ran_out_of_something_cannot_vouch(kind: str) -> None:
    interval = second({"message": 100}, failures={("open", kind): 7})
    (warning,) = doubts(Totals.of([interval]))
    assert warning.invalidates and kind in warning.text and warning.remedy
    assert names(second({"message": 100}, failures={("open", "refused"): 7})) == []


@pytest.mark.parametrize("counter", ["out_of_range", "unread", "users_ended", "names_gathered"])
def test_what_was_left_out_is_said(counter: str) -> None:
    (warning,) = doubts(Totals.of([second({"message": 100}, counters={counter: 1_234})]))
    assert warning.remedy and not warning.invalidates
    assert "1,234" in warning.text
    assert ("several processes" in warning.text) == (counter == "names_gathered"), "a sum, not so many names"


def test_every_warning_that_follows_from_the_figures_is_known_as_such_and_no_other() -> None:
    """Stored ones of these names are replaced when a run is judged anew."""
    found = set()
    for module in (doubts_module, processes):
        for call in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "RunWarning":
                (name,) = (each.value for each in call.keywords if each.arg == "name")
                if isinstance(name, ast.Constant):
                    found.add(name.value)
                elif isinstance(name, ast.Name):
                    found.add(getattr(module, name.id))
                else:
                    found |= {kind.replace(" ", "-") for kind in doubts_module.EXHAUSTED}
    assert found == doubts_module.DERIVED


def test_what_the_warm_up_shows_of_the_load_counts_in_the_window_too() -> None:
    """The code is the same, users may be missing, and names stay grouped."""
    failures = {(FORGOTTEN, "Guest.log_in"): 50, ("open", "no free port"): 3, ("message", TOO_LATE): 400}
    counters = {"users_ended": 7, "names_gathered": 50, "unsent": 400, "unread": 2, "out_of_range": 1}
    ramp = second({"message": 100}, lost={"message": 9}, failures=failures, counters=counters)
    ramp = replace(ramp, gauges={"connections": 1_021})
    window = second({"message": 100})
    found = doubts(Totals.of([window]), Totals.of([ramp, window]))
    assert {each.name for each in found} == {"forgotten-await", "no-free-port", "users-ended", "names"}
    stayed = replace(ramp, counters={**ramp.counters, "users_ended": 0})
    again = doubts(Totals.of([window]), Totals.of([stayed, window]))
    assert {each.name for each in again} == {"forgotten-await", "names"}, (
        "the users who found no port tried again"
    )
    texts = {each.name: each.text for each in found}
    assert texts["forgotten-await"].startswith("50 calls in the user classes had no await")
    assert "3 openings failed" in texts["no-free-port"] and "at most 1,021" in texts["no-free-port"]
    assert texts["users-ended"].startswith("7 users ended early")
    assert texts["names"].startswith("50 names beyond")
    watch = ProcessFigures("")
    watch.add(window)
    assert judge(watch.totals, [watch]).trust.standing is Standing.TRUSTED
    judgement = judge(watch.totals, [watch], load=Totals.of([ramp, window]))
    assert judgement.trust.standing is Standing.UNTRUSTED
    assert judgement.trust.up_to == {}, "the figures are those of the window"


def test_answers_that_overlap_and_quote_nothing_can_not_be_proved() -> None:
    interval = second({"buy": 100}, counters={"buy.overlapped": 4})
    (warning,) = doubts(Totals.of([interval]))
    assert warning.name == "unpaired" and "buy" in warning.text and "overlap = False" in warning.remedy
    judgement = judged(interval)
    assert judgement.standing is Standing.UNTRUSTED
    assert judgement.up_to["buy"] == 0 and "several requests" in judgement.reasons["buy"]


# Word for word


def warned(interval: Interval, name: str) -> RunWarning:
    (found,) = [each for each in doubts(Totals.of([interval])) if each.name == name]
    return found


def test_awaits_that_were_forgotten() -> None:
    calls = {"User.b": 2, "User.a": 2, "User.c": 5, "User.d": 1}
    failures = {(FORGOTTEN, name): count for name, count in calls.items()} | {("open", "refused"): 9}
    assert warned(second({"message": 100}, failures=failures), "forgotten-await") == RunWarning(
        name="forgotten-await",
        text="10 calls in the user classes had no await, so nothing was done (User.c, User.a and User.b): "
        "the load is not what the code says",
        remedy="write await before it; the log says where",
        invalidates=True,
    )
    assert "forgotten-await" not in names(second({"message": 100}, failures={("open", "refused"): 9}))


def test_what_this_machine_ran_out_of() -> None:
    interval = second(
        {"message": 100}, failures={("open", "too many open files"): 1_234, ("close", "no free port"): 1}
    )
    interval = replace(interval, gauges={"connections": 1_021})
    found = warned(interval, "too-many-open-files")
    assert found.text == (
        "1,234 openings failed on this machine's side: too many open files, with at most 1,021 connections open"
    )
    assert found.invalidates and found.remedy
    assert "no-free-port" not in names(interval)


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (second({"message": 3}), "Too few to judge: 3 values were measured, and even a median takes 10"),
        (second({}, opened=4), "Too few to judge: 4 connections were opened, and even a median takes 10"),
    ],
)
def test_too_few(interval: Interval, said: str) -> None:
    trust = judged(interval)
    assert (trust.standing, trust.verdict) == (Standing.FEW, said)
    assert trust.remedy == "run for longer, or with more users"


def test_a_request_is_trusted_as_far_as_its_service_times_are() -> None:
    interval = second({"message": 1_000, "message.service": 980}, late={"message.service": 20})
    interval = replace(interval, names={"message": Kind.REQUEST})
    assert "Trusted up to p95 (message)" in judged(interval).verdict
    as_value = replace(interval, names={"message": Kind.STEP})
    assert "Trusted up to p95" not in judged(as_value).verdict


def test_connections_that_were_open_count_though_none_was_opened_meanwhile() -> None:
    interval = replace(second(opened=0), gauges={"connections": 3}, failures={("task a", "KeyError"): 1})
    assert judged(interval).verdict.startswith("Nothing was measured: the tasks failed")


def test_the_web_ui_is_named_only_where_it_shares_the_process() -> None:
    watch = ProcessFigures("")
    watch.add(second({"message": 10}, late={"message": 90}, counters={"late_ns": MS}))
    assert "web UI" not in judge(watch.totals, [watch]).trust.remedy
    assert "web UI" in judge(watch.totals, [watch], ui_in_process=True).trust.remedy


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        (
            {"out_of_range": 1_200},
            RunWarning(
                name="out-of-range",
                text="1,200 values were outside the histograms' range of up to 73 minutes and are in no percentile",
                remedy="lower --ws-message-timeout",
            ),
        ),
        (
            {"unread": 2},
            RunWarning(
                name="unread",
                text="2 messages that answered no request were never received by the user class",
                remedy="read them with receive(), or define on_message to handle them",
            ),
        ),
        (
            {"users_ended": 1},
            RunWarning(
                name="users-ended",
                text="1 user ended early (--no-ws-reconnect, or an error in the user class)",
                remedy="see the failures and Locust's log",
            ),
        ),
        (
            {"unsent": 3},
            RunWarning(
                name="unsent",
                text="3 of 103 requests could not be sent (not connected): they have no latency",
                remedy="see the failures; --ws-max-in-flight is the bound per user",
            ),
        ),
    ],
)
def test_what_was_counted_is_said(counters: dict[str, int], expected: RunWarning) -> None:
    failures = {("message", "not connected"): 3} if "unsent" in counters else {}
    interval = second({"message": 100}, counters=counters, failures=failures)
    assert warned(interval, expected.name) == expected


def test_the_most_frequent_kinds_of_failures_come_first() -> None:
    failures = {("open", kind): count for kind, count in {"c": 1, "b": 5, "a": 5, "z": 9}.items()}
    said = judged(second(opened=0, failures=failures)).verdict
    assert said == "Failed at start: nobody could connect; 20 attempts failed (z, a and b)"
    failures = {("b", "y"): 5, ("a", "x"): 5, ("d", "x"): 9, ("c", "x"): 1}
    said = judged(second(counters={"requests": 1}, failures=failures)).verdict
    assert said.endswith("not one request was answered; d: x (9), a: x (5) and b: y (5)")
