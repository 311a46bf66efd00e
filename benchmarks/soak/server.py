"""``PORT-FILE``: an echo server that misbehaves a little, and keeps its own account of it.

Writes its port to the file when it listens, and its account to standard output as JSON when its input ends.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from http import HTTPStatus
from pathlib import Path
from typing import Final

import uvloop
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

DROPPED: Final = 1 / 5_000
"""The share of messages that get no answer …"""
CLOSING: Final = 1 / 10_000
"""… and of those that are answered and then have their connection closed with 1011."""
REFUSED: Final = 1 / 20
"""The share of openings that are answered 503."""

account: Counter[str] = Counter()


async def answer(connection: ServerConnection) -> None:
    """Echoes; what it does instead is counted."""
    account["opened"] += 1
    try:
        async for message in connection:
            account["received"] += 1
            chance = random.random()
            if chance < DROPPED:
                account["dropped"] += 1
                continue
            await connection.send(message)
            account["answered"] += 1
            if chance > 1 - CLOSING:
                account["closed"] += 1
                await connection.close(1011, "on purpose")
                return
    except ConnectionClosed:
        account["unanswered"] += 1


def refuse_some(connection: ServerConnection, _: Request) -> Response | None:
    if random.random() < REFUSED:
        account["refused"] += 1
        return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "on purpose\n")
    return None


async def main() -> None:
    async with serve(
        answer, "127.0.0.1", 0, process_request=refuse_some, compression=None, ping_interval=None
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        Path(sys.argv[1]).write_text(str(port))  # noqa: ASYNC240 nobody is there yet
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps(account))


uvloop.run(main())
