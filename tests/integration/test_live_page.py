"""The live page in Locust's web UI: a browser starts a run, watches it, stops it, takes its results home."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from support import devtools
from support.locust_run import CHAT, LocustRun
from support.waiting import until

from wsload.results.reader import open_run

HOSTILE = "<img src=x onerror=\"document.title='hit'\"><script>document.title='hit'</script>"
RUN = "fetch('wsload/live.json').then((it) => it.json()).then((it) => !!({}))"
STATE = "/^{}/.test(document.getElementById('state')?.textContent)"
FRAME = "document.querySelector('wsload-live iframe').contentDocument"
IN_TAB = f"/^{{}}/.test({FRAME.replace(').content', ')?.content')}?.getElementById('state')?.textContent)"
PAGES = ("/wsload", "/wsload/live.json", "/wsload/histograms.hlog", "/wsload/report.html")

in_a_browser = pytest.mark.skipif(devtools.CHROMIUM is None, reason="there is no Chromium here")


@dataclass(frozen=True, slots=True)
class WebUi:
    """A locust with its web UI."""

    run: LocustRun
    base: str
    """The UI's address, without a slash at the end."""

    def end(self) -> str:
        """Ends it; returns what it said on stderr."""
        self.run.signal(signal.SIGTERM)
        return self.run.finish().stderr


@pytest.fixture
def start_ui(start_locust: Callable[..., LocustRun]) -> Callable[..., WebUi]:
    def start(locustfile: Path, *more: str, base_path: str = "") -> WebUi:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        web = ["--web-host", "127.0.0.1", "--web-port", str(port), "--web-base-path", base_path]
        run = start_locust("-f", locustfile, *web, "-u", "10", "-r", "10", "--ws-allow-invalid", *more)
        base = f"http://127.0.0.1:{port}{base_path}"

        def answers() -> bool:
            with contextlib.suppress(requests.ConnectionError):
                return requests.get(f"{base}/wsload/live.json", timeout=10).status_code < 500
            return False

        until(answers)
        return WebUi(run, base)

    return start


@pytest.fixture
def page() -> Iterator[devtools.Page]:
    with devtools.browser() as page:
        yield page


def holds(page: devtools.Page, expression: str) -> bool:
    """Whether a JavaScript expression is true; not on the way from one page to the next."""
    with contextlib.suppress(RuntimeError):
        return bool(page.value(expression))
    return False


def click(page: devtools.Page, role: str, text: str, *, then: str) -> None:
    """Clicks the element of this role (a CSS selector) and text, as soon as it is there and not disabled.

    Again, until the JavaScript expression ``then`` holds: Locust's page can be seen before it listens.
    """
    find = (
        f"[...document.querySelectorAll({role!r})]"
        f".find((it) => it.textContent.trim().toLowerCase() === {text.lower()!r} && !it.disabled)"
    )
    for _ in range(5):
        until(lambda: holds(page, f"!!{find} || {then}"), what=f"{role} {text}")
        holds(page, f"{find}?.click()")
        with contextlib.suppress(AssertionError):
            until(lambda: holds(page, then), timeout_s=5)
            return
    pytest.fail(f"clicking {text} does not lead to {then}")


def text(page: devtools.Page, selector: str) -> str:
    return str(page.value(f"document.querySelector({selector!r})?.textContent ?? ''"))


def picture(page: devtools.Page, chart: str) -> str:
    """What is drawn in a chart, as the browser painted it."""
    return str(page.value(f"document.querySelector('#{chart} canvas').toDataURL()"))


