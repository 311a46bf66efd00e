"""``URL CONNECTIONS BYTES``: the yardstick, a loop of `send` and `recv` on uvloop that measures nothing."""

import asyncio
import sys

import uvloop
from websockets.asyncio.client import connect

MESSAGE = "x" * int(sys.argv[3])


async def talk(url: str) -> None:
    async with connect(
        url, compression=None, ping_interval=None, open_timeout=60, max_size=None
    ) as connection:
        while True:
            await connection.send(MESSAGE)
            await connection.recv()


async def main(url: str, connections: int) -> None:
    await asyncio.gather(*(talk(url) for _ in range(connections)))


uvloop.run(main(sys.argv[1], int(sys.argv[2])))
