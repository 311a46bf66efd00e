"""The web UI tells no secret, takes only what its form has, and sends secrets only where they were given for."""

from __future__ import annotations

import base64
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from support.locust_run import LocustRun
from support.serving import Serving
from support.waiting import until
from websockets.asyncio.server import ServerConnection

BEARER, BASIC, PASSWORD, TOKEN = "b3arer&<to'ken>\"x", "annabel:bas1c-pass", "pa55w0rd", "t0kenInTheUrl"
HEADER, COOKIE, PROXY, IN_CLASS = "h3aderValue", "c00kieValue", "pr0xyPassword", "cl4ssHeaderValue"
SECRETS = (BEARER, BASIC, PASSWORD, TOKEN, HEADER, COOKIE, PROXY, IN_CLASS)
PAGES = (
    *(
        "",
        "stats/report",
        "stats/report?download=1",
        "stats/requests",
        "stats/requests/csv",
        "stats/failures/csv",
    ),
    *("logs", "exceptions", "tasks", "wsload", "wsload/live.json"),
)
LOCUSTFILE = f"""
from wsload import WebSocketUser, task
from locust import constant

class Guest(WebSocketUser):
    wait_time = constant(0.1)
    headers = {{"X-Class": "{IN_CLASS}"}}

    @task
    async def ask(self):
        await self.round_trip("hello")
"""


class Server:
    """An echo that keeps what it was told when its connections were opened."""

    def __init__(self, serving: Serving) -> None:
        self.requests: list[Any] = []
        self.port = serving.websocket(self.handle)

    async def handle(self, connection: ServerConnection) -> None:
        self.requests.append(connection.request)
        async for message in connection:
            await connection.send(message)


class Page:
    """Locust's web UI."""

    def __init__(self, url: str) -> None:
        self.url = url

    def start(self, **fields: str) -> dict[str, Any]:
        """Posts to the start form."""
        data = {"user_count": "1", "spawn_rate": "1"} | fields
        return requests.post(f"{self.url}swarm", data=data, timeout=20).json()

    def stop(self) -> None:
        requests.post(f"{self.url}stop", timeout=20)

    def text(self, path: str) -> str:
        """A page's headers and body."""
        answer = requests.get(self.url + path, timeout=20)
        assert answer.status_code == 200, path
        return f"{answer.headers}\n{answer.text}"


def told(text: str) -> list[str]:
    """The secrets of which the first characters stand in a text, however the rest is written."""
    secrets = (*SECRETS, base64.b64encode(BASIC.encode()).decode(), BASIC.partition(":")[2])
    return [each for each in secrets if each[:6] in text]


@pytest.fixture
def open_page(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path
) -> Callable[..., Page]:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)

    def open_page(*options: str, **environment: str) -> Page:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        run = start_locust(
            *("-f", tmp_path / "locustfile.py", "--web-host", "127.0.0.1", "--web-port", str(port), *options),
            env=environment,
        )
        page = Page(f"http://127.0.0.1:{port}/")

        def answers() -> bool:
            try:
                return requests.get(page.url, timeout=5).ok
            except requests.ConnectionError:
                return False

        until(answers, what="the start page")
        page.run = run  # type: ignore[attr-defined]
        return page

    return open_page


@pytest.fixture
def server(serving: Serving) -> Server:
    return Server(serving)


def test_no_page_tells_a_secret_before_during_or_after_a_run(
    open_page: Callable[..., Page], server: Server
) -> None:
    page = open_page(
        *("--host", f"ws://joe:{PASSWORD}@127.0.0.1:{server.port}", "--ws-url", f"/room?token={TOKEN}"),
        *("--ws-header", f"X-Api-Key: {HEADER}", "--ws-cookie", f"session={COOKIE}"),
        LOCUST_WS_BEARER=BEARER,
        LOCUST_WS_PROXY=f"http://proxy:{PROXY}@127.0.0.1:1",
    )
    assert {path: told(page.text(path)) for path in PAGES} == {path: [] for path in PAGES}
    assert page.start(ws_proxy="***", ws_bearer="***")["success"]
    until(lambda: "refused" in page.text("stats/failures/csv"), what="failures")  # nobody is the proxy
    assert {path: told(page.text(path)) for path in PAGES} == {path: [] for path in PAGES}
    page.stop()
    assert {path: told(page.text(path)) for path in PAGES} == {path: [] for path in PAGES}


def test_what_the_page_shows_for_a_secret_is_the_secret_when_it_is_posted(
    open_page: Callable[..., Page], server: Server
) -> None:
    page = open_page(
        "--host", f"ws://127.0.0.1:{server.port}", "--ws-url", f"/?token={TOKEN}", LOCUST_WS_BASIC=BASIC
    )
    for _ in range(2):
        server.requests.clear()
        shown = {"host": f"ws://127.0.0.1:{server.port}", "ws_url": "/?token=***", "ws_basic": "***"}
        assert page.start(**shown)["success"]
        request = until(lambda: server.requests, what="an opening")[0]
        assert request.path == f"/?token={TOKEN}"
        assert request.headers["Authorization"] == f"Basic {base64.b64encode(BASIC.encode()).decode()}"
        page.stop()
    # It can be left out, too, and comes back when the page's own text is posted again.
    for posted, sent in (("", None), ("***", f"Basic {base64.b64encode(BASIC.encode()).decode()}")):
        server.requests.clear()
        assert page.start(ws_basic=posted)["success"]
        request = until(lambda: server.requests, what="an opening")[0]
        assert request.headers.get("Authorization") == sent
        page.stop()


