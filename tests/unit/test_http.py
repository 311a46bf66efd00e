"""HTTP calls of a user: what they are called, how long they took, and what went wrong with them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from locust import constant, task
from locust.exception import StopUser
from world import World, world

from wsload import HttpError, Opening, UsageError, WebSocketUser, constant_rate
from wsload.load.users import http
from wsload.load.users.compat import LATER, http_library
from wsload.load.users.waits import OpenWait

httpx2 = pytest.importorskip("httpx2")

Answer = Callable[[str, str, bytes], str]
"""Given a method, a path and a body: a status line, headers, an empty line and a body; or nothing, to hang up."""


class Site:
    """An HTTP server of a few lines on the world's loop; ``seen`` are the requests' heads."""

    def __init__(self, here: World, answer: Answer) -> None:
        self.seen: list[str] = []
        self.connections = 0
        self.open = 0
        self._answer = answer
        here.run(self._start(here))

    async def _start(self, here: World) -> None:
        server = await here._stack.enter_async_context(
            await asyncio.start_server(self._serve, "127.0.0.1", 0)
        )
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.seen.append(head)
                length = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
                body = await reader.readexactly(int(length[0].split(":")[1])) if length else b""
                method, path, _ = head.split(" ", 2)
                answer = self._answer(method, path, body)
                if answer == "never":
                    continue
                if not answer:
                    return
                first, _, text = answer.partition("\n\n")
                lines = [f"HTTP/1.1 {first}".replace("\n", "\r\n"), f"Content-Length: {len(text)}", "", text]
                writer.write("\r\n".join(lines).encode())
        except asyncio.IncompleteReadError:
            pass
        finally:
            self.open -= 1
            writer.close()


@pytest.fixture
def here() -> Iterator[World]:
    with world(ws_message_timeout="5s") as made:
        made.serve()
        yield made


def one_task(do: Callable[[Any], Any]) -> type[WebSocketUser]:
    """A user that does this once; what it returns or raises ends in ``found``."""

    class Caller(WebSocketUser):
        wait_time = constant(0)

        @task
        async def call(self) -> None:
            try:
                self.found = await do(self)
            except Exception as error:
                self.found = error
            raise StopUser

    return Caller


def test_a_call_is_a_named_request_with_response_and_service_time(here: World) -> None:
    site = Site(here, lambda method, path, body: f"200 OK\n\n{json.dumps([method, path, body.decode()])}")
    user = here.live(
        one_task(lambda user: user.http.post(f"{site.url}/login?a=b", json={"who": "me"}, name="log in"))
    )
    assert user.found.json() == ["POST", "/login?a=b", '{"who":"me"}']
    assert here.count("log in") == here.count("log in.service") == here.counter("requests") == 1
    assert here.failures() == {}


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
def test_without_a_name_it_is_called_by_method_and_path(here: World, method: str) -> None:
    site = Site(here, lambda method, *_: f"200 OK\n\n{method}")
    user = here.live(one_task(lambda user: getattr(user.http, method)(f"{site.url}/a/b?c=d")))
    assert user.found.text == method.upper()
    assert here.count(f"{method.upper()} /a/b") == 1


def test_cookies_go_into_the_opening_and_the_connection_is_not_kept(here: World) -> None:
    site = Site(here, lambda *_: "200 OK\nSet-Cookie: sid=abc; Path=/\n\nwelcome")
    asked = []

    class Guest(WebSocketUser):
        wait_time = constant(0)

        async def on_opening(self) -> Opening:
            await self.http.post(f"{site.url}/login", name="log in")
            return Opening(cookies=self.http.cookies)

        @task
        async def leave(self) -> None:
            asked.append(self._socket.connection)
            await here.until(lambda: site.open == 0)
            await self.http.get(f"{site.url}/again")
            raise StopUser

    here.live(Guest)
    assert site.connections == 2
    assert "cookie: sid=abc" in site.seen[1].lower()
    assert here.count("GET /again") == 1


@pytest.mark.parametrize("number", [2, 5])
def test_calls_at_the_same_time_share_one_client_and_its_cookies(here: World, number: int) -> None:
    """The first calls too, which find none yet."""

    def answer(_: str, path: str, __: bytes) -> str:
        return "200 OK\nSet-Cookie: sid=abc; Path=/\n\nwelcome" if path == "/login" else "200 OK\n\nnothing"

    site = Site(here, answer)

    async def at_once(user: Any) -> Any:
        others = (user.http.get(f"{site.url}/{each}") for each in range(number - 1))
        await asyncio.gather(user.http.post(f"{site.url}/login"), *others)
        return user.http.cookies

    user = here.live(one_task(at_once))
    assert user.found == {"sid": "abc"}
    here.run(here.until(lambda: site.open == 0))  # none is left behind
    assert here.failures() == {}


def test_what_was_logged_in_for_is_no_part_of_the_opening(here: World) -> None:
    class Guest(WebSocketUser):
        wait_time = constant(0)

        async def on_opening(self) -> None:
            await asyncio.sleep(0.5)

        @task
        async def leave(self) -> None:
            raise StopUser

    here.live(Guest)
    assert here.record().histograms["open"].percentile(100) < 500_000_000


def test_a_status_from_400_on_is_a_failure_of_that_name_with_its_body(here: World) -> None:
    site = Site(here, lambda *_: "401 Unauthorized\n\nwrong password\nand more")
    user = here.live(one_task(lambda user: user.http.get(f"{site.url}/", name="log in")))
    assert isinstance(user.found, HttpError)
    assert (user.found.kind, user.found.detail) == ("status 401", "wrong password")
    assert user.found.response.status_code == 401
    assert here.failures() == {"log in: status 401": 1}
    assert (here.count("log in"), here.count("log in.failed"), here.counter("refused")) == (0, 1, 1)


def test_a_check_says_what_a_failure_is(here: World) -> None:
    site = Site(here, lambda *_: "404 Not Found\n\nno")
    user = here.live(one_task(lambda user: user.http.get(f"{site.url}/", name="a", check=lambda _: None)))
    assert user.found.status_code == 404
    user = here.live(one_task(lambda user: user.http.get(f"{site.url}/", name="b", check=lambda _: "empty")))
    assert user.found.kind == "empty"
    user = here.live(one_task(lambda user: user.http.get(f"{site.url}/", name="c", check=lambda _: 1 / 0)))
    assert isinstance(user.found, ZeroDivisionError)
    assert here.failures() == {"b: empty": 1, "c: ZeroDivisionError": 1}
    assert [here.count(name) for name in ("a", "b.failed", "c.failed")] == [1, 1, 1]


def test_no_answer_in_time_is_lost(here: World) -> None:
    site = Site(here, lambda *_: "never")
    user = here.live(one_task(lambda user: user.http.get(f"{site.url}/", name="slow", timeout=0.1)))
    assert isinstance(user.found, HttpError)
    assert here.failures() == {"slow: timeout": 1}
    assert (here.count("slow.lost"), here.counter("lost"), here.counter("timeouts")) == (1, 1, 1)


@pytest.mark.parametrize("finishing", [False, True])
def test_a_call_whose_task_stops_waiting_is_lost(here: World, finishing: bool) -> None:
    """The class's own time-out is not the end, whether or not the user was asked to stop meanwhile."""
    site = Site(here, lambda *_: "never")

    async def hurried(user: Any) -> None:
        if finishing:
            user._life.stop()
        async with asyncio.timeout(0.1):
            await user.http.get(f"{site.url}/", name="slow")

    user = here.live(one_task(hurried))
    assert isinstance(user.found, TimeoutError)
    assert here.failures() == {"slow: cancelled": 1}


