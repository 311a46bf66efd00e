"""The examples with servers that send their protocols' own messages when they may, during the handshake too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from support.locust_run import ROOT, Finished
from support.serving import Serving
from websockets.asyncio.server import ServerConnection

Handler = Callable[[ServerConnection], Awaitable[None]]
Run = Callable[..., Finished]


@pytest.fixture
def run(run_locust: Callable[..., Finished], serving: Serving) -> Run:
    """Runs an example with one user for three seconds."""

    def run(name: str, handler: Handler, *subprotocols: str, code: int = 0) -> Finished:
        port = serving.websocket(handler, subprotocols=list(subprotocols) or None)
        finished = run_locust(
            *("-f", ROOT / "locustfiles" / f"{name}.py", "--headless", "-u", "1", "-r", "1", "-t", "3s"),
            *("--host", f"ws://127.0.0.1:{port}", "--ws-allow-invalid"),
        )
        assert finished.returncode == code, finished.stderr
        assert "Traceback" not in finished.stderr, finished.stderr
        assert finished.counter("unknown_keys") == 0
        return finished

    return run


async def is_answered(connection: ServerConnection, sent: str, answer: str) -> None:
    """Sends a control message; nothing but its answer may follow, after what was on its way."""
    await connection.send(sent)
    async with asyncio.timeout(5):
        while await connection.recv() != answer:
            pass


PING, PONG = '{"type": "ping"}', '{"type": "pong"}'


@pytest.mark.parametrize("at_once", [True, False], ids=["after the upgrade", "before the ack"])
def test_graphql_pings_and_pongs(run: Run, at_once: bool) -> None:
    pongs = 0

    async def library(connection: ServerConnection) -> None:
        """Answers nothing before its ping is answered; sends a pong as a heartbeat, as either side may."""
        nonlocal pongs
        if at_once:
            await connection.send(PING)
            assert {await connection.recv(), await connection.recv()} == {
                PONG,
                '{"type": "connection_init"}',
            }
            pongs += 1
        else:
            assert await connection.recv() == '{"type": "connection_init"}'
            await is_answered(connection, PING, PONG)
            pongs += 1
        await connection.send(PONG)
        await connection.send('{"type": "connection_ack"}')
        async for message in connection:
            found = json.loads(message)
            if found["type"] == "subscribe":
                await is_answered(connection, PING, PONG)
                pongs += 1
                await connection.send(PONG)
                payload = {"data": {"book": {"title": "Book 7"}}}
                for kind in ("next", "complete"):
                    await connection.send(json.dumps({"id": found["id"], "type": kind, "payload": payload}))

    finished = run("graphql", library, "graphql-transport-ws")
    assert finished.failures == {}
    assert finished.count("connect") == 1 and finished.count("book") > 0 and pongs > 1


@pytest.mark.parametrize("refuses", [False, True])
def test_socket_io_pings_before_the_client_is_connected_and_refusals(run: Run, refuses: bool) -> None:
    async def shop(connection: ServerConnection) -> None:
        await connection.send('0{"sid":"1","upgrades":[],"pingInterval":1000,"pingTimeout":1000}')
        async for message in connection:
            if message == "40":
                await is_answered(connection, "2", "3")
                if refuses:
                    await connection.send('44{"message":"not today"}')
                    return
                await connection.send('40{"sid":"2"}')
            elif str(message).startswith("42"):
                number = str(message)[2:].partition("[")[0]
                await connection.send(f'43{number}[{{"ok":true}}]')

    finished = run("socketio", shop, code=5 if refuses else 0)
    assert ("connect: refused" in finished.failures) == refuses == (finished.failures != {})
    assert (finished.count("order") > 0) == (not refuses)


@pytest.mark.parametrize("refuses", [False, True])
def test_stomp_heart_beats_before_the_client_is_connected_and_refusals(run: Run, refuses: bool) -> None:
    async def broker(connection: ServerConnection) -> None:
        await connection.send("\n")
        async for message in connection:
            command, *lines = str(message).split("\n\n")[0].split("\n")
            receipt = next((line for line in lines if line.startswith("receipt:")), "").partition(":")[2]
            await connection.send("\r\n")
            if command == "CONNECT" and refuses:
                await connection.send("ERROR\nmessage:Bad CONNECT\n\nwho are you?\0")
                return
            answer = f"RECEIPT\nreceipt-id:{receipt}" if receipt else "CONNECTED\nversion:1.2"
            await connection.send(f"{answer}\n\n\0")

    finished = run("stomp", broker, "v12.stomp", code=5 if refuses else 0)
    assert ("CONNECT: Bad CONNECT" in finished.failures) == refuses == (finished.failures != {})
    assert (finished.count("SEND") > 0) == (not refuses)


def test_json_rpc_requests_and_notifications_of_the_server(run: Run) -> None:
    async def market(connection: ServerConnection) -> None:
        """Numbers its own requests as the client does: they are no answers."""
        async for message in connection:
            found = json.loads(message)
            for own in ({"id": found["id"], "method": "ping"}, {"method": "hello", "params": {}}):
                await connection.send(json.dumps({"jsonrpc": "2.0", **own}))
            result = {"bids": [[99, 5]]}
            await connection.send(json.dumps({"jsonrpc": "2.0", "id": found["id"], "result": result}))

    finished = run("jsonrpc", market)
    assert finished.failures == {}
    assert finished.count("subscribe") == 1 and finished.count("getBook") > 0


def test_mqtt_messages_before_the_subscription_is_acknowledged(run: Run) -> None:
    async def broker(connection: ServerConnection) -> None:
        async for message in connection:
            assert isinstance(message, bytes)
            match message[0] & 0xF0:
                case 0x10:
                    await connection.send(b"\x20\x02\x00\x00")
                case 0x80:  # SUBSCRIBE, which a broker may answer with messages before the acknowledgement
                    await connection.send(b"\x30\x12" + b"\x00\x06retain" + bytes(10))
                    await connection.send(b"\x90\x03" + message[2:4] + b"\x00")
                case 0x30:
                    topic = 4 + message[3]
                    await connection.send(b"\x40\x02" + message[topic : topic + 2])

    finished = run("mqtt", broker, "mqtt")
    assert finished.failures == {}
    assert finished.count("SUBSCRIBE") == 1 and finished.count("PUBLISH") > 0