@in_a_browser
@pytest.mark.parametrize("base_path", ["", "/behind/a-proxy"])
def test_a_run_from_start_to_report(
    start_ui: Callable[..., WebUi], page: devtools.Page, tmp_path: Path, base_path: str
) -> None:
    checks = ["--ws-check", "message.p50 < 10s", "--ws-check", "message.count > 1000000"]
    ui = start_ui(CHAT, "--ws-build", HOSTILE, *checks, base_path=base_path)
    page.open(f"{ui.base}/wsload", width=1280)
    assert text(page, "#build") == "No run yet"
    assert page.value("document.getElementById('links').hidden && document.getElementById('run').hidden")

    page.open(f"{ui.base}/", width=1280)
    click(
        page,
        "button",
        "Start",
        then=RUN.format("it.run"),
    )
    # Locust answers for two seconds from what it knew before, at which its page goes back to the form.
    until(lambda: requests.get(f"{ui.base}/stats/requests", timeout=10).json()["state"] == "running")
    page.open(f"{ui.base}/", width=1280)
    click(page, "[role=tab]", "WebSocket", then=IN_TAB.format("running"))
    until(
        lambda: "message.service" in str(page.value(f"{FRAME}.querySelector('#metrics table').textContent"))
    )
    for where in ("document", FRAME):
        page.value(f"{FRAME}.defaultView.print = () => {{ document.title = 'printed from {where[-8:]}' }}")
        page.value(f"{where}.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'p', ctrlKey: true }}))")
        assert page.value("document.title") == f"printed from {where[-8:]}"
    # Its whole height is there, so that only Locust's page scrolls.
    until(lambda: holds(page, f"{FRAME}.documentElement.scrollHeight <= {FRAME}.defaultView.innerHeight"))
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": ""}])
    light = f"!{FRAME}.defaultView.matchMedia('(prefers-color-scheme: dark)').matches"
    assert page.value(light)
    switch = (
        "[...document.querySelectorAll('button')].filter((it) => !it.textContent && it.offsetWidth).at(-1)"
    )
    page.value(f"{switch}.click()")
    until(lambda: holds(page, f"!({light})"), what="a dark page")
    assert page.complaints() == []
    page.open(f"{ui.base}/wsload", width=1280)
    until(lambda: holds(page, STATE.format("running")))
    assert text(page, "#build") == HOSTILE
    first, percentiles = picture(page, "latency"), picture(page, "percentiles")
    second = text(page, "#latency .u-legend")
    until(lambda: text(page, "#latency .u-legend") != second)
    assert picture(page, "latency") != first
    until(lambda: picture(page, "percentiles") != percentiles)
    assert text(page, "#checks .passed code") == "message.p50 < 10s"
    assert text(page, "#checks .failed code") == "message.count > 1000000"
    assert "this process" in text(page, "#processes table")
    assert page.value("!document.getElementById('so-far').hidden")
    assert page.value("document.getElementById('report').hidden")
    assert page.value("document.title") == "wsload live"
    assert page.complaints() == []
    assert all(url.startswith((ui.base, "data:")) for url in page.requests())

    click(page, "a", "Locust", then="!!document.querySelector('[role=tab]')")
    click(page, "button", "Stop", then=RUN.format("it.run.ended"))
    click(page, "[role=tab]", "WebSocket", then=IN_TAB.format("ended"))
    until(lambda: holds(page, f"{FRAME}.getElementById('figures').textContent.startsWith('p50, ms')"))
    assert page.value(f"{FRAME}.getElementById('so-far').hidden")
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.value(f"{FRAME}.getElementById('hlog').click()")
    (directory,) = (tmp_path / "results").iterdir()
    log = tmp_path / "histograms.hlog"
    until(lambda: log.is_file() and log.stat().st_size)
    assert log.read_bytes() == (directory / "histograms.hlog").read_bytes()
    page.value(f"{FRAME}.getElementById('report').click()")
    until(lambda: holds(page, f"document.querySelector('h1').textContent === {json.dumps(HOSTILE)}"))
    assert page.value("location.pathname") == f"{base_path}/wsload/report.html"
    assert page.value("document.title") != "hit"
    assert "Traceback" not in ui.end()
    assert open_run(directory).totals().histograms["message"].total > 0


LOGIN = """
from flask import request
from flask_login import UserMixin, login_user
from locust import constant, events, task
from wsload import ChatUser

class Known(UserMixin):
    def get_id(self):
        return "somebody"

@events.init.add_listener
def add_login(environment, **_):
    web_ui = environment.web_ui
    web_ui.app.config["SECRET_KEY"] = "of a test"
    web_ui.login_manager.user_loader(lambda _: Known())

    @web_ui.app.route("/let-me-in", methods=["POST"])
    def let_me_in():
        login_user(Known())
        return "welcome"

class Idle(ChatUser):
    wait_time = constant(1)

    @task
    async def post(self):
        await self.say("hello")
"""


def test_nothing_is_told_to_who_has_not_logged_in(start_ui: Callable[..., WebUi], tmp_path: Path) -> None:
    locustfile = tmp_path / "with_login.py"
    locustfile.write_text(LOGIN)
    ui = start_ui(locustfile, "--web-login", "--host", "ws://127.0.0.1:1")
    for path in PAGES:
        refused = requests.get(f"{ui.base}{path}", allow_redirects=False, timeout=10)
        assert (refused.status_code, refused.headers["Location"].split("?")[0]) == (302, "/login"), path
    with requests.Session() as session:
        assert session.post(f"{ui.base}/let-me-in", timeout=10).text == "welcome"
        answers = [session.get(f"{ui.base}{path}", timeout=10) for path in PAGES]
    # Nothing has been run, so there are no files yet.
    assert [answer.status_code for answer in answers] == [200, 200, 404, 404]
    assert answers[1].json() == {"run": None}
    ui.end()


def test_without_a_login_configured_nothing_is_told_either(start_ui: Callable[..., WebUi]) -> None:
    ui = start_ui(CHAT, "--web-login")
    for path in PAGES:
        answer = requests.get(f"{ui.base}{path}", allow_redirects=False, timeout=10)
        assert "wsload" not in answer.text, path
        assert "auth" in answer.text.lower(), path
    ui.end()