def test_a_server_that_refuses_or_hangs_up_is_named(here: World) -> None:
    site = Site(here, lambda *_: "")
    user = here.live(one_task(lambda user: user.http.get("http://127.0.0.1:1/", name="a")))
    assert (user.found.kind, user.found.detail) == ("refused", "Connection refused")
    here.live(one_task(lambda user: user.http.get(f"{site.url}/", name="b")))
    assert here.failures() == {"a: refused": 1, "b: hung up": 1}
    assert (here.count("a.lost"), here.count("b.lost")) == (1, 1)


def test_a_proxy_that_does_not_connect_is_named(here: World) -> None:
    site = Site(here, lambda *_: "403 Forbidden\n\nnot there")
    settings = here.context.settings
    here.context.settings = replace(settings, opening=replace(settings.opening, proxy=site.url))
    user = here.live(one_task(lambda user: user.http.get("https://127.0.0.1:1/", name="a")))
    assert site.seen[0].startswith("CONNECT 127.0.0.1:1 ")
    assert (user.found.kind, user.found.detail) == ("proxy", "403 Forbidden")
    assert here.failures() == {"a: proxy": 1}
    assert here.count("a.lost") == 1


def test_a_failed_login_is_the_failure_and_the_opening_is_tried_again(here: World) -> None:
    answers = iter(("503 Service Unavailable\n\nlater", "200 OK\n\nwelcome"))
    site = Site(here, lambda *_: next(answers))

    class Guest(WebSocketUser):
        wait_time = constant(0)

        async def on_opening(self) -> None:
            await self.http.post(f"{site.url}/login", name="log in")

        @task
        async def leave(self) -> None:
            raise StopUser

    here.live(Guest)
    assert here.failures() == {"log in: status 503": 1}
    assert (here.count("log in"), here.counter("opens")) == (1, 1)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://[", "http://127.0.0.1:99999/"])
