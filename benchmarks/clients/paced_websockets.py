"""``URL CONNECTIONS RATE SECONDS``: a script as one writes it: per connection a task that sends and one that receives.

Messages count from when they were due. Prints p50 and p99 in ms as JSON.
"""

import asyncio
import json
import sys
from time import perf_counter

import numpy as np
import uvloop
from websockets.asyncio.client import connect

from benchmarks.stalls import PERCENTILES

URL, CONNECTIONS, EACH, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
taken: list[float] = []


async def talk(number: int) -> None:
    async with connect(URL, compression=None, ping_interval=None, open_timeout=60) as connection:
        began = perf_counter() + number / CONNECTIONS / EACH
        due = [began + place / EACH for place in range(int(SECONDS * EACH))]

        async def send() -> None:
            for at in due:
                await asyncio.sleep(at - perf_counter())
                await connection.send("hello")

        sending = asyncio.create_task(send())
        for at in due:
            await connection.recv()
            taken.append(perf_counter() - at)
        await sending


async def main() -> None:
    await asyncio.gather(*(talk(number) for number in range(CONNECTIONS)))
    found = np.percentile(np.array(taken), PERCENTILES) * 1000
    print(json.dumps(dict(zip(map(str, PERCENTILES), map(float, found), strict=True))))


uvloop.run(main())
