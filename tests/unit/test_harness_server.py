"""The server under test: up, measured, and gone again; or a clear word on why not."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from support import hostile
from support.serving import Serving
from support.waiting import until
from websockets.asyncio.server import ServerConnection

from wsload.children import Guard
from wsload.commands.harness.builds import Build, HandshakeOptions
from wsload.commands.harness.meter import Meter
from wsload.commands.harness.server import PORTS, Server, free_port
from wsload.errors import ServerFailed, UsageError
from wsload.results.server_figures import SERVER, ServerFigures, read_server

URL = "ws://127.0.0.1:{port}"
HANDSHAKE = HandshakeOptions(url="", subprotocols=(), origin="")
CHAT = f"{sys.executable} -m wsload serve --port {{port}} --quiet-roster"

Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    servers: list[Server] = []
    with Guard() as guard:

        def start(
            command: str, *, url: str = URL, timeout_s: float = 30.0, handshake: HandshakeOptions = HANDSHAKE
        ) -> Server:
            build = Build(name="v1", url=url, command=command)
            log = tmp_path / "server.log"
            servers.append(
                Server(build, letter="A", log=log, guard=guard, handshake=handshake, timeout_s=timeout_s)
            )
            return servers[-1]

        yield start
        for server in servers:
            server.stop()


def python(code: str) -> str:
    return f'{sys.executable} -c "{code}" {{port}}'


async def stay(connection: ServerConnection) -> None:
    await connection.wait_closed()


def test_a_server_is_started_for_one_run_and_gone_after_it(start: Start, tmp_path: Path) -> None:
    with start(CHAT) as server:
        port = int(server.url.rpartition(":")[2])
        assert port in PORTS
        assert f"ws://127.0.0.1:{port}/" in (tmp_path / "server.log").read_text()
        server.check()
    with pytest.raises(
        ServerFailed, match=r"server A \(v1\) (was ended by signal 15|ended with exit code 0)"
    ):
        server.check()


def test_its_cpu_and_memory_are_measured(start: Start) -> None:
    with start(CHAT) as server:
        server.measure(1.0)
        figures = server.figures()
        assert figures is not None
        assert 10e6 < figures.memory_peak_bytes < 1e9
        assert (figures.exit_code, figures.processes) == (None, 1)
        assert server.figures() is None  # until it is measured again


def test_a_server_that_runs_already_is_left_alone(serving: Serving, start: Start) -> None:
    port = serving.websocket(stay)
    for _ in range(2):
        with start("", url=f"ws://127.0.0.1:{port}") as server:
            server.measure(1.0)
            server.check()
            assert server.figures() is None


def test_one_that_ends_before_it_answers_is_quoted(start: Start) -> None:
    with pytest.raises(
        ServerFailed, match=r"server A \(v1\) ended with exit code 7 before it answered"
    ) as caught:
        start(python("import sys; print('no database'); sys.exit(7)"))
    assert caught.value.tail == "no database"


def test_one_that_never_answers_is_given_up(start: Start) -> None:
    code = (
        "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"
    )
    with pytest.raises(
        ServerFailed, match=r"did not answer a WebSocket handshake at ws://127.0.0.1:\d+/ within 0.3 s: "
    ):
        start(python(code), timeout_s=0.3)


def test_the_handshake_goes_where_the_load_will_go(start: Start) -> None:
    code = "import time; time.sleep(60)"
    with pytest.raises(ServerFailed, match=r"at ws://127.0.0.1:\d+/chat within 0.1 s: .*refused"):
        start(
            python(code), timeout_s=0.1, handshake=HandshakeOptions(url="/chat", subprotocols=(), origin="")
        )


# A server whose URL and subprotocols are the user class's (`locustfiles/graphql.py`)


@pytest.mark.parametrize("subprotocols", [(), ("json",)])
def test_one_that_refuses_the_root_is_up(
    serving: Serving, start: Start, subprotocols: tuple[str, ...]
) -> None:
    url = f"ws://127.0.0.1:{serving.tcp(hostile.status(404))}"
    start("", url=url, handshake=HandshakeOptions(url="", subprotocols=subprotocols, origin=""))


@pytest.mark.parametrize("path", ["", "/chat"])
def test_one_that_wants_a_subprotocol_is_up(serving: Serving, start: Start, path: str) -> None:
    port = serving.websocket(stay, subprotocols=["graphql-transport-ws"])
    start(
        "",
        url=f"ws://127.0.0.1:{port}",
        timeout_s=20,
        handshake=HandshakeOptions(url=path, subprotocols=(), origin=""),
    )


def test_a_404_counts_only_once_it_is_there_to_stay(serving: Serving, start: Start) -> None:
    codes = itertools.chain([404, 404, 503, 404], itertools.repeat(404))
    seen: list[int] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(next(codes))
        await hostile.status(seen[-1])(reader, writer)

    start("", url=f"ws://127.0.0.1:{serving.tcp(handle)}", timeout_s=20)
    assert 503 in seen and len(seen) > 5


def test_a_proxy_whose_server_is_not_up_is_waited_for_and_the_remedy_named(
    serving: Serving, start: Start
) -> None:
    with pytest.raises(
        ServerFailed, match=r"'503 Whatever' instead of 101; .*: -- --ws-url URL --ws-subprotocol NAME"
    ):
        start("", url=f"ws://127.0.0.1:{serving.tcp(hostile.status(503))}", timeout_s=0.5)


@pytest.mark.parametrize(("path", "option"), [("/chat", ""), ("", "/chat")])
def test_where_the_url_is_given_it_has_to_be_the_right_one(
    serving: Serving, start: Start, path: str, option: str
) -> None:
    url = f"ws://127.0.0.1:{serving.tcp(hostile.status(404))}{path}"
    with pytest.raises(ServerFailed, match=r"/chat within 0.5 s: it answered '404 Whatever' instead of 101$"):
        start(
            "",
            url=url,
            timeout_s=0.5,
            handshake=HandshakeOptions(url=option, subprotocols=(), origin=""),
        )


def test_a_program_that_is_not_there_is_the_users_mistake(start: Start) -> None:
    with pytest.raises(UsageError, match=r"server A \(v1\): can't run 'nodde'"):
        start("nodde server.js {port}")


def test_ports_are_below_those_of_outgoing_connections() -> None:
    assert {free_port() for _ in range(20)} <= set(PORTS)


# The meter


def test_what_descendants_use_counts(tmp_path: Path) -> None:
    busy = "import time\\nend = time.process_time() + 60\\nwhile time.process_time() < end: pass"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '{busy}'])"
    with psutil.Popen([sys.executable, "-c", code]) as parent:
        children = until(parent.children, what="the child")
        meter = Meter(parent.pid, expected_s=1.0)
        before = children[0].cpu_times().user
        until(lambda: children[0].cpu_times().user > before + 0.2, what="the child's work")
        figures = meter.figures(command="x", url="y", exit_code=None)
        children[0].kill()
    assert figures.cpu_s >= 0.15
    assert figures.processes == 2
    assert figures.samples[-1].memory_bytes > 0


def test_a_long_run_is_looked_at_less_often() -> None:
    meter = Meter(psutil.Process().pid, expected_s=6_000)
    assert meter.figures(command="x", url="y", exit_code=None).every_s == 10


def test_a_server_that_is_gone_leaves_what_was_known(tmp_path: Path) -> None:
    with psutil.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        meter = Meter(process.pid, expected_s=1.0)
        process.kill()
        process.wait()
        figures = meter.figures(command="x", url="y", exit_code=-9)
    assert (figures.exit_code, figures.cpu_s) == (-9, 0.0)
    (tmp_path / SERVER).write_bytes(figures.to_json())
    assert read_server(tmp_path) == figures
    assert isinstance(read_server(tmp_path), ServerFigures)
