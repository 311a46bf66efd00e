"""A chat with a message format of its own, behind a login, measured as wsload's own is:

    locust -f locustfiles/room_chat.py --host ws://127.0.0.1:8000

Posts are paired with their own echoes, and what others receive is timed, too.
"""

import json

from wsload import ChatUser, Opening, constant_rate, task
from wsload.protocols.chat.conversation.session import (
    Delivery,
    Event,
    Joined,
    Session,
    Unknown,
)


class RoomSession(Session):
    """``["say", reference, text]`` comes back as ``["said", who, reference, text]``."""

    def write_post(self, text: str) -> bytes:
        return json.dumps(["say", str(self.number), text]).encode()

    def read(self, data: bytes) -> Event:
        match json.loads(data):
            case ["welcome", *_]:
                return Joined()  # the token of the opening has said who this is
            case ["said", *_]:
                return Delivery(-1)  # by somebody who is none of wsload's users
            case [str(kind), *_]:
                return Unknown(kind)
        raise ValueError("not a list that begins with a kind")

    def decode(self, data: bytes) -> list[str]:
        return list(json.loads(data))


class Guest(ChatUser):
    wait_time = constant_rate(2)
    session = RoomSession
    subprotocols = ()

    async def on_opening(self) -> Opening:
        account = {"name": self.name, "password": self.name[::-1]}
        reply = await self.http.post("/login", json=account, name="log in")
        token = reply.json()["token"]
        return Opening(url="/rooms/7", headers={"Authorization": f"Bearer {token}"})

    @task
    async def post(self) -> None:
        await self.say("hello")
