"""The pages in a real browser: nothing is fetched, no foreign script runs, nothing lies over the edge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.devtools import CHROMIUM, Page, browser
from support.made_runs import STARTED_AT, UNTRUSTED, make_run, second
from support.shop import BUY, NAMES, STEP, shop_seconds

from wsload.judge.run.history import run_line
from wsload.measure.histogram import Histogram
from wsload.measure.interval import Interval
from wsload.report.history import history_page
from wsload.report.html import write_report
from wsload.results.reader import open_run
from wsload.results.run import CheckOutcome, CheckState, RunWarning

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.xdist_group("browser"),
]

EVIL = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">"


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def busy(at: int) -> Interval:
        values = range(1_000_000, 4_000_000 * (1 + at % 5), 100_000)
        names = ("message", "message.service", "open", "open.tcp", "open.tls", "open.upgrade", "delivery")
        away = at in (20, 21)
        return second(
            at,
            histograms={} if away else {name: Histogram.of(values) for name in names},
            gauges={"users": 20, "connections": 0 if away else 20},
            counters={"sent": 40, "cpu_ns": 10**8, **({"reconnects": 20} if at == 22 else {})},
            failures={("close", "closed 1006"): 20, ("open", EVIL): 3} if away else {},
        )

    run = make_run(
        tmp_path_factory.mktemp("results"),
        map(busy, range(60)),
        build=EVIL,
        target=f"ws://127.0.0.1/{EVIL}",
        options={"ws_url": EVIL * 3},
        warnings=(RunWarning(name="cpu", text=EVIL, remedy=EVIL, invalidates=True),),
        checks=(CheckOutcome(expression=EVIL, state=CheckState.FAILED, wanted=EVIL, got=EVIL),),
        trust=replace(UNTRUSTED, verdict=EVIL, remedy=EVIL),
    )
    return write_report(run)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("history")
    lines = []
    for at in range(12):
        build = f"{EVIL}{at // 4}"
        path = make_run(results, [second(0, [1 + at])], build=build, started_at=STARTED_AT + 60 * at)
        run = open_run(path)
        lines.append(run_line(path.name, run.info, run.problems, run.summary()))
    page = results / "history.html"
    page.write_bytes(history_page(lines, [EVIL]))
    return page


def test_scripts_in_foreign_text_neither_run_nor_are_there(tab: Page, report: Path, history: Path) -> None:
    for path in (report, history):
        tab.open(path.as_uri(), width=1280)
        assert tab.value("document.title") != "run"
        assert tab.value("document.querySelectorAll('img').length") == 0
    assert EVIL in tab.value("document.querySelector('main').textContent")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_pages_fit_their_width_complain_of_nothing_and_fetch_nothing(
    tab: Page, report: Path, history: Path, width: int, dark: bool
) -> None:
    for path in (report, history):
        tab.open(path.as_uri(), width=width, dark=dark)
        assert tab.complaints() == []
        assert tab.requests() == [path.as_uri()]
        assert tab.value("document.documentElement.scrollWidth") == width
        ground = tab.value("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") is not dark


def test_every_chart_is_drawn_and_tells_its_figures(tab: Page, report: Path) -> None:
    tab.open(report.as_uri(), width=1280)
    drawn = tab.value(
        "[...document.querySelectorAll('figure')].filter(f => f.querySelector('canvas')).map(f => f.id)"
    )
    assert drawn == ["percentiles", "latency", "heat", "levels", "failures", "rates", "cpu"]
    place = tab.value(
        "(() => { const over = document.querySelector('#latency .u-over'); over.scrollIntoView();"
        "const box = over.getBoundingClientRect();"
        "return [box.left + box.width * 30.5 / 60, box.top + 20] })()"
    )
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
    legend = "document.querySelector('#latency .u-legend').innerText"
    tab.wait_for(f"{legend}.startsWith('time\\n0:30\\np50\\n2.4')")


def test_another_metric_is_drawn_when_it_is_chosen(tab: Page, report: Path) -> None:
    tab.open(report.as_uri(), width=1280)
    options = tab.value("[...document.querySelector('#metric').options].map(option => option.value)")
    assert options == ["message", "open", "delivery"]
    tab.value(
        "(() => { const chosen = document.querySelector('#metric'); chosen.value = 'open';"
        "chosen.dispatchEvent(new Event('change')) })()"
    )
    assert tab.value("document.querySelectorAll('#latency canvas').length") == 1
    assert tab.complaints() == []


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(make_run(tmp_path_factory.mktemp("shop"), shop_seconds()))


def test_each_name_has_its_charts(tab: Page, shop: Path) -> None:
    tab.open(shop.as_uri(), width=1280)
    groups = tab.value(
        "[...document.querySelectorAll('#metric optgroup')].map(g => [g.label, [...g.children].map(o => o.value)])"
    )
    assert [label for label, _ in groups] == ["Requests", "Steps", "Values", "Connections and load generator"]
    names = [name for _, found in groups[:3] for name in found]
    assert sorted(names) == sorted(NAMES)
    for name in names:
        tab.value(
            f"(() => {{ const chosen = document.querySelector('#metric'); chosen.value = {json.dumps(name)};"
            "chosen.dispatchEvent(new Event('change')) })()"
        )
        legend = tab.value("document.querySelector('#percentiles .u-legend').textContent")
        assert name in legend
        assert not any(other in legend for other in names if other not in name)
        assert tab.value("document.querySelectorAll('#latency canvas').length") == 1
        assert tab.value("document.getElementById('unanswered').hidden") == (name not in (BUY, STEP))
    assert tab.complaints() == []


@pytest.mark.parametrize("width", [390, 1280])
def test_long_names_do_not_widen_the_page(tab: Page, shop: Path, width: int) -> None:
    tab.open(shop.as_uri(), width=width)
    assert tab.value("document.documentElement.scrollWidth") == width
    assert tab.value("document.querySelectorAll('img').length") == 0


def test_charts_are_drawn_again_in_the_colours_of_another_theme(tab: Page, report: Path) -> None:
    tab.open(report.as_uri(), width=1280)
    second_marker = "document.querySelector('#latency .u-series:nth-child(2) .u-marker')"
    marker = f"getComputedStyle({second_marker}).borderTopColor"
    light = tab.value(marker)
    tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    tab.wait_for(f"{marker} !== '{light}'")
    assert tab.value("document.querySelectorAll('#latency canvas').length") == 1


def test_every_chart_says_in_words_what_it_shows(tab: Page, report: Path) -> None:
    tab.open(report.as_uri(), width=1280)
    said = tab.value(
        "Object.fromEntries([...document.querySelectorAll('figure')].filter(f => f.querySelector('canvas'))"
        ".map(f => [f.id, document.getElementById("
        "f.querySelector('.plot').getAttribute('aria-describedby')).textContent]))"
    )
    assert said["levels"] == "connections: 0 to 20, highest at 0:00; users: 20 to 20, highest at 0:00."
    assert said["latency"].startswith("p50: 2.")
    assert "values from" in said["heat"]
    assert all(text.endswith(".") and len(text) > 10 for text in said.values())


def test_the_keyboard_zooms_and_switches_lines(tab: Page, report: Path) -> None:
    tab.open(report.as_uri(), width=1280)

    def press(selector: str, key: str) -> None:
        event = f"new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}})"
        tab.value(f"document.querySelector('{selector}').dispatchEvent({event})")

    before = tab.value("document.querySelector('#cpu canvas').toDataURL()")
    press("#latency .u-over", "+")
    tab.wait_for(f"document.querySelector('#cpu canvas').toDataURL() !== '{before}'")
    press("#latency .u-over", "0")
    tab.wait_for(f"document.querySelector('#cpu canvas').toDataURL() === '{before}'")
    p50 = "#latency .u-series:nth-child(2) > th"
    assert tab.value(f"document.querySelector('{p50}').getAttribute('aria-pressed')") == "true"
    press(p50, "Enter")
    assert tab.value(f"document.querySelector('{p50}').getAttribute('aria-pressed')") == "false"
    assert not tab.value("document.querySelector('#latency .said').textContent").startswith("p50")


def test_on_paper_charts_are_whole_and_in_light_colours_and_the_banner_keeps_its_own(
    tab: Page, report: Path
) -> None:
    tab.open(report.as_uri(), width=1280, dark=True)
    tab.value("dispatchEvent(new Event('beforeprint'))")
    tab.call("Emulation.setEmulatedMedia", media="print", features=[])
    assert tab.value("document.querySelector('#latency .uplot').offsetWidth") == 680
    colour = "getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()"
    assert tab.value(colour) == "#1b1f24"
    banner = "getComputedStyle(document.querySelector('.banner'))"
    assert tab.value(f"{banner}.printColorAdjust") == "exact"
    assert tab.value(f"{banner}.backgroundColor") == "rgb(180, 35, 24)"
    tab.call("Emulation.setEmulatedMedia", media="", features=[])
    tab.value("dispatchEvent(new Event('afterprint'))")
    assert tab.value("document.querySelector('#latency .uplot').offsetWidth") > 1000
