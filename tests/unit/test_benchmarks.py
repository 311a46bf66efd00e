"""The pure parts of benchmarks/: figures, goals, and the judgement of instruction counts."""

from __future__ import annotations

import statistics
from pathlib import Path
from xml.etree import ElementTree

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.locust_run import ROOT

from benchmarks import duet, hot_path, report_hour, results_hour, tsung
from benchmarks.figures import YARDSTICK, Figure, Goal, Place, Sample, figures, outcomes
from benchmarks.processes import Process, until
from benchmarks.tables import number, to_json
from benchmarks.tally import MESSAGES, OPEN, Tally
from wsload.results.reader import open_run

values = st.floats(0.01, 1e6)


def place(subject: str, case: str = "round trip") -> Place:
    return Place(case=case, setting="50 connections", subject=subject, measure="CPU", unit="µs")


def samples(subject: str, measured: dict[int, float]) -> list[Sample]:
    return [Sample(place=place(subject), round=number, value=value) for number, value in measured.items()]


def goal(limit: float, *, reach: float | None = None, to: Place | None = None, least: bool = False) -> Goal:
    return Goal(text="goal", place=place("wsload"), to=to, limit=limit, reach=reach, least=least)


def only(found: list[Figure], subject: str) -> Figure:
    (figure,) = [each for each in found if each.place.subject == subject]
    return figure


@given(st.lists(st.tuples(values, values), min_size=1, max_size=7))
def test_ratios_are_taken_within_a_round(rounds: list[tuple[float, float]]) -> None:
    ours = samples("wsload", {place: pair[0] for place, pair in enumerate(rounds)})
    theirs = samples(YARDSTICK, {place: pair[1] for place, pair in enumerate(rounds)})
    figure = only(figures([*ours, *theirs]), "wsload")
    assert figure.ratio == statistics.median(a / b for a, b in rounds)
    assert figure.median == statistics.median(a for a, _ in rounds)


def test_a_round_without_the_yardstick_has_no_ratio() -> None:
    found = figures([*samples("wsload", {0: 10.0, 1: 30.0}), *samples(YARDSTICK, {1: 20.0})])
    assert only(found, "wsload").ratios == (1.5,)
    assert only(found, "wsload").values == (10.0, 30.0)


def test_without_a_yardstick_there_is_none() -> None:
    assert only(figures(samples("wsload", {0: 1.0})), "wsload").ratio is None


def test_the_yardstick_of_another_case_is_not_ones_own() -> None:
    other = Sample(place=place(YARDSTICK, case="opening"), round=0, value=1.0)
    assert only(figures([*samples("wsload", {0: 5.0}), other]), "wsload").ratio is None


@given(values, st.floats(1.1, 100))
def test_drift_of_the_machine_leaves_ratios_alone(value: float, drift: float) -> None:
    ours = {number: value * drift**number for number in range(3)}
    theirs = {number: 2 * value * drift**number for number in range(3)}
    found = figures([*samples("wsload", ours), *samples(YARDSTICK, theirs)])
    assert only(found, "wsload").ratios == pytest.approx((0.5, 0.5, 0.5))


def test_the_spread_is_half_the_range_of_the_median() -> None:
    assert only(figures(samples("wsload", {0: 9.0, 1: 10.0, 2: 12.0})), "wsload").spread == 0.15
    assert only(figures(samples("wsload", {0: 0.0})), "wsload").spread == 0.0


@pytest.mark.parametrize(
    ("least", "value", "met", "reached"),
    [(False, 0.8, True, True), (False, 0.9, True, False), (False, 1.1, False, False),
     (True, 1.1, True, True), (True, 0.9, False, True), (True, 0.8, False, False)],
)  # fmt: skip
def test_goals_have_a_side(least: bool, value: float, met: bool, reached: bool) -> None:
    (outcome,) = outcomes([goal(1.0, reach=0.85, least=least)], samples("wsload", {0: value}))
    assert (outcome.met, outcome.reached) == (met, reached)


