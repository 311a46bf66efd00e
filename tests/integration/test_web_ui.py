"""``locust -f locustfiles/chat.py`` in a browser: the start form, the rows as they move, stop, and again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from support import devtools
from support.locust_run import CHAT, FILES, LOCUSTFILES, Finished, LocustRun, own_ports
from support.serving import Serving, echo
from support.waiting import until
from websockets.asyncio.server import ServerConnection

from wsload.exit_codes import ExitCode
from wsload.load.options.table import FORM

pytestmark = pytest.mark.xdist_group("browser")
in_a_browser = pytest.mark.skipif(devtools.CHROMIUM is None, reason="there is no Chromium here")

USERS = 12


class StartForm:
    """Locust's page in a browser."""

    def __init__(self, page: devtools.Page, url: str) -> None:
        self._page = page
        page.open(url, width=1280)
        self.await_true("!!document.querySelector('input[name=userCount]')")

    def await_true(self, expression: str) -> None:
        until(lambda: self._page.value(expression), what=expression)

    def fill_in(self, name: str, text: str) -> None:
        """Types into a field, in place of what is there."""
        field = f"document.querySelector('input[name={name}]')"
        self._page.value(f"{field}.focus(), {field}.select()")
        self._page.call("Input.insertText", text=text)
        assert self._page.value(f"{field}.value") == text

    def click(self, text: str, *, then: str) -> None:
        """Clicks a button or a tab, as soon as it can be; returns when ``then`` holds."""
        button = (
            "[...document.querySelectorAll('button, [role=tab]')]"
            f".find((it) => it.innerText.trim().toLowerCase() === {text.lower()!r} && !it.disabled)"
        )
        self.await_true(f"!!{button}")
        self._page.value(f"{button}.click()")
        self.await_true(then)

    def show_parameters(self) -> None:
        """Unfolds the part of the form with wsload's options."""
        self.click("Custom parameters", then="document.querySelector('input[name=wsBuild]').offsetHeight > 0")

    def fields(self) -> dict[str, str]:
        """Every field's type by its name."""
        inputs = "[...document.querySelectorAll('input[name]')].map((it) => [it.name, it.type])"
        return dict(self._page.value(inputs))

    def rows(self) -> dict[str, int]:
        """The table's rows: number of requests by name."""
        rows = "[...document.querySelectorAll('tbody tr')].map((it) => it.innerText.split('\\t'))"
        return {row[1]: int(row[2]) for row in self._page.value(rows) if len(row) > 2 and row[2].isdigit()}

    def text(self) -> str:
        return self.text_of("body")

    def text_of(self, selector: str) -> str:
        return str(self._page.value(f"document.querySelector('{selector}').innerText"))

    def style_of(self, selector: str, name: str) -> str:
        return str(self._page.value(f"getComputedStyle(document.querySelector('{selector}')).{name}"))


RUNNING = "!!document.querySelector('tbody tr') && /running/i.test(document.body.innerText)"
STOPPED = "/stopped/i.test(document.body.innerText)"


@pytest.fixture
def url(start_locust: Callable[..., LocustRun]) -> str:
    """Where a locust's web UI is."""
    run = start_locust("-f", CHAT, "--web-host", "127.0.0.1", "--web-port", "0")
    run.wait_for("No --host given")
    return address_of(run)


def address_of(run: LocustRun) -> str:
    """Where a locust's web UI listens, which was given port 0: Locust says that one, not the one it got."""
    process = psutil.Process(run.pid)

    def listening() -> list[int]:
        connections = process.net_connections()
        return [each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN]

    return f"http://127.0.0.1:{until(listening)[0]}/"


@pytest.fixture
def form(url: str) -> Iterator[StartForm]:
    with devtools.browser() as page:
        yield StartForm(page, url)


def stored(directory: Path, name: str) -> Any:
    return json.loads((directory / name).read_bytes())


def start(form: StartForm) -> None:
    form.click("Start", then=RUNNING)


def field_of(option: str) -> str:
    """The form's name for an option: ``wsMessageTimeout``."""
    first, *rest = option.removeprefix("--").split("-")
    return first + "".join(word.capitalize() for word in rest)


