"""``URL USERS [CA_FILE]``: repeatedly opens and closes connections with bare `websockets`."""

import asyncio
import ssl
import sys

import uvloop
from websockets.asyncio.client import connect


async def visit(url: str, tls: ssl.SSLContext | None) -> None:
    while True:
        async with connect(url, compression=None, ping_interval=None, proxy=None, ssl=tls):
            pass


async def main(url: str, visitors: int, ca_file: str | None) -> None:
    tls = ssl.create_default_context(cafile=ca_file) if ca_file else None
    await asyncio.gather(*(visit(url, tls) for _ in range(visitors)))


uvloop.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None))
