"""Servers that go wrong in ways which the account must survive: each beside a user that says what it was told."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from faults.scene import SECRET, USERS, Account, assert_sound
from support import autobahn, hostile
from support.certificates import Certificates
from support.locust_run import CHAT, LocustRun
from support.serving import Serving
from websockets.asyncio.server import ServerConnection

from wsload.server.process import ServerProcess

ENVIRONMENT = {"LOCUST_WS_BEARER": SECRET}


def test_a_redirect_to_another_host_takes_no_secret_along_and_is_verified(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path, certificates: Certificates
) -> None:
    account = Account()
    secure = serving.websocket(account.echo, ssl=certificates.server_context())
    answer = f"HTTP/1.1 302 Found\r\nLocation: wss://localhost:{secure}/\r\nContent-Length: 0\r\n\r\n"

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer.encode())
        await writer.drain()

    (tmp_path / "locustfile.py").write_text(USERS)
    finished = start_locust(
        *("--headless", "--host", f"ws://127.0.0.1:{serving.tcp(redirect)}", "-u", "2", "-t", "2s"),
        *("--ws-header", f"X-Api-Key: {SECRET}", "--ws-cookie", f"session={SECRET}"),
        *("--ws-ca-file", certificates.authority),
        env=ENVIRONMENT,
    ).finish()
    assert_sound(finished, code=0)
    assert finished.counter("requests") == finished.count("message") == account.received > 0
    assert account.headers and not {"x-api-key", "cookie", "authorization"} & set(account.headers)


def test_an_id_that_comes_after_the_close_is_nobodys_failure(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path
) -> None:
    greeting = autobahn.frame(autobahn.TEXT, json.dumps({"type": "id", "id": 1}).encode())

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await autobahn.upgrade(reader, writer, subprotocol="json")
        await reader.read(2)  # the head of the client's close frame, which its rest follows
        writer.write(greeting + autobahn.close(1000))
        await writer.drain()
        await reader.read(-1)

    finished = start_locust(
        *("-f", CHAT, "--headless", "--host", f"ws://127.0.0.1:{serving.tcp(late)}", "-u", "3", "-r", "3"),
        *("-t", "4s", "--ws-open-timeout", "1s", "--ws-ping", "off"),
        env=ENVIRONMENT,
    ).finish()
    assert_sound(finished, code=5)
    assert finished.failures.keys() == {"login: no id"}
    assert finished.counter("unsent") == 0
    assert finished.summary["closes"].keys() <= {"1000"}


def test_a_token_in_what_is_no_message_ends_no_connection(
    start_locust: Callable[..., LocustRun], serving: Serving, tmp_path: Path
) -> None:
    tokens: dict[ServerConnection, str] = {}

    async def disturb(connection: ServerConnection, echo: str) -> None:
        tokens[connection] = json.loads(echo)["text"].rpartition(" ")[2]
        for other, token in tokens.items():
            if other is not connection:
                await connection.send(f"no JSON {token}")
        await connection.send(echo)

    (tmp_path / "locustfile.py").write_text(
        USERS
        + """
del Guest

class Reader(ChatUser):
    wait_time = constant(0.1)

    def on_post(self, message):
        print("GIVEN", message["type"])

    @task
    async def post(self):
        await self.say("hello")
"""
    )
    port = serving.websocket(hostile.chat(disturb), subprotocols=["json"])
    finished = start_locust(
        *("--headless", "--host", f"ws://127.0.0.1:{port}", "-u", "3", "-r", "3", "-t", "3s"),
        env=ENVIRONMENT,
    ).finish()
    assert_sound(finished, code=1)
    assert finished.failures.keys() == {"message: not a chat message"}
    assert finished.counter("malformed") == finished.failures["message: not a chat message"]
    assert finished.counter("opens") == 3
    assert finished.counter("requests") == finished.count("message") > 0


def test_a_server_that_is_gone_without_a_word_is_noticed_by_pings(
    start_locust: Callable[..., LocustRun],
) -> None:
    with ServerProcess("--quiet-roster") as server:
        run = start_locust(
            *("-f", CHAT, "--headless", "--host", server.url, "-u", "4", "-r", "4", "-t", "8s"),
            *("--ws-ping", "500ms", "--ws-ping-timeout", "1s", "--ws-open-timeout", "1s"),
            env=ENVIRONMENT,
        )
        try:
            run.wait_for_intervals(3)
            os.kill(server.pid, signal.SIGSTOP)
            finished = run.finish()
        finally:
            os.kill(server.pid, signal.SIGCONT)
        assert_sound(finished, code=1)
        assert finished.failures["close: ping timeout"] == 4
        sent = finished.counter("requests")
        assert sent == finished.count("message") + finished.counter("lost")
        server.stop()
    assert server.account is not None
    assert finished.count("message") <= server.account["posts"] <= sent