def test_a_goal_that_is_a_ratio_is_taken_round_by_round() -> None:
    measured = [*samples("wsload", {0: 4.0, 1: 40.0}), *samples("bare picows", {0: 8.0, 1: 80.0})]
    (outcome,) = outcomes([goal(0.45, to=place("bare picows"))], measured)
    assert outcome.value == 0.5 and outcome.met is False and outcome.reached is None


def test_a_goal_of_a_case_that_did_not_run_is_left_out_and_one_not_measured_says_so() -> None:
    assert outcomes([goal(1.0)], [Sample(place=place("wsload", "opening"), round=0, value=1.0)]) == []
    (outcome,) = outcomes([goal(1.0)], samples("another", {0: 1.0}))
    assert outcome.value is None and outcome.met is None


def test_json_holds_what_was_measured() -> None:
    measured = [*samples("wsload", {0: 6.0}), *samples(YARDSTICK, {0: 12.0})]
    stored = to_json(
        figures(measured), outcomes([goal(7.0)], measured), {"Artillery": "no npm"}, {"cores": 2}
    )
    assert stored["figures"][0] == {
        "case": "round trip",
        "setting": "50 connections",
        "subject": "wsload",
        "measure": "CPU",
        "unit": "µs",
        "median": 6.0,
        "values": [6.0],
        "ratio": 0.5,
        "ratios": [0.5],
    }
    assert stored["goals"][0]["met"] is True
    assert stored["skipped"] == {"Artillery": "no npm"} and stored["machine"] == {"cores": 2}


@pytest.mark.parametrize(
    ("value", "shown"), [(0.618, "0.62"), (11.26, "11.3"), (2871.4, "2,871"), (-0.5, "-0.50")]
)
def test_numbers_have_about_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_a_tally_is_read_by_another(tmp_path: Path) -> None:
    writer, reader = Tally(tmp_path / "tally"), Tally(tmp_path / "tally")
    writer.counts[MESSAGES] += 2**40
    assert (reader.counts[MESSAGES], reader.counts[OPEN]) == (2**40, 0)
    writer.close()
    reader.close()


def test_a_process_ends_with_its_helpers_in_sessions_of_their_own(tmp_path: Path) -> None:
    with Process("sh", "-c", "setsid sleep 600 & wait", directory=tmp_path, name="sh") as process:
        started = psutil.Process(process.pid)
        until(lambda: [child for child in started.children() if child.name() == "sleep"], "sleep", process)
        (helper,) = started.children()
    until(lambda: not helper.is_running() or helper.status() == psutil.STATUS_ZOMBIE, "its end")


# tsung


@given(st.integers(1, 5_000), st.integers(1, 10_000), st.none() | st.floats(0.001, 10))
def test_a_load_for_tsung(users: int, size: int, pause_s: float | None) -> None:
    url = "ws://127.0.0.1:8765/chat"
    text = tsung.load(Path("a.dtd"), url=url, users=users, size=size, pause_s=pause_s, seconds=8)
    found = ElementTree.fromstring(text)
    (server,), (arriving,), (client,) = (
        found.findall(f".//{name}") for name in ("server", "users", "client")
    )
    assert (server.get("host"), server.get("port")) == ("127.0.0.1", "8765")
    assert arriving.get("maxnumber") == str(users) and int(client.get("maxusers", 0)) > users
    connect, message = found.findall(".//websocket")
    assert connect.get("path") == "/chat" and len(message.text or "") == size
    pauses = [float(pause.get("value", 0)) for pause in found.findall(".//thinktime")]
    assert pauses == ([] if pause_s is None else [pytest.approx(pause_s, rel=1e-5)])
    assert found.get("backend") == ("text" if pause_s is None else "fullstats")


def test_tsungs_response_times_are_in_lists_over_several_lines() -> None:
    log = (
        "[{sum,size_rcv,990},{count,request}]\n{sample,connect,[7.0]}\n"
        "{sample,request,\n        [2.5,0.09,\n         1.0e-3]}\n{sample,page,[8.0]}\n{sample,request,[1.5]}\n"
    )
    assert tsung.response_times_ms(log) == [0.001, 0.09, 1.5, 2.5]
    assert tsung.response_times_ms("{sample,request,[]}\n") == []


