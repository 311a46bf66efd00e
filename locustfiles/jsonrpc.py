"""JSON-RPC 2.0 with pushed prices:

    locust -f locustfiles/jsonrpc.py --host ws://127.0.0.1:9000

Each method, such as ``getBook``, is a name in the results; an error in the answer is a
failure of that name. The age of each pushed price is measured too.
"""

import itertools
import json
import time
from typing import Any

from wsload import WebSocketUser, constant_rate, task


def error_of(answer: str) -> str | None:
    """The kind of failure if the answer is an error."""
    error = json.loads(answer).get("error")
    return f"error {error['code']}" if error else None


class Trader(WebSocketUser):
    wait_time = constant_rate(5)
    ids = itertools.count(1)

    def key_of(self, message: str) -> Any:
        found = json.loads(message)
        return None if "method" in found else found.get("id")  # the server may ask, too

    def on_message(self, message: str) -> None:
        found = json.loads(message)
        if found.get("method") == "price":
            seconds = time.time() - found["params"]["at"] / 1000
            self.record("age of prices", seconds=seconds)

    async def call(self, method: str, **params: Any) -> Any:
        """The result; None if the call was refused, which check has counted."""
        number = next(self.ids)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        data = json.dumps(request)
        answer = await self.request(data, key=number, name=method, check=error_of)
        return json.loads(answer).get("result")

    async def on_connect(self) -> None:
        await self.call("subscribe", channel="prices")

    @task(3)
    async def look(self) -> None:
        book = await self.call("getBook", symbol="ACME")
        assert book is None or book["bids"], "an empty book"

    @task
    async def order(self) -> None:
        await self.call("placeOrder", symbol="ACME", side="buy", quantity=1)
