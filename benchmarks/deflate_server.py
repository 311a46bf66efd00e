"""``TALLY``: sends every message back with permessage-deflate (RFC 7692), by `websockets` on uvloop.

As `benchmarks.echo_server` does, whose library knows no extensions. Prints its port when it listens.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvloop
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.tally import MESSAGES, OPEN, OPENED, Tally

counts = Tally(Path(sys.argv[1])).counts


async def echo(connection: ServerConnection) -> None:
    counts[OPENED] += 1
    counts[OPEN] += 1
    try:
        async for message in connection:
            counts[MESSAGES] += 1
            await connection.send(message)
    finally:
        counts[OPEN] -= 1


async def main() -> None:
    async with serve(echo, "127.0.0.1", 0, ping_interval=None, backlog=4096) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await server.serve_forever()


uvloop.run(main())
