"""Which statistics are judged, and of what lost and failed attempts are a share."""

from __future__ import annotations

import pytest
from support.made_figures import made, outcomes

from wsload.judge.compare.outcomes import Outcomes
from wsload.judge.compare.pairs import RunFigures, Side
from wsload.judge.compare.selection import Quantile, counted, quantiles, shares


def run(found: dict[str, Outcomes], *requests: str) -> RunFigures:
    return RunFigures(
        name="a", side=Side.BASELINE, started_s=0.0, outcomes=found, requests=frozenset(requests)
    )


def test_requests_and_steps_come_first_then_opening_and_logging_in() -> None:
    plain = outcomes(1)
    runs = [
        run({"open": plain, "ping": plain, "buy": plain, "tick": plain}, "buy"),
        run({"login": plain, "check out": plain}, "check out"),
    ]
    assert [each.name for each in quantiles(runs, ())[0]] == [
        f"{name}.p{percentile}" for name in ("buy", "check out", "open", "login") for percentile in (50, 99)
    ]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (["message"], ["message.p50", "message.p99"]),
        (["message.p95"], ["message.p95"]),
        (["message.p99.9", "message"], ["message.p99.9", "message.p50", "message.p99"]),
        (["odd.p7"], ["odd.p7.p50", "odd.p7.p99"]),
        (["odd.p7.p90"], ["odd.p7.p90"]),
        (["message.lost"], []),
    ],
)
def test_names_are_whatever_the_runs_have(asked: list[str], names: list[str]) -> None:
    runs = [run({"message": outcomes(1), "odd": outcomes(1), "odd.p7": outcomes(1)})]
    found, unknown = quantiles(runs, asked)
    assert [each.name for each in found] == names
    assert unknown == []


@pytest.mark.parametrize("name", ["mesage.p99", "message.p0", "message.p100", "message.max", "p99", ""])
def test_what_no_run_has_is_named(name: str) -> None:
    found, unknown = quantiles([run({"message": outcomes(1)})], [name])
    assert found == []
    assert [(each.name, each.blocks) for each in unknown] == [(name, True)]


@pytest.mark.parametrize(("percentile", "fewest"), [(50, 20), (90, 100), (99, 1_000), (99.9, 10_000)])
def test_ten_attempts_have_to_lie_beyond(percentile: float, fewest: int) -> None:
    quantile = Quantile("message", percentile)
    assert quantile.fewest == fewest
    for answered in (fewest - 1, fewest):
        assert (outcomes(1, answered=answered).beyond(percentile) >= 10) == (answered >= fewest)


def test_shares_are_of_the_attempts_of_their_name() -> None:
    runs = made("AB", lost=lambda letter, at: 500 * at, failed=lambda letter, at: 7)
    assert shares(runs) == ["message.failed", "message.lost"]
    assert counted(runs[1], "message.lost", runs) == (500, 2_507)
    assert counted(runs[0], "message.lost", runs) == (0, 2_007)


def test_what_only_fails_is_a_share_of_everything() -> None:
    """An error in a task has no answers beside it: 5 and 5,000 of them are not both 100 %."""
    few, many = (
        run({"message": outcomes(1, answered=10_000), "shop": Outcomes.of(None, failed=failed)}, "message")
        for failed in (5, 5_000)
    )
    assert counted(few, "shop.failed", [few, many]) == (5, 10_000)
    assert counted(many, "shop.failed", [few, many]) == (5_000, 10_000)


def test_a_request_that_one_build_only_loses_is_a_share_of_its_own() -> None:
    good, bad = run({"buy": outcomes(1)}, "buy"), run({"buy": Outcomes.of(None, lost=30)}, "buy")
    assert counted(bad, "buy.lost", [good, bad]) == (30, 30)
    assert counted(good, "buy.lost", [good, bad]) == (0, 2_000)
