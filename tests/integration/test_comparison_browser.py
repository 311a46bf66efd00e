"""The page of a comparison in a real browser: every chart is drawn, nothing is fetched, nothing is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.devtools import CHROMIUM, Page, browser
from support.stored_runs import store_run, store_sides

from wsload.judge.compare.verdict import Gate
from wsload.report.comparison.comparison import make_report
from wsload.report.comparison.html import write_page
from wsload.results.reader import open_run

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.xdist_group("browser"),
]
LONG = "get the order book of a market by its name"


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as page:
        yield page


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pairs that lose messages, one run a side, one run against many of a request with a long name, and pairs side by
    side.
    """
    place = tmp_path_factory.mktemp("comparisons")
    one = [store_run(place / "one", build, at=at) for at, build in enumerate(("v1", "v2"))]
    names = (LONG, "open")
    many = [store_run(place / "many", "v1", at=at, metrics=names, requests=names[:1]) for at in range(4)]
    last = store_run(place / "many", "v2", at=4, metrics=names, requests=names[:1], factor=1.5)
    beside = [[store_run(place / "beside", build, at=at) for at in (0, 1)] for build in ("v1", "v2")]
    for path in (path for side in beside for path in side):
        info = replace(open_run(path).info, partner="the other")
        (path / "run.json").write_bytes(info.to_json())
    reports = [
        make_report(*store_sides(place / "pairs", slower=1.1, lost=20), gate=Gate()),
        make_report(one[:1], one[1:], gate=Gate()),
        make_report(many, [last], gate=Gate()),
        make_report(*beside, gate=Gate()),
    ]
    found = [place / f"{number}.html" for number in range(len(reports))]
    for report, path in zip(reports, found, strict=True):
        write_page(report, path)
    return found


@pytest.mark.parametrize("width", [390, 1280])
def test_every_chart_is_drawn_and_nothing_complains(tab: Page, pages: list[Path], width: int) -> None:
    for path, more in zip(pages, (["pairs"], [], [], ["pairs", "seconds"]), strict=True):
        tab.open(path.as_uri(), width=width)
        assert tab.complaints() == []
        assert tab.requests() == [path.as_uri()]
        assert tab.value("document.documentElement.scrollWidth") == width
        drawn = (
            "[...document.querySelectorAll('figure')].filter(f => f.querySelector('canvas')).map(f => f.id)"
        )
        assert tab.value(drawn) == ["forest", "curves", "ratio", *more, "order"]


def test_another_metric_is_drawn_when_it_is_chosen(tab: Page, pages: list[Path]) -> None:
    tab.open(pages[2].as_uri(), width=1280)
    options = tab.value("[...document.querySelector('#metric').options].map(option => option.value)")
    assert options == [LONG, "open"]
    tab.value(
        "(() => { const chosen = document.querySelector('#metric'); chosen.value = 'open';"
        "chosen.dispatchEvent(new Event('change')) })()"
    )
    assert tab.value("document.querySelectorAll('#curves canvas').length") == 1
    assert tab.complaints() == []