def test_what_can_not_be_called_is_the_users_mistake(here: World, url: str) -> None:
    user = here.live(one_task(lambda user: user.http.get(url)))
    assert isinstance(user.found, UsageError), user.found
    assert str(user.found).startswith("self.http: ")


@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error"])
@pytest.mark.parametrize("wait_time", [constant(0), constant_rate(5)], ids=["closed", "open"])
@pytest.mark.parametrize("where", ["by itself", "in a step", "left running"])
def test_importing_the_library_is_no_part_of_what_is_measured(
    here: World, monkeypatch: pytest.MonkeyPatch, where: str, wait_time: Any, status: str
) -> None:
    """What came before it is, if the task was due."""

    def imports_slowly() -> Any:
        time.sleep(0.8)
        return http_library()

    monkeypatch.setattr(http, "http_library", imports_slowly)
    site = Site(here, lambda *_: f"{status}\n\nwelcome")

    async def call(user: Any) -> None:
        with contextlib.suppress(HttpError):
            await user.http.get(f"{site.url}/", name="call")

    class Caller(WebSocketUser):
        @task
        async def talk(self) -> None:
            self._life.stop()
            await asyncio.sleep(0.1)
            if where == "by itself":
                await call(self)
            elif where == "in a step":
                with self.measure("step"):
                    await call(self)
            else:
                self.left = asyncio.create_task(call(self))

        async def on_stop(self) -> None:
            if where == "left running":
                await self.left

    Caller.wait_time = wait_time
    here.live(Caller)
    found = here.record().histograms
    least_ns = 99_000_000 if isinstance(wait_time, OpenWait) else 0
    for name in ("call" if status == "200 OK" else "call.failed", *(("step",) if "step" in found else ())):
        assert least_ns <= found[name].min_ns < 800_000_000
    assert ("step" in found) == (where == "in a step")


def test_closing_the_clients_connections_is_no_part_of_a_step(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """wsload closes them, after on_opening."""
    close = httpx2.AsyncClient.aclose

    async def slowly(client: Any) -> None:
        await asyncio.sleep(0.6)
        await close(client)

    monkeypatch.setattr(httpx2.AsyncClient, "aclose", slowly)
    site = Site(here, lambda *_: "200 OK\n\nwelcome")

    class Guest(WebSocketUser):
        wait_time = constant(0)
        auto_connect = False

        async def on_opening(self) -> None:
            await self.http.get(f"{site.url}/")

        @task
        async def come(self) -> None:
            with self.measure("step"):
                await self.connect()
            raise StopUser

    here.live(Guest)
    assert here.record().histograms["step"].max_ns < 600_000_000


def test_without_the_library_it_says_what_to_install(here: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)
    user = here.live(one_task(lambda user: user.http.get("/")))
    assert str(user.found) == "self.http needs the package httpx2: pip install 'wsload[http]'"


def test_canary_the_modules_that_the_client_imports_later() -> None:
    """In a process of its own: which modules a first call brings, beside those imported in advance."""
    code = (
        "import sys, asyncio\n"
        "from wsload.load.users.compat import http_library\n"
        "library = http_library()\n"
        "async def call():\n"
        "    async with library.AsyncClient(trust_env=False, verify=False) as client:\n"
        "        known = set(sys.modules)\n"
        "        try:\n"
        "            await client.get('http://127.0.0.1:1/')\n"
        "        except library.ConnectError:\n"
        "            print(*sorted(set(sys.modules) - known))\n"
        "asyncio.run(call())\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [], (
        f"httpx2 {importlib.metadata.version('httpx2')} imports more; see {LATER}"
    )
    assert http_library() is httpx2


@pytest.mark.parametrize(
    "what",
    [
        {"json": {"user": "ada", "password": "hunter2"}},
        {"data": {"token": "hunter2"}},
        {"headers": {"Authorization": "Bearer hunter2"}},
        {"headers": [(b"X-Api-Key", b"hunter2")]},
        {"auth": ("ada", "hunter2")},
        {"params": {"key": "hunter2"}},
    ],
    ids=str,
)
def test_a_server_that_quotes_the_call_makes_no_secret_known(here: World, what: dict[str, Any]) -> None:
    site = Site(here, lambda *_: "422 Unprocessable\n\nyou sent hunter2")
    user = here.live(one_task(lambda user: user.http.post(f"{site.url}/?key=s3cret", name="log in", **what)))
    assert user.found.detail == "you sent ***"


def test_a_header_that_can_not_be_sent_is_named_without_its_value(here: World) -> None:
    site = Site(here, lambda *_: "200 OK\n\n")
    headers = {"Authorization": "Bearer hunter2\n"}
    user = here.live(one_task(lambda user: user.http.get(f"{site.url}/", name="a", headers=headers)))
    assert "hunter2" not in repr(user.found)
    assert "line break in a header" in user.found.detail
    assert here.failures() == {"a: invalid request": 1}