# The hot path

STORED = {
    "yardstick": 1_000.0,
    "round_trip": 50_000.0,
    "matched": 60_000.0,
    "post": 80_000.0,
    "delivery": 12_000.0,
    "opening": 900_000.0,
}


def test_a_dump_has_a_total() -> None:
    assert hot_path.instructions("version: 1\nsummary: 5\ntotals: 123456\n") == 123_456
    with pytest.raises(ValueError, match="without totals"):
        hot_path.instructions("version: 1\n")


@pytest.mark.parametrize(("factor", "slower"), [(0.5, 0), (1.0, 0), (1.049, 0), (1.051, 1)])
def test_five_percent_more_is_too_much(factor: float, slower: int) -> None:
    counts = {**STORED, "delivery": STORED["delivery"] * factor}
    lines = hot_path.excesses(counts, STORED)
    assert len(lines) == slower
    assert all(line.startswith("delivery takes") for line in lines)


@given(st.floats(0.5, 3))
def test_an_interpreter_that_takes_more_for_everything_is_allowed_more(factor: float) -> None:
    counts = {name: count * factor for name, count in STORED.items()}
    assert hot_path.excesses(counts, STORED) == []
    assert len(hot_path.excesses({**counts, "yardstick": STORED["yardstick"] * factor / 1.2}, STORED)) == 5


def test_the_report_shows_the_change() -> None:
    text = hot_path.report({**STORED, "post": 88_000.0}, STORED)
    assert "+10.0%" in text and text.count("+0.0%") == 4
    assert "%" not in hot_path.report(STORED, None)


def test_what_is_stored_is_complete() -> None:
    stored = hot_path.load_stored()
    assert stored
    for counts in stored.values():
        assert set(counts) == set(hot_path.SECTIONS)


def test_the_benchmarks_of_an_hour_write_runs_that_can_be_read(tmp_path: Path) -> None:
    steps = {what for what, _, _ in results_hour.measured(tmp_path, seconds=3, workers=2)}
    assert {"merge", "write", "read", "summarize"} <= steps
    assert open_run(report_hour.write_run(tmp_path, seconds=3)).problems == ()


def test_the_page_on_experiments_has_the_table_of_those_that_were_kept() -> None:
    text = (ROOT / "docs" / "inside" / "duet.md").read_text("utf-8")
    assert duet.as_text(duet.counted(duet.read(duet.KEPT))) in text


def test_experiments_are_counted_by_how_they_ended(tmp_path: Path) -> None:
    def made(code: int, verdict: str, p50: str, way: str = "side-by-side") -> dict[str, object]:
        statistic = {"low": 1.01, "high": 1.03, "verdict": p50, "bias": 1.02}
        statistics = {"message.p50": statistic}
        return {
            "row": "p50",
            "way": way,
            "beside": 3 if way == "one-at-a-time" else 0,
            "code": code,
            "verdict": verdict,
            "took_s": 200,
            "statistics": statistics,
        }

    found = [made(0, "faster", "faster"), made(1, "slower", "slower"), made(1, "slower", "not slower")]
    found += [
        made(4, "inconclusive", "inconclusive"),
        made(0, "not slower", "not slower", way="one-at-a-time"),
    ]
    lines = duet.as_text(duet.counted(found)).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells[0][:9] == ["p50", "side-by-side", "–", "4", "0", "2", "1", "1", "p50 in 1, p99 in 0"]
    assert cells[1][:8] == ["p50", "one-at-a-time", "3 more", "1", "1", "0", "0", "0"]
    assert [duet.company({"beside": 2, **tests}) for tests in ({}, {"tests": True})] == [
        "2 more",
        "2 to 4 more, tests",
    ]
    assert duet.biases(found) == [pytest.approx(0.02)] * 5