@in_a_browser
def test_two_runs_from_the_start_form(form: StartForm, tmp_path: Path) -> None:
    fields = form.fields()
    ours = [name for name in fields if name.startswith("ws")]
    assert ours == [field_of(option) for option in FORM]
    assert fields["wsBearer"] == "password"

    form.fill_in("userCount", str(USERS))
    form.fill_in("spawnRate", str(USERS))
    form.show_parameters()
    form.fill_in("wsBuild", "first")
    form.fill_in("wsMessageTimeout", "3s")
    form.fill_in("wsSubprotocol", "chat, json")
    start(form)
    until(lambda: form.rows().get("message", 0) > 0, what="messages")
    until(lambda: form.rows()["open"] == form.rows()["login"] == USERS, what="all users")
    before = form.rows()
    until(lambda: form.rows()["message"] > before["message"] + USERS, what="rows that move")
    form.click("Charts", then="document.querySelectorAll('canvas').length >= 3")
    form.click("Statistics", then="!!document.querySelector('tbody tr')")
    form.click("Stop", then=STOPPED)
    (first,) = (tmp_path / "results").iterdir()
    until(lambda: stored(first, "run.json")["ended_at"], what="the end of the run")
    assert {path.name for path in first.iterdir()} >= set(FILES)
    assert first.name.endswith("-first")
    run, summary = stored(first, "run.json"), stored(first, "summary.json")
    assert run["options"]["ws_message_timeout"] == "3s"
    assert run["options"]["num_users"] == USERS
    # What the form's boxes show as ticked and not is what the run has.
    assert run["options"]["ws_reconnect"] is True
    assert run["options"]["ws_insecure"] is False
    assert summary["failures"] == {}
    assert summary["counters"]["logins"] == USERS
    until(lambda: form.rows()["close"] == USERS, what="the last figures")
    assert form.rows()["message"] == summary["metrics"]["message"]["count"]

    # Once more in the same process, with other options: nothing of the first run is in the second.
    form.click("New", then="!!document.querySelector('input[name=userCount]')")
    form.fill_in("userCount", "3")
    form.fill_in("spawnRate", "3")
    form.show_parameters()
    form.fill_in("wsBuild", "second")
    start(form)
    until(lambda: form.rows().get("login") == 3, what="the rows of the second run")
    until(lambda: form.rows().get("message", 0) > 3, what="messages of the second run")
    form.click("Stop", then=STOPPED)
    second = next(path for path in (tmp_path / "results").iterdir() if path.name.endswith("-second"))
    until(lambda: stored(second, "run.json")["ended_at"], what="the end of the second run")
    again = stored(second, "summary.json")
    assert again["counters"]["logins"] == again["metrics"]["close"]["count"] == 3
    assert again["failures"] == {}
    assert stored(first, "summary.json") == summary


@in_a_browser
def test_a_mistake_in_the_form_is_said_in_the_form(form: StartForm, tmp_path: Path) -> None:
    form.show_parameters()
    form.fill_in("wsMessageTimeout", "soon")
    form.click("Start", then="!!document.querySelector('[role=alert]')")
    assert "argument --ws-message-timeout: 'soon': a duration is a number" in form.text()
    assert not (tmp_path / "results").exists()

    form.fill_in("wsMessageTimeout", "5s")
    form.fill_in("wsCheck", "lost == 0")
    form.click("Start", then="/ is not a comparison/.test(document.body.innerText)")
    # The caret is below its place: lines and spaces are kept, in a font in which all are as wide.
    assert form.text_of("[role=alert]").endswith("\n    lost == 0\n         ^")
    assert "monospace" in form.style_of("[role=alert] *", "fontFamily")
    form.fill_in("wsCheck", "lost < 1")
    form.fill_in("host", "ws://127.0.0.1:1/#top")
    form.click("Start", then="/has a fragment/.test(document.body.innerText)")
    assert not (tmp_path / "results").exists()

    form.fill_in("host", "ws://127.0.0.1:1")
    start(form)
    until(lambda: form.rows().get("open", 0) > 0, what="attempts to open")
    form.click("Stop", then=STOPPED)
    (directory,) = (tmp_path / "results").iterdir()
    until(lambda: stored(directory, "run.json")["ended_at"], what="the end of the run")
    assert stored(directory, "run.json")["options"]["ws_message_timeout"] == "5s"
    assert stored(directory, "summary.json")["failures"].keys() == {"open: refused"}


def test_a_stop_right_after_a_start_is_heeded(url: str, tmp_path: Path) -> None:
    for _ in range(2):
        started = requests.post(f"{url}swarm", data={"user_count": 3, "spawn_rate": 3}, timeout=20).json()
        stopped = requests.post(f"{url}stop", timeout=20).json()
        assert started["success"]
        assert stopped["success"]
    runs = list((tmp_path / "results").glob("*"))  # a stop may come before the run has begun
    until(lambda: all(stored(run, "run.json")["ended_at"] for run in runs), what="the end of all runs")
    now = requests.get(f"{url}stats/requests", timeout=20).json()
    assert (now["state"], now["user_count"]) == ("stopped", 0)


