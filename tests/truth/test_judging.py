"""The judge of the truth matrix can say no: each way in which figures may be wrong is found."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.truth.expectations import Entry, Expected, exactly, expected, mispaired
from support.truth.judging import Cell, Difference, differences, tolerance_ns

from wsload.measure.histogram import Histogram
from wsload.measure.interval import Totals
from wsload.results.trust import Standing, Trust

MS = 1_000_000
NAME = "request closed"
ANSWERED, REFUSED, DROPPED = 100, 10, 5


def attempts() -> list[Entry]:
    return [
        {
            "cell": NAME,
            "name": NAME,
            "kind": "keyed",
            "id": number,
            "sent": number * 50 * MS,
            "due": number * 50 * MS - MS,
            "outcome": "answered",
            "value": number,
        }
        for number in range(1, ANSWERED + REFUSED + DROPPED + 1)
    ]


def account() -> dict[int, Entry]:
    """Answers after 1 to 100 ms; then refusals at once; then what is never answered."""
    entries = {}
    for attempt in attempts():
        number = attempt["id"]
        refused = ANSWERED < number <= ANSWERED + REFUSED
        took = MS // 10 if refused else number * MS
        entries[number] = {
            "answered": attempt["sent"] + took if number <= ANSWERED + REFUSED else 0,
            "status": "refused" if refused else "ok",
            "copies": 1,
            "value": number,
        }
    return entries


def true_totals() -> Totals:
    """What a load generator without fault would have recorded of it."""
    totals = Totals()
    totals.histograms = {
        NAME: Histogram.of((number + 1) * MS for number in range(1, ANSWERED + 1)),
        f"{NAME}.service": Histogram.of(number * MS for number in range(1, ANSWERED + 1)),
        f"{NAME}.failed": Histogram.of([MS + MS // 10] * REFUSED),
        f"{NAME}.lost": Histogram.of([1000 * MS] * DROPPED),
    }
    return totals


def found(totals: Totals) -> list[str]:
    return [text for each in expected(attempts(), account(), pushes=0) for text in differences(each, totals)]


def test_true_figures_are_right() -> None:
    assert found(true_totals()) == []


def of(name: str, values: list[int]) -> Callable[[Totals], None]:
    def change(totals: Totals) -> None:
        totals.histograms[name] = Histogram.of(values)

    return change


def without(name: str) -> Callable[[Totals], None]:
    return lambda totals: totals.histograms.pop(name) and None


def counted(name: str) -> Callable[[Totals], None]:
    return lambda totals: totals.counters.update({name: 1})


WRONG: dict[str, Callable[[Totals], None]] = {
    "one value too many": of(NAME, [(number + 1) * MS for number in range(ANSWERED + 1)]),
    "no values": without(NAME),
    "all later by more than the tolerance": of(
        NAME, [number * MS + 2 * tolerance_ns(number * MS) for number in range(1, ANSWERED + 1)]
    ),
    "a tenth of them twice as long": of(
        NAME, [(number + 1) * MS * (2 if number > 90 else 1) for number in range(1, ANSWERED + 1)]
    ),
    "response times for service times": of(f"{NAME}.service", [50 * MS] * ANSWERED),
    "refusals among the answers": of(f"{NAME}.failed", [MS] * (REFUSED - 1)),
    "refusals that look slow": of(f"{NAME}.failed", [20 * MS] * REFUSED),
    "one of the lost forgotten": of(f"{NAME}.lost", [1000 * MS] * (DROPPED - 1)),
    "late answers that never were": counted(f"{NAME}.late"),
    "duplicates that never were": counted(f"{NAME}.duplicates"),
    "pushes that never were": counted(f"{NAME} pushes"),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_figures_that_are_not_are_found(wrong: Callable[[Totals], None]) -> None:
    totals = true_totals()
    wrong(totals)
    assert found(totals)


@pytest.mark.parametrize(("places", "late_ms", "wrong"), [(1, 12, 0), (1, 14, 1), (2, 12, 1)])
def test_a_time_slice_may_lie_in_the_highest_value_and_in_no_other(
    places: int, late_ms: int, wrong: int
) -> None:
    """Of 20 values p99 and p95 are the two highest."""
    times = [number * MS for number in range(1, 21)]
    totals = Totals()
    totals.histograms = {
        NAME: Histogram.of([*times[:-places], *((20 + late_ms) * MS for _ in range(places))])
    }
    account_of_it = Expected(NAME, exactly(times))
    assert len(list(differences(account_of_it, totals))) == wrong


def test_lost_and_not_sent_are_told_apart_by_their_names() -> None:
    totals = true_totals()
    of(f"{NAME}.lost", [1000 * MS] * (DROPPED - 2))(totals)
    totals.failures[NAME, "not connected"] = 2
    assert found(totals) == []


def test_another_requests_answer_is_found_though_the_percentiles_agree() -> None:
    assert mispaired(attempts(), account()) == 0
    swapped = attempts()
    swapped[0]["value"], swapped[1]["value"] = swapped[1]["value"], swapped[0]["value"]
    assert mispaired(swapped, account()) == 2
    of_a_push = attempts()
    of_a_push[0]["value"] = None
    assert mispaired(of_a_push, account()) == 1


def trust(**up_to: float) -> Trust:
    return Trust(standing=Standing.PARTLY, verdict="", up_to={NAME: up_to["up_to"]} if up_to else {})


@pytest.mark.parametrize(
    ("percentile", "given", "excused"),
    [
        (99.0, trust(), False),
        (99.0, trust(up_to=99.0), False),
        (99.0, trust(up_to=95.0), True),
        (0.0, trust(up_to=95.0), False),
        (0.0, trust(up_to=0.0), True),
        (None, trust(), False),
        (None, trust(up_to=50.0), False),
        (None, trust(up_to=0.0), True),
    ],
)
def test_only_what_the_run_does_not_vouch_for_is_excused(
    percentile: float | None, given: Trust, excused: bool
) -> None:
    assert Difference(metric=NAME, text="", percentile=percentile).excused(given) == excused


@pytest.mark.parametrize(
    ("requests", "wrong", "marked", "verdict"),
    [
        (9, (), (), "right"),
        (9, (), ("p50",), "marked"),
        (9, ("p99",), ("p50",), "WRONG"),
        (9, ("p99",), (), "WRONG"),
        (0, (), (), "WRONG"),
    ],
)
def test_the_verdict(requests: int, wrong: tuple[str], marked: tuple[str], verdict: str) -> None:
    cell = Cell(
        behaviour="plain", kind="request", workload="closed", requests=requests, wrong=wrong, marked=marked
    )
    assert cell.verdict == verdict


def test_a_failed_step_is_counted() -> None:
    step = Expected("check out", exactly([5 * MS]), failed_untimed=1)
    totals = Totals()
    totals.histograms = {"check out": Histogram.of([5 * MS]), "check out.failed": Histogram.of([9 * MS])}
    assert list(differences(step, totals)) == []
    totals.histograms.pop("check out.failed")
    assert list(differences(step, totals))


def test_a_sending_that_took_long_may_be_measured_from_anywhere_within_it_and_no_further() -> None:
    attempt = {"cell": NAME, "kind": "request", "name": NAME, "id": 1, "outcome": "answered"}
    stamps = {"sent": 100 * MS, "due": 100 * MS, "asked": 140 * MS}
    served = {1: {"answered": 150 * MS, "status": "ok", "copies": 1}}
    (found,) = expected([attempt | stamps], served, pushes=0)
    assert (found.response, found.service) == ([(10 * MS, 50 * MS)], [(10 * MS, 50 * MS)])
    for read, right in ((5, False), (10, True), (30, True), (50, True), (60, False)):
        totals = Totals()
        totals.histograms = {name: Histogram.of([read * MS]) for name in (NAME, f"{NAME}.service")}
        assert (list(differences(found, totals)) == []) == right
    (in_time,) = expected([attempt | stamps | {"due": 90 * MS}], served, pushes=0)
    assert in_time.response == [(60 * MS, 60 * MS)]
