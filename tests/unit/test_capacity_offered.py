"""Whether a step's load was made in full, and answered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.made_runs import MS, TRUSTED, make_run

from wsload.judge.capacity.offered import Made, Shortfall, Wanted, per_offer, shortfall
from wsload.judge.capacity.search import Outcome
from wsload.judge.capacity.step import judged
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval, Totals
from wsload.measure.names import NO_PORT, TIMEOUT, TOO_MANY, WAITED, Kind
from wsload.results.reader import open_run
from wsload.results.trust import Standing

WANTED = Wanted(users=50, per_second=100)


def stretch(
    *,
    begun: int = 1_000,
    sent: int | None = None,
    answered: int = 1_000,
    connections: int = 50,
    failures: dict[tuple[str, str], int] | None = None,
    **counters: int,
) -> Totals:
    """Ten seconds of a run, by default with all of the load of `WANTED`."""
    counts = {"requests": begun if sent is None else sent, **counters}
    histograms = {
        "message": Histogram.of([MS] * answered),
        "send_lag": Histogram.of([1_000] * begun),
    }
    return Totals.of(
        [
            Interval(
                start_s=1.0,
                length_s=10.0,
                histograms={name: each for name, each in histograms.items() if each.total},
                counters={name: count for name, count in counts.items() if count},
                gauges={"users": 50, "connections": connections},
                failures=failures or {},
                names={"message": Kind.REQUEST},
            )
        ]
    )


def made(steady: Totals, whole: Totals | None = None) -> Made:
    return Made(whole=whole or steady, window=steady, steady=steady)


def said(kind: str, wanted: Wanted, found: Made) -> str:
    short = shortfall(kind, wanted, found)
    assert short is None or short.by_server
    return "" if short is None else short.reason


@pytest.mark.parametrize("kind", ["open", "closed", "mixed"])
def test_a_load_that_was_made_and_answered_lacks_nothing(kind: str) -> None:
    assert shortfall(kind, WANTED, made(stretch(opens=50))) is None
    assert shortfall(kind, replace(WANTED, per_offer=1.0), made(stretch())) is None


# Users that were not let in


@pytest.mark.parametrize("kind", ["open", "closed"])
def test_a_server_that_refuses_users_does_not_hold_them(kind: str) -> None:
    """What is in the window looks sound: the rate is spread over the ready users, who get all their answers."""
    steady = stretch(begun=200, answered=200, connections=10)
    whole = stretch(begun=200, answered=200, connections=10, opens=10, open_failures=190)
    expected = "only 10 of 50 users connected: 190 of 200 attempts failed"
    assert said(kind, WANTED, made(steady, whole)) == expected


def test_users_that_do_not_get_past_the_login_are_not_held_either() -> None:
    steady = stretch()
    whole = stretch(opens=50, logins=10, login_failures=120)
    expected = "only 10 of 50 users logged in: 120 of 130 attempts failed"
    assert said("closed", WANTED, made(steady, whole)) == expected


def test_users_that_got_in_at_last_are_held() -> None:
    """A server that limits the rate of openings refused many at first."""
    assert said("closed", WANTED, made(stretch(connections=50), stretch(opens=50, open_failures=400))) == ""


def test_users_that_need_no_connection_are_not_missed() -> None:
    """They open one now and then, in their tasks; a few of these fail."""
    steady = stretch(connections=3, opens=500, open_failures=10)
    assert said("closed", WANTED, made(steady)) == ""


def test_a_machine_without_ports_is_not_the_servers_fault() -> None:
    whole = stretch(connections=10, opens=10, open_failures=190, failures={("open", NO_PORT): 190})
    short = shortfall("open", WANTED, made(stretch(connections=10), whole))
    assert short is not None and not short.by_server and "--ws-source-ip" in short.remedy
    assert short.reason == "only 10 of 50 users connected: no free port"


# Tasks that did not come due


def test_a_rate_that_was_not_offered_is_not_held() -> None:
    steady = stretch(begun=200, answered=200)
    short = shortfall("open", WANTED, made(steady))
    assert short == Shortfall(
        reason="only 20.0/s of 100/s were offered: not all users were ready",
        remedy="use a longer --ramp or --warm-up",
        by_server=False,
    )
    refused = made(steady, stretch(opens=50, logins=50, login_failures=500))
    assert said("open", WANTED, refused).endswith("were offered: 500 of 550 attempts failed")


@pytest.mark.parametrize(("poisson", "begun", "short"), [(False, 890, True), (True, 890, False)])
def test_as_many_random_tasks_may_be_missing_as_chance_explains(
    poisson: bool, begun: int, short: bool
) -> None:
    found = made(stretch(begun=begun, answered=begun))
    assert (shortfall("open", replace(WANTED, poisson=poisson), found) is not None) is short


def test_tasks_that_were_due_but_could_not_begin_were_offered() -> None:
    """It is the server that held them up, so they count as not answered."""
    for kind, unsent in ((TOO_MANY, 500), (WAITED, 0)):
        steady = stretch(begun=500, answered=500, unsent=unsent, failures={("message", kind): 500})
        assert said("open", WANTED, made(steady)) == "answered 50.0/s, 50 % of the load"


# Requests that were not answered


def test_a_part_that_is_not_answered_shows_in_the_first_step_too() -> None:
    assert said("open", WANTED, made(stretch(answered=800))) == "answered 80.0/s, 80 % of the load"
    assert said("open", WANTED, made(stretch(answered=880))) == ""  # as many may be in flight by chance
    assert said("open", WANTED, made(stretch(answered=800, refused=200))) == ""  # a refusal is an answer
    assert said("closed", WANTED, made(stretch(answered=800))) == ""  # its response times show it


@pytest.mark.parametrize("kind", ["open", "closed"])
def test_what_could_not_be_sent_was_not_answered(kind: str) -> None:
    steady = stretch(sent=700, answered=700, unsent=300)
    assert said(kind, WANTED, made(steady)) == "answered 70.0/s, 70 % of the load"


@pytest.mark.parametrize("per_task", [0, 1, 3])
def test_it_does_not_matter_how_many_requests_a_task_makes(per_task: int) -> None:
    assert said("open", WANTED, made(stretch(sent=1_000 * per_task, answered=1_000 * per_task))) == ""


def test_tasks_that_wait_make_fewer_requests_than_in_the_steps_that_held() -> None:
    """Three in turn: the second and third were not even sent."""
    steady = stretch(sent=2_400, answered=2_250)
    assert said("open", WANTED, made(steady)) == ""
    usual = replace(WANTED, per_offer=3.0)
    assert said("open", usual, made(steady)) == "answered 225/s, 75 % of the load"
    assert said("closed", usual, made(steady)) == ""


def test_of_the_steps_that_held_the_one_that_proves_the_most_is_taken() -> None:
    """Or each step could be a tenth worse than the one before."""
    assert per_offer([]) == 0
    assert per_offer([(100, 100, 1)]) == pytest.approx(0.7)
    held = [(100.0 * 0.9**worse, 100.0, 100.0) for worse in range(5)]
    assert per_offer(held) == per_offer(held[:1]) == pytest.approx(0.97)
    assert per_offer([(0, 100, 10)]) == 0  # tasks that make no request
    assert per_offer([(10, 20, 1), (250, 1_000, 10)]) == pytest.approx(0.235, abs=0.001)


def test_where_the_rate_is_up_to_the_users_their_answers_are_compared() -> None:
    own = Wanted(users=50, per_offer=2.0)
    assert said("open", own, made(stretch())) == ""
    assert said("open", replace(own, users=60), made(stretch(connections=60))) != ""


def test_without_a_full_second_only_the_window_is_judged() -> None:
    found = replace(made(stretch(begun=200, sent=1_000)), steady=None)
    assert said("open", WANTED, found) == ""
    assert found.answered == 100


# What a step makes of it


def test_a_shortfall_fails_a_step_only_if_the_load_generator_was_in_time(tmp_path: Path) -> None:
    run = open_run(make_run(tmp_path, []))
    late = replace(TRUSTED, standing=Standing.PARTLY, up_to={"message": 90.0}, remedy="use --processes 4")
    part = made(stretch(answered=800))
    asked: Any = {"leading": "message", "checks": (), "wanted": WANTED}
    info = replace(run.info, workload={"kind": "open"})
    reason = "answered 80.0/s, 80 % of the load"
    assert judged(info, (), part, **asked) == (Outcome.FAILS, reason, "")
    untrusted = (Outcome.UNTRUSTED, reason, "use --processes 4")
    assert judged(replace(info, trust=late), (), part, **asked) == untrusted
    kept = made(stretch(begun=200, answered=200))
    assert judged(info, (), kept, **asked)[0] is Outcome.UNTRUSTED


def test_refused_users_fail_a_step_even_if_the_load_generator_was_late(tmp_path: Path) -> None:
    """Its lateness may make openings time out, but refuses none."""
    late = replace(TRUSTED, standing=Standing.PARTLY, up_to={"message": 90.0})
    info = replace(open_run(make_run(tmp_path, [])).info, trust=late)
    asked: Any = {"leading": "message", "checks": (), "wanted": WANTED}
    for kind, outcome in (("bad status 503", Outcome.FAILS), (TIMEOUT, Outcome.UNTRUSTED)):
        failures = {("open", kind): 190}
        found = made(stretch(connections=10, opens=10, open_failures=190, failures=failures))
        assert judged(info, (), found, **asked)[0] is outcome
