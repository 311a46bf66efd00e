"""The report of a capacity search in a real browser: every chart is drawn, nothing is fetched, nothing is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.devtools import CHROMIUM, Page, browser
from support.made_runs import STARTED_AT, make_run, second

from wsload.judge.capacity.comparison import contrast
from wsload.judge.capacity.search import Outcome, SearchPlan, look
from wsload.judge.capacity.step import StepFigures
from wsload.measure.names import Kind
from wsload.report.capacity.capacity import CapacityReport, SearchedSide
from wsload.report.capacity.html import PAGE, write_page

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.xdist_group("browser"),
]
PLAN = SearchPlan(low=100, high=10_000)
MS = 1_000_000


def side(place: Path, letter: str, capacity: float) -> SearchedSide:
    """A search of a server that holds so much, with one step that was not trusted."""
    steps: list[StepFigures] = []
    while (rate := look(PLAN, [each.step for each in steps]).next_rate) is not None:
        number = len(steps) + 1
        holds = rate <= capacity
        took = [5 + rate / capacity * 20] if holds else [80, 400]
        starts = 60 * number
        path = make_run(
            place,
            [second(starts + at, took * 300, names={"message": Kind.REQUEST}) for at in range(2)],
            build=letter,
            started_at=STARTED_AT + starts,
        )
        outcome = Outcome.UNTRUSTED if number == 3 else Outcome.HOLDS if holds else Outcome.FAILS
        steps.append(
            StepFigures(
                rate=rate,
                number=number,
                outcome=outcome,
                reason="" if holds else "message.p99 400 ms",
                achieved=min(rate, capacity),
                p50_ns=round(min(took) * MS),
                p99_ns=round(max(took) * MS),
                p99_9_ns=round(max(took) * MS) + MS,
                cpu_share=0.5,
                memory_bytes=50_000_000,
                run=path.name,
            )
        )
    found = look(PLAN, [each.step for each in steps])
    return SearchedSide(letter=letter, name=f"v{letter}", how="server", look=found, steps=tuple(steps))


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as page:
        yield page


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One build, two of them, and a search that has not begun."""
    found = []
    for sides in ([("A", 2_000.0)], [("A", 2_000.0), ("B", 1_500.0)], []):
        place = tmp_path_factory.mktemp("search")
        made = tuple(side(place, *each) for each in sides) or (
            SearchedSide(letter="A", name="A", how="server", look=look(PLAN, []), steps=()),
        )
        both = [[step.step for step in each.steps] for each in made]
        report = CapacityReport(
            path=place,
            started_s=STARTED_AT,
            plan=PLAN,
            checks=("message.p99 < 50ms", "lost < 1"),
            load="50 users",
            sides=made,
            contrast=contrast(PLAN, *both) if len(made) > 1 else None,
        )
        found.append(write_page(report))
    return found


@pytest.mark.parametrize("width", [390, 1280])
def test_every_chart_is_drawn_and_nothing_complains(tab: Page, pages: list[Path], width: int) -> None:
    for path, charts in zip(pages, (["latency", "answered", "curves"],) * 2 + ([],), strict=True):
        assert path.name == PAGE
        tab.open(path.as_uri(), width=width, dark=width == 390)
        assert tab.complaints() == []
        assert tab.requests() == [path.as_uri()]
        assert tab.value("document.documentElement.scrollWidth") == width
        drawn = (
            "[...document.querySelectorAll('figure')].filter(f => f.querySelector('canvas')).map(f => f.id)"
        )
        assert tab.value(drawn) == charts


def test_the_page_says_what_holds_and_each_chart_what_it_shows(tab: Page, pages: list[Path]) -> None:
    tab.open(pages[0].as_uri(), width=1280)
    assert tab.value("document.querySelector('.banner').textContent").startswith("Holds ")
    assert "fails at " in tab.value("document.querySelector('.banner').textContent")
    said = tab.value("document.querySelector('#latency .said').textContent")
    assert "p99 where it fails: 400" in said and "highest at " in said
    assert "p99, not trusted: " in said
    assert tab.value("[...document.querySelectorAll('.figures dt')].map(each => each.textContent)") == [
        "holds",
        "at least",
        "at most",
    ]


def test_of_two_builds_the_other_is_drawn_when_it_is_chosen(tab: Page, pages: list[Path]) -> None:
    tab.open(pages[1].as_uri(), width=1280)
    assert "less than A (vA)" in tab.value("document.querySelector('.banner').textContent")
    before = tab.value("document.querySelector('#answered .said').textContent")
    tab.value(
        "(() => { const chosen = document.querySelector('#side'); chosen.value = '1';"
        "chosen.dispatchEvent(new Event('change')) })()"
    )
    assert tab.value("document.querySelector('#answered .said').textContent") != before
    assert tab.value("document.querySelectorAll('#latency canvas').length") == 1
    assert tab.complaints() == []
