"""A chat behind an HTTP login, in a message format of its own:

    locust -f locustfiles/token_chat.py --host ws://127.0.0.1:8000

Before each opening, reconnections included, the user logs in and gets a token.
"""

import itertools
import json
import secrets
from typing import Any

from wsload import Opening, WebSocketUser, constant_rate, task


def refused(message: str) -> str | None:
    """The kind of failure if the answer is a refusal."""
    return "refused" if json.loads(message)[0] == "refused" else None


class Guest(WebSocketUser):
    wait_time = constant_rate(2)
    references = itertools.count(1)

    async def on_opening(self) -> Opening:
        self.name = f"guest-{secrets.token_hex(4)}"
        account = {"name": self.name, "password": self.name[::-1]}
        reply = await self.http.post("/login", json=account, name="log in")
        token = reply.json()["token"]
        return Opening(url="/rooms/7", headers={"Authorization": f"Bearer {token}"})

    def key_of(self, message: str) -> Any:
        match json.loads(message):
            case ["said", who, reference, _] if who == self.name:
                return reference
            case ["refused", reference, _]:
                return reference
        return None

    @task
    async def say(self) -> None:
        reference = str(next(self.references))
        message = json.dumps(["say", reference, "hello"])
        await self.request(message, key=reference, name="say", check=refused)
