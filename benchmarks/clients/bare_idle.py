"""``URL CONNECTIONS``: idle connections of bare `websockets`; prints a line when all are open."""

import asyncio
import sys

import uvloop
from websockets.asyncio.client import connect


async def main(url: str, connections: int) -> None:
    kept = await asyncio.gather(
        *(connect(url, compression=None, ping_interval=None, open_timeout=60) for _ in range(connections))
    )
    print(len(kept), flush=True)
    await asyncio.sleep(3600)


uvloop.run(main(sys.argv[1], int(sys.argv[2])))
