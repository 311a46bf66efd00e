"""The GraphQL example with a server that sends the protocol's own pings, as the protocol lets either side do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from support.locust_run import ROOT, Finished
from support.serving import Serving
from websockets.asyncio.server import ServerConnection

pongs = 0


async def library(connection: ServerConnection) -> None:
    """Answers nothing but the beginning before its ping is answered."""
    global pongs
    async for message in connection:
        found = json.loads(message)
        if found["type"] == "connection_init":
            await connection.send('{"type": "connection_ack"}')
        elif found["type"] == "subscribe":
            await connection.send('{"type": "ping"}')
            async with asyncio.timeout(5):
                while json.loads(await connection.recv())["type"] != "pong":
                    pass
            pongs += 1
            payload = {"data": {"book": {"title": "Book 7"}}}
            for kind in ("next", "complete"):
                await connection.send(json.dumps({"id": found["id"], "type": kind, "payload": payload}))


def test_a_protocols_ping_is_answered_and_harms_nothing(
    run_locust: Callable[..., Finished], serving: Serving
) -> None:
    port = serving.websocket(library, subprotocols=["graphql-transport-ws"])
    finished = run_locust(
        *("-f", ROOT / "locustfiles" / "graphql.py", "--headless", "-u", "1", "-r", "1", "-t", "3s"),
        *("--host", f"ws://127.0.0.1:{port}", "--ws-allow-invalid"),
    )
    assert finished.returncode == 0, finished.stderr
    assert "Traceback" not in finished.stderr and finished.failures == {}
    assert finished.count("connect") == 1 and finished.count("book") > 0
    assert finished.counter("unknown_keys") == 0 < pongs