@pytest.mark.parametrize("given", ["bearer", "header", "cookie", "class"])
def test_a_secret_goes_only_where_it_was_given_for(
    open_page: Callable[..., Page], serving: Serving, server: Server, tmp_path: Path, given: str
) -> None:
    if given != "class":
        (tmp_path / "locustfile.py").write_text(LOCUSTFILE.replace("headers =", "nothing ="))
    options = {"header": ("--ws-header", f"X: {HEADER}"), "cookie": ("--ws-cookie", f"a={COOKIE}")}.get(
        given, ()
    )
    environment = {"LOCUST_WS_BEARER": BEARER} if given == "bearer" else {}
    page = open_page("--host", f"ws://127.0.0.1:{server.port}", *options, **environment)
    other = Server(serving)
    ways = (
        {"host": f"ws://127.0.0.1:{other.port}"},
        {"host": f"ws://localhost:{server.port}"},
        {"ws_url": f"ws://127.0.0.1:{other.port}/"},
        {"ws_proxy": f"http://127.0.0.1:{other.port}"},
    )
    for way in ways:
        answer = page.start(**way)
        assert not answer["success"], way
        assert f"were given for 127.0.0.1:{server.port}" in answer["message"]
        assert "\n" not in answer["message"]
        assert not told(answer["message"])
    assert page.start()["success"]
    until(lambda: server.requests, what="an opening")
    page.stop()
    assert other.requests == []


def test_without_secrets_any_host_may_be_loaded_and_one_typed_in_is_bound_to_it(
    open_page: Callable[..., Page], serving: Serving, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE.replace("headers =", "nothing ="))
    page, other = open_page("--host", f"ws://127.0.0.1:{server.port}"), Server(serving)
    assert page.start(host=f"ws://127.0.0.1:{other.port}", ws_bearer=BEARER)["success"]
    until(lambda: other.requests, what="an opening")
    page.stop()
    assert not page.start(host=f"ws://127.0.0.1:{server.port}")["success"]  # Locust keeps what was typed in
    assert page.start(host=f"ws://127.0.0.1:{server.port}", ws_bearer="")["success"]
    page.stop()
    assert not told(page.text(""))


def test_only_what_is_in_the_form_is_taken_from_it(
    open_page: Callable[..., Page], server: Server, tmp_path: Path
) -> None:
    page = open_page("--host", f"ws://127.0.0.1:{server.port}")
    hidden = {
        "ws_results": "elsewhere", "ws_ca_file": "/etc/passwd", "ws_client_cert": "/etc/passwd",
        "ws_connect_to": "127.0.0.1:1", "ws_header": "X: y", "ws_prometheus": "0", "html_file": "elsewhere.html",
        "csv_prefix": "elsewhere",
    }  # fmt: skip
    for name, value in hidden.items():
        answer = page.start(**{name: value})
        assert not answer["success"], name
        assert answer["message"] == f"argument --{name.replace('_', '-')}: can't be set in the start form"
    assert not list(tmp_path.glob("elsewhere*"))
    assert page.start(ws_build="fine", ws_warm_up="1s", unknown="x")["success"]
    page.stop()


def test_pages_of_other_sites_get_nothing_of_wsload(open_page: Callable[..., Page], server: Server) -> None:
    page = open_page("--host", f"ws://127.0.0.1:{server.port}")
    own = page.url.rstrip("/")
    for origin, status in (
        (None, 200),
        (own, 200),
        ("http://evil.example", 403),
        ("null", 403),
        (own + "1", 403),
    ):
        for path in ("wsload", "wsload/live.json"):
            headers = {"Origin": origin} if origin else {}
            assert requests.get(page.url + path, headers=headers, timeout=20).status_code == status, origin


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        (("--web-host", "127.0.0.1"), False),
        (("--web-host", "localhost"), False),
        (("--web-host", "0.0.0.0"), True),
        (("--web-host", ""), True),
        (("--web-host", "*"), True),
        (("--web-host", "0.0.0.0", "--web-login"), False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_page_that_anybody_may_use_is_warned_of_once(
    start_locust: Callable[..., LocustRun],
    server: Server,
    tmp_path: Path,
    options: tuple[str, ...],
    warned: bool,
) -> None:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    run = start_locust(
        *("-f", tmp_path / "locustfile.py", "--web-port", "0", "--autostart", "--autoquit", "0"),
        *("-u", "1", "-t", "2s", "--host", f"ws://127.0.0.1:{server.port}", *options),
    )
    finished = run.finish()
    assert finished.stderr.count("without a login") == warned