def test_no_run_is_started_while_the_last_one_is_ending(
    start_locust: Callable[..., LocustRun], serving: Serving
) -> None:
    async def late(connection: ServerConnection) -> None:
        async for message in connection:
            await asyncio.sleep(4)
            await connection.send(message)

    run = start_locust(
        *("-f", LOCUSTFILES / "owing.py", "--host", f"ws://127.0.0.1:{serving.websocket(late)}"),
        *("--web-host", "127.0.0.1", "--web-port", "0", "--stop-timeout", "30"),
    )
    run.wait_for("Starting web interface")
    url = address_of(run)

    def swarm() -> Any:
        return requests.post(f"{url}swarm", data={"user_count": 2, "spawn_rate": 2}, timeout=20).json()

    def refused() -> str:
        answer = swarm()
        return "" if answer["success"] else str(answer["message"])

    assert swarm()["success"]
    run.wait_for_intervals(2)
    with ThreadPoolExecutor() as pool:
        stopping = pool.submit(requests.post, f"{url}stop", timeout=30)
        assert until(refused) == "the last run is still ending: start the next one when it has stopped"
        assert stopping.result().json()["success"]
    assert swarm()["success"]
    run.wait_for("Results go to (?s:.*)Results go to")
    requests.post(f"{url}stop", timeout=30)
    run.signal(signal.SIGTERM)
    finished = run.finish()
    assert "Traceback" not in finished.stderr
    runs = [stored(directory, "run.json") for directory in finished.directories]
    assert len(runs) == 2
    assert all(run["ended_at"] for run in runs)


def test_an_address_that_can_not_be_listened_on_is_one_line(run_locust: Callable[..., Finished]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = [
            ("127.0.0.1", "argument --web-port: {}: the port is in use"),
            ("192.0.2.1", "can't listen on 192.0.2.1:{}"),
        ]
        for host, said in words:
            finished = run_locust("-f", CHAT, "--web-host", host, "--web-port", str(port))
            assert finished.returncode == ExitCode.USAGE
            assert said.format(port) in finished.stderr
            assert "Traceback" not in finished.stderr


def test_the_page_starts_where_only_other_classes_have_a_host(start_locust: Callable[..., LocustRun]) -> None:
    """What WebSocket users open comes from the start form then; secrets are bound to it at the first start."""
    run = start_locust(
        *("-f", LOCUSTFILES / "beside_http.py", "--web-host", "127.0.0.1", "--web-port", "0"),
        env={"LOCUST_WS_BEARER": "a-bearer"},
    )
    assert requests.get(address_of(run), timeout=10).ok
    run.signal(signal.SIGTERM)
    finished = run.finish()
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr


PICKED = """
from locust import constant, task
from wsload import WebSocketUser


class First(WebSocketUser):
    host = "{host}"
    wait_time = constant(0.1)

    @task
    async def talk(self):
        await self.round_trip("hello")


class Other(First):
    host = None
"""


@pytest.mark.parametrize("workers", [0, 1])
def test_user_classes_are_chosen_for_a_run_and_not_changed_during_it(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path, workers: int
) -> None:
    """A class without a host is nothing to a run without it, and a change that Locust fails at loses no figures."""
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text(PICKED.format(host=f"ws://127.0.0.1:{serving.websocket(echo)}"))
    ports, port = own_ports(), own_ports()[-1]
    run = start_locust(
        *("-f", locustfile, "--class-picker", "--web-host", "127.0.0.1", "--web-port", port),
        *(["--master", *ports] if workers else []),
    )
    url = f"http://127.0.0.1:{port}/"

    def serves() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(url, timeout=10).ok
        return False

    until(serves)
    others = [start_locust("-f", locustfile, "--worker", *ports) for _ in range(workers)]
    if workers:
        run.wait_for("1 workers connected")

    def swarm(name: str) -> str:
        data = {"user_count": 2, "spawn_rate": 2, "user_classes": name}
        answer = requests.post(f"{url}swarm", data=data, timeout=20).json()
        return "" if answer["success"] else str(answer["message"])

    assert "names no host" in swarm("Other")
    assert swarm("First") == ""
    run.wait_for_intervals(2)
    assert swarm("Other") == "user classes can't be changed during a run: stop it first"
    requests.post(f"{url}stop", timeout=30)
    run.signal(signal.SIGTERM)
    finished = run.finish()
    ends = [each.finish() for each in others]
    assert finished.returncode == 0, finished.stderr
    assert not any("Traceback" in each.stderr for each in [finished, *ends])
    assert finished.count("message") > 0 and finished.run["ended_at"] is not None
