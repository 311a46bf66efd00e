"""The yardstick: a loop of `send` and `recv` on uvloop that measures nothing."""

import argparse
import asyncio
import ssl
from pathlib import Path

import uvloop
from websockets.asyncio.client import connect


async def talk(url: str, message: str, tls: ssl.SSLContext | None, compression: str | None) -> None:
    async with connect(
        url, compression=compression, ping_interval=None, open_timeout=60, max_size=None, ssl=tls
    ) as connection:
        while True:
            await connection.send(message)
            await connection.recv()


async def main(arguments: argparse.Namespace) -> None:
    tls = ssl.create_default_context(cafile=arguments.ca_file) if arguments.ca_file else None
    message = arguments.message.read_text() if arguments.message else "x" * arguments.bytes
    compression = "deflate" if arguments.deflate else None
    await asyncio.gather(
        *(talk(arguments.url, message, tls, compression) for _ in range(arguments.connections))
    )


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("url")
parser.add_argument("connections", type=int)
parser.add_argument("bytes", type=int)
parser.add_argument("--message", type=Path, help="instead of so many bytes")
parser.add_argument("--ca-file")
parser.add_argument("--deflate", action="store_true")
uvloop.run(main(parser.parse_args()))
