"""What is asserted of a soak: that it would be noticed if something grew, or if an account did not add up."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.soak.judging import Sample, accounts, growth

SUMMARY: dict[str, Any] = {
    "duration_s": 10.0,
    "counters": {"requests": 1000, "lost": 3, "opens": 52, "reconnects": 2},
    "metrics": {"ask": {"count": 997}},
    "failures": {"open: bad status 503": 4},
}
SERVER = {"received": 999, "answered": 997, "dropped": 2, "opened": 52, "refused": 4, "closed": 1}


def samples(**late: float) -> list[Sample]:
    """An hour of a process that settles in five minutes; then ``late`` is what it gains an hour."""
    return [
        Sample(
            at_s=at,
            memory=round(1e8 * min(1, 0.5 + at / 600) * (1 + late.get("memory", 0) * at / 3600)),
            descriptors=round(500 + late.get("descriptors", 0) * at / 3600),
            threads=round(7 + late.get("threads", 0) * at / 3600),
        )
        for at in range(0, 3600, 5)
    ]


def test_what_only_settles_does_not_grow() -> None:
    assert all(found.holds for found in growth(samples(), 300))


@pytest.mark.parametrize(("what", "gain"), [("memory", 0.02), ("descriptors", 5), ("threads", 1)])
def test_what_grows_is_named(what: str, gain: float) -> None:
    assert [found.what for found in growth(samples(**{what: gain}), 300) if not found.holds] == [what]


def test_too_short_a_time_says_nothing() -> None:
    (found,) = growth(samples()[:3], 0)
    assert not found.holds


def test_accounts_that_agree() -> None:
    assert all(found.holds for found in accounts(SUMMARY, SERVER, rate=100))


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"answered": 998}, "answers"),
        ({"dropped": 1}, "lost"),
        ({"received": 990}, "lost"),
        ({"received": 1001, "dropped": 4}, "lost"),
        ({"opened": 53}, "openings"),
        ({"refused": 5}, "openings"),
    ],
)
def test_accounts_that_do_not(changes: dict[str, int], wrong: str) -> None:
    assert [
        found.what for found in accounts(SUMMARY, {**SERVER, **changes}, rate=100) if not found.holds
    ] == [wrong]


def test_a_rate_that_was_not_kept_is_no_soak() -> None:
    assert [found.what for found in accounts(SUMMARY, SERVER, rate=200) if not found.holds] == ["rate"]
