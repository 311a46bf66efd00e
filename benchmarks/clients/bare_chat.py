"""``URL USERS RATE TALLY``: the chat on bare `websockets`, with RATE posts per second, measuring nothing.

Counts the messages received in ``TALLY``.
"""

import asyncio
import json
import sys
from pathlib import Path

import uvloop
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.tally import MESSAGES, OPENED, Tally

counts = Tally(Path(sys.argv[4])).counts
POST = json.dumps({"type": "message", "text": "x" * 60, "id": 1, "date": 1})


async def join(url: str, number: int) -> ClientConnection:
    connection = await connect(
        url, subprotocols=["json"], compression=None, ping_interval=None, open_timeout=60
    )
    identity = json.loads(await connection.recv())["id"]
    name = f"bare-{number}"
    await connection.send(json.dumps({"type": "username", "name": name, "id": identity, "date": 1}))
    while json.loads(await connection.recv()).get("name") != name:
        pass
    counts[OPENED] += 1
    return connection


async def listen(connection: ClientConnection) -> None:
    while True:
        await connection.recv()
        counts[MESSAGES] += 1


async def post(connections: list[ClientConnection], rate: int) -> None:
    loop = asyncio.get_running_loop()
    start, sent = loop.time(), 0
    while True:
        due = int((loop.time() - start) * rate)
        for number in range(sent, due):
            await connections[number % len(connections)].send(POST)
        sent = max(due, sent)
        await asyncio.sleep(0.001)


async def main(url: str, users: int, rate: int) -> None:
    connections = [await join(url, number) for number in range(users)]
    await asyncio.gather(*map(listen, connections), post(connections, rate))


uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
